"""Send messages between agents, people and the conductor."""

from __future__ import annotations

from tinytown.engine.context import Context, event
from tinytown.errors import ConfigurationError, NotFoundError
from tinytown.missions.records.agent import Message
from tinytown.state.mail import CONDUCTOR

#: Longest message, in characters.
MAX_LENGTH = 10_000
KINDS = ("message", "query", "info", "ack")


def mailbox_of(context: Context, word: str, *, read_only: bool = False) -> str:
    """Whose mailbox is meant: the conductor's, or that of an agent by its name, nickname or label.

    Raises:
        NotFoundError: nobody is called so.
        StateError: several agents are.
    """
    if word in (CONDUCTOR, "operator"):
        return word
    try:
        return context.crew.find(word)
    except NotFoundError:
        # The mailbox of an agent whose record was removed can still be read.
        if read_only and context.mail.count(word):
            return word
        raise NotFoundError(f"there is no agent `{word}`", remedy="see `tt list`; `conductor` always exists") from None


def send(
    context: Context,
    to: str,
    text: str,
    *,
    sender: str,
    kind: str = "message",
    urgent: bool = False,
    mission: str = "",
) -> str:
    """Deliver a message; returns its id.

    Raises:
        NotFoundError: nobody has this name.
        ConfigurationError: it is empty or too long, or of no known kind.
    """
    to = mailbox_of(context, to)
    if not text.strip() or len(text) > MAX_LENGTH:
        raise ConfigurationError(
            f"a message must have 1 to {MAX_LENGTH} characters", remedy="write a shorter message, and not an empty one"
        )
    if kind not in KINDS:
        raise ConfigurationError(f"`{kind}` is not a kind of message", remedy=f"use one of {', '.join(KINDS)}")
    now = context.store.now()
    message = Message.model_validate(
        {"at": now, "sender": sender, "to": to, "kind": kind, "text": text, "urgent": urgent, "mission": mission}
    )
    sent = context.mail.send(message)
    change = context.store.change()
    change.event(event("message_sent", at=now, mission=mission, sender=sender, to=to, message=kind))
    change.commit()
    return sent
