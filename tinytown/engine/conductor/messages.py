"""Messages between agents, people and the conductor: what is one, and how it gets into a mailbox.

``engine.plan.by_message`` sends them.
"""

from __future__ import annotations

from tinytown.engine.commit import commit
from tinytown.engine.context import Context, event
from tinytown.errors import ConfigurationError
from tinytown.missions.records.agent import Message
from tinytown.state.change import Change
from tinytown.state.mail import CONDUCTOR, is_at_or_before

#: Longest message, in characters.
MAX_LENGTH = 10_000
KINDS = ("message", "query", "info", "ack")


def mark_read(context: Context, last: str) -> None:
    """Mark the conductor's mailbox as read, up to the message at this place; never back to an earlier one."""

    def decide(change: Change) -> None:
        before = context.mail.seen(CONDUCTOR)
        if before == "-" or not is_at_or_before(last, before):
            change.mark_seen(CONDUCTOR, last, before=before)

    commit(context, decide)


def check(text: str, kind: str) -> None:
    """Raise ``ConfigurationError`` for a text that is empty or too long, and for a kind that is none."""
    if not text.strip():
        raise ConfigurationError("the message has no text", remedy='write e.g. `tt send NAME "..."`')
    if len(text) > MAX_LENGTH:
        raise ConfigurationError(
            f"the message has more than {MAX_LENGTH} characters",
            remedy="put the text into a file of the repository, and name that",
        )
    if kind not in KINDS:
        raise ConfigurationError(f"`{kind}` is not a kind of message", remedy=f"use one of {', '.join(KINDS)}")


def deliver(change: Change, message: Message) -> None:
    """Put a message into its mailbox; an agent gets it with a brief."""
    change.message(message, pending=message.to != CONDUCTOR)
    change.event(
        event(
            "message_sent",
            at=message.at,
            mission=message.mission,
            sender=message.sender,
            to=message.to,
            message=message.kind,
            answers="",
        )
    )
