"""Mailboxes of agents and of the conductor."""

from __future__ import annotations

from tinytown.missions.records.agent import Message
from tinytown.state.change import CONDUCTOR, MAILBOX, stored
from tinytown.state.database import answering
from tinytown.state.store import Store

__all__ = ["CONDUCTOR", "Mail", "seen_by"]


class Mail:
    """Sends and reads messages; a message that was read stays until the mailbox overflows."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def send(self, message: Message) -> str:
        """Deliver; gives the message's id."""
        with answering():
            key = self._store.keys.mail(message.to)
            return str(self._store.client.xadd(key, {"m": stored(message)}, maxlen=MAILBOX, approximate=True))

    def read(self, name: str, *, after: str = "-") -> list[Message]:
        """Messages of a mailbox, the oldest first, after a position."""
        with answering():
            start = after if after == "-" else f"({after}"
            rows = self._store.client.xrange(self._store.keys.mail(name), start, "+")
        return [Message.model_validate_json(fields["m"]).evolve(id=str(i)) for i, fields in rows]

    def count(self, name: str) -> int:
        """How many messages a mailbox holds."""
        with answering():
            return int(self._store.client.xlen(self._store.keys.mail(name)))

    def remove(self, name: str) -> None:
        """Remove a mailbox with all that is in it."""
        with answering():
            self._store.client.unlink(self._store.keys.mail(name), self._store.keys.mail_seen(name))

    def seen(self, name: str) -> str:
        """Position up to which this mailbox was read."""
        with answering():
            found = self._store.client.get(self._store.keys.mail_seen(name))
        return "-" if found is None else str(found)

    def mark_seen(self, name: str, position: str) -> None:
        """Remember that the mailbox was read up to here."""
        with answering():
            self._store.client.set(self._store.keys.mail_seen(name), position)


def seen_by(position: str, message: Message) -> bool:
    """Whether a message is at or before the position up to which its mailbox was read."""
    if position == "-":
        return False
    here, there = ([int(part) for part in place.split("-")] for place in (message.id, position))
    return here <= there
