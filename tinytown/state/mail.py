"""Mailboxes of agents and of the conductor.

A mailbox is a stream: its history, of which the oldest are dropped in time. What an agent has not got yet, in a brief
that it finished, is *pending*: it is also in a hash of its own, from which nothing is dropped. The conductor's mailbox
has none: people read it when they like.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from tinytown.missions.messages import CONDUCTOR
from tinytown.missions.records.agent import Message
from tinytown.state.database import answering
from tinytown.state.pending import KINDS, first_of
from tinytown.state.records import Versioned, decode
from tinytown.state.store import PAGE, Store

__all__ = ["CONDUCTOR", "Mail", "seen_by"]


class Mail:
    """Reads messages; they are sent with ``Change.message``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def next_id(self) -> str:
        """An id for a message, never given before."""
        with answering():
            return f"m{int(self._store.client.incr(self._store.keys.messages_number))}"

    def read(self, name: str, *, after: str = "-") -> list[Message]:
        """Messages of a mailbox, the oldest first, after a position."""
        with answering():
            start = after if after == "-" else f"({after}"
            rows = self._store.client.xrange(self._store.keys.mail(name), start, "+")
        return [_placed(str(place), fields["m"]) for place, fields in rows]

    def newest(self, name: str, count: int) -> list[Message]:
        """The newest messages of a mailbox, the newest first."""
        with answering():
            rows = self._store.client.xrevrange(self._store.keys.mail(name), count=count)
        return [_placed(str(place), fields["m"]) for place, fields in rows]

    def count(self, name: str) -> int:
        """How many messages a mailbox holds."""
        with answering():
            return int(self._store.client.xlen(self._store.keys.mail(name)))

    def remove(self, name: str) -> None:
        """Remove a mailbox with all that is in it."""
        keys = self._store.keys
        with answering():
            self._store.client.unlink(keys.mail(name), keys.mail_seen(name), keys.mail_pending(name))

    # -- what an agent has not got yet -----------------------------------------------------------------

    def pending(self, name: str) -> list[Message]:
        """What an agent has not got yet: urgent ones first, then the oldest."""
        key = self._store.keys.mail_pending(name)
        with answering():
            texts = self._store.client.hgetall(key)
        found = [decode(Message, key, str(field), str(text)).record for field, text in texts.items()]
        return sorted(found, key=_order)

    def first_pending(
        self, names: Sequence[str], most: int | None, *, kinds: Collection[str] = KINDS
    ) -> dict[str, list[Message]]:
        """What these agents have not got yet, of these ``kinds``: urgent ones first, then by kind, then the oldest;
        ``most`` of each.
        """
        found = {}
        with answering(), self._store.client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hgetall(self._store.keys.mail_pending(name))
            answers: list[Mapping[str, str]] = pipe.execute()
        for name, texts in zip(names, answers, strict=True):
            found[name] = first_of(self._store.keys.mail_pending(name), texts, most, kinds=kinds)
        return found

    def still_pending(self, name: str, fields: Sequence[str]) -> list[Versioned[Message]]:
        """Those of these messages, as ``<kind> <id>``, that the agent has not got yet."""
        key = self._store.keys.mail_pending(name)
        with answering():
            texts = self._store.client.hmget(key, list(fields)) if fields else []
        return [decode(Message, key, f, str(t)) for f, t in zip(fields, texts, strict=True) if t is not None]

    def boxes(self) -> list[str]:
        """Names for which something is pending, also those of agents whose records were removed; looks at all keys."""
        start, end = self._store.keys.mail_pending("*").split("*")
        with answering():
            found = [str(key) for key in self._store.client.scan_iter(match=f"{start}*{end}", count=PAGE)]
        return sorted(key.removeprefix(start).removesuffix(end) for key in found)

    def counts(self, names: Collection[str]) -> dict[str, Counter[str]]:
        """How many messages of each kind each of these agents has not got yet; no message is read for it."""
        if not names:
            return {}
        with answering(), self._store.client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hkeys(self._store.keys.mail_pending(name))
            answers = pipe.execute()
        return {name: _by_kind(fields) for name, fields in zip(names, answers, strict=True)}

    # -- messages that are answered ----------------------------------------------------------------------

    def open_item(self, slot: str) -> str:
        """The item, as ``<mission> <key>``, that took the last message to an agent; empty if there was none."""
        with answering():
            return str(self._store.client.hget(self._store.keys.messages_open, slot) or "")

    def sent_lately(self, sender: str, to: str) -> tuple[int, tuple[float, ...]]:
        """When the last messages between two agents were sent, the oldest first, with the version of this record."""
        with answering():
            text = self._store.client.hget(self._store.keys.messages_rate, f"{sender} {to}")
        version, _, times = str(text or "0").partition("\n")
        return int(version), tuple(json.loads(times)) if times else ()

    # -- what a person has read ------------------------------------------------------------------------

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
    return position != "-" and is_at_or_before(message.place, position)


def is_at_or_before(place: str, other: str) -> bool:
    """Whether a place of a mailbox is not behind the other one."""
    here, there = ([int(part) for part in one.split("-")] for one in (place, other))
    return here <= there


def _placed(place: str, text: str) -> Message:
    message = Message.model_validate_json(text)
    return message.evolve(place=place, id=message.id or place)


def _order(message: Message) -> tuple[bool, int]:
    return (not message.urgent, int(message.id.removeprefix("m") or 0))


def _by_kind(fields: Iterable[str]) -> Counter[str]:
    return Counter(str(field).partition(" ")[0] for field in fields)
