"""Commands on messages between agents, people and the conductor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tinytown.commands.table import ACTS, IN_A_RUN, Caller, Who, command

if TYPE_CHECKING:
    from tinytown.engine.views.mailbox import Mailbox


@dataclass(frozen=True)
class Send:
    """A message; ``to`` is an agent's name or ``conductor``."""

    to: str
    text: str
    kind: Literal["message", "query", "info", "ack"] = "message"
    urgent: bool = False
    #: In whose name; an agent writes in its own.
    sender: str = "operator"


@dataclass(frozen=True)
class Read:
    """A mailbox."""

    name: str = "conductor"
    #: Messages, too, that were read before.
    all: bool = False


@dataclass(frozen=True)
class Own:
    """The mailbox of the agent that asks."""

    #: Messages, too, that were read before.
    all: bool = False


@dataclass(frozen=True)
class Seen:
    """Up to which message a mailbox was read."""

    name: str
    last: str


def _mailbox(box: Mailbox) -> list[dict[str, Any]]:
    from tinytown.engine.views.mailbox import mailbox_json

    return mailbox_json(box)


@command("send", Send, by=ACTS | IN_A_RUN)
def send(caller: Caller, wanted: Send) -> Mapping[str, Any]:
    """Put a message into a mailbox; gives its id."""
    if caller.who is Who.AGENT:
        return caller.run.send(wanted.to, wanted.text, kind=wanted.kind, urgent=wanted.urgent)
    from tinytown.engine.conductor import messages

    sent = messages.send(
        caller.context, wanted.to, wanted.text, sender=wanted.sender, kind=wanted.kind, urgent=wanted.urgent
    )
    return {"id": sent}


@command("mail.read", Read, by=ACTS, shape=_mailbox)
def read(caller: Caller, wanted: Read) -> Mailbox:
    """What is in a mailbox, and which questions in it wait for an answer; marks nothing as read."""
    from tinytown.engine.views.mailbox import mailbox

    return mailbox(caller.context, wanted.name, everything=wanted.all)


@command("mail.seen", Seen, by=ACTS)
def seen(caller: Caller, wanted: Seen) -> None:
    """Mark a mailbox as read, up to this message."""
    caller.context.mail.mark_seen(wanted.name, wanted.last)


@command("inbox", Own, by=IN_A_RUN)
def inbox(caller: Caller, wanted: Own) -> Sequence[Mapping[str, Any]]:
    """An agent's own messages; what it reads is marked so."""
    return caller.run.inbox(everything=wanted.all)
