"""Send messages between agents, people and the conductor."""

from __future__ import annotations

from tinytown.engine.context import Context, event
from tinytown.errors import ConfigurationError, NotFoundError
from tinytown.missions.records.agent import Message
from tinytown.state.mail import CONDUCTOR

#: Longest message, in characters.
MAX_LENGTH = 10_000
KINDS = ("message", "query", "info", "ack")


def require_mailbox(context: Context, name: str, *, read_only: bool = False) -> None:
    """Raise ``NotFoundError`` if nobody has this name."""
    known = name in (CONDUCTOR, "operator") or name in context.crew.agents()
    # The mailbox of an agent whose record was removed can still be read.
    if not known and not (read_only and context.mail.count(name)):
        raise NotFoundError(f"there is no agent `{name}`", remedy="see `tt list`; `conductor` always exists")


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
    require_mailbox(context, to)
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
