"""Commands on messages between agents, people and the conductor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tinytown.commands.table import ACTS, IN_A_RUN, IN_ANY_RUN, LOOKS, SEES, Caller, command
from tinytown.errors import StateError

if TYPE_CHECKING:
    from tinytown.engine.views.mailbox import Mailbox


@dataclass(frozen=True)
class Send:
    """A message; ``to`` is an agent, or the conductor."""

    to: str
    text: str
    kind: Literal["message", "query", "info", "ack"] = "message"
    urgent: bool = False
    #: In whose name: the conductor's or an agent's; empty for one's own, and an agent has no other.
    sender: str = ""


@dataclass(frozen=True)
class Read:
    """A mailbox."""

    name: str = "conductor"
    #: Messages, too, that were delivered, read or answered before.
    history: bool = False


@dataclass(frozen=True)
class Overview:
    """All mailboxes."""

    #: Messages of each at most; ``None`` for all that are pending.
    most: int | None = None


@dataclass(frozen=True)
class Own:
    """The mailbox of the agent that asks."""

    #: Messages, too, that it got before.
    all: bool = False


@dataclass(frozen=True)
class Seen:
    """Up to which message the conductor's mailbox was read."""

    last: str


def _mailbox(box: Mailbox) -> dict[str, Any]:
    from tinytown.engine.views.mailbox import mailbox_json

    return mailbox_json(box)


@command("send", Send, by=ACTS | IN_ANY_RUN)
def send(caller: Caller, wanted: Send) -> Mapping[str, Any]:
    """Put a message into a mailbox; gives its id, that of the task that has it answered, and what becomes of it."""
    if caller.who in IN_ANY_RUN:
        if wanted.sender and wanted.sender != caller.run.task_current().get("agent"):
            raise StateError("an agent writes in its own name", remedy="leave out `--from`")
        caller.acts()
        return caller.run.send(wanted.to, wanted.text, kind=wanted.kind, urgent=wanted.urgent)
    from tinytown.engine.conductor import names
    from tinytown.engine.plan import by_message
    from tinytown.engine.views import mailbox

    sender = names.sender(caller.context, wanted.sender)
    letter = by_message.Letter(wanted.to, wanted.text, wanted.kind, wanted.urgent, sender)
    sent = by_message.send(caller.context, letter)
    then = mailbox.outlook(caller.context, sent)
    return {"id": sent.message.id, "to": sent.message.to, "task": sent.message.task, "then": then}


@command("mail.read", Read, by=SEES, shape=_mailbox)
def read(caller: Caller, wanted: Read) -> Mailbox:
    """What is pending in a mailbox, and which questions in it wait for an answer; changes nothing."""
    from tinytown.engine.views.mailbox import mailbox

    return mailbox(caller.context, wanted.name, history=wanted.history)


@command("mail.all", Overview, by=LOOKS)
def overview(caller: Caller, wanted: Overview) -> Sequence[Mapping[str, Any]]:
    """What is pending in every mailbox; changes nothing."""
    from tinytown.engine.views import mailbox

    return [mailbox.waiting_json(one) for one in mailbox.overview(caller.context, most=wanted.most)]


@command("mail.seen", Seen, by=ACTS)
def seen(caller: Caller, wanted: Seen) -> None:
    """Mark the conductor's mailbox as read, up to this message; open questions stay open."""
    from tinytown.engine.conductor import messages

    messages.mark_read(caller.context, wanted.last)


@command("inbox", Own, by=IN_A_RUN)
def inbox(caller: Caller, wanted: Own) -> Sequence[Mapping[str, Any]]:
    """An agent's own messages; what it reads is marked so."""
    return caller.run.inbox(everything=wanted.all)
