"""The backlog: its entries, the lines in which they wait, and what each agent took from it by itself.

A line is a part of one sorted set, so finding its head costs the same however long the backlog is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tinytown.errors import NotFoundError
from tinytown.missions.backlog import lines_of
from tinytown.missions.records.backlog import Entry
from tinytown.state.change import Change
from tinytown.state.database import answering
from tinytown.state.records import Versioned, decode, encode
from tinytown.state.store import PAGE, Store

#: Digits of a number in a line, so that texts sort as numbers do.
_DIGITS = 12
#: The first character behind the digits and behind the blank that ends the name of a line.
_BEHIND = ":"


@dataclass(frozen=True)
class Taken:
    """The task that an agent made of the last entry that it took by itself."""

    mission: str
    key: str


# -- reading -------------------------------------------------------------------------------------


def count(store: Store) -> int:
    """How many entries there are."""
    with answering():
        return int(store.client.hlen(store.keys.backlog))


def find(store: Store, id_: str) -> Versioned[Entry]:
    """One entry; raises ``NotFoundError``."""
    found = some(store, [id_])
    if not found:
        raise NotFoundError(
            f"there is no `{id_[:80]}` in the backlog",
            remedy="see `tt backlog list`; what was claimed is in `tt task list`",
        )
    return found[0]


def some(store: Store, ids: Sequence[str]) -> list[Versioned[Entry]]:
    """Those of these entries that there are."""
    key, found = store.keys.backlog, []
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        with answering():
            texts = store.client.hmget(key, list(page))
        found += [decode(Entry, key, id_, str(text)) for id_, text in zip(page, texts, strict=True) if text is not None]
    return found


def ids(store: Store, most: int | None = None) -> list[str]:
    """Ids of the entries, the oldest first; ``most``: so many of them, which need not be the oldest of all."""
    with answering():
        if most is None:
            found = [str(one) for one in store.client.hkeys(store.keys.backlog)]
        else:
            entries = store.client.zrange(store.keys.backlog_lines, 0, most - 1)
            found = [f"b{number(str(entry))}" for entry in entries]
    return sorted(dict.fromkeys(found), key=lambda id_: int(id_[1:]))


def heads(store: Store, lines: Iterable[str]) -> dict[str, int]:
    """The number of the oldest entry of each of these lines that is not empty."""
    wanted = list(lines)
    with answering(), store.client.pipeline(transaction=False) as pipe:
        for line in wanted:
            pipe.zrangebylex(store.keys.backlog_lines, f"[{line} ", f"({line} {_BEHIND}", 0, 1)
        found = pipe.execute()
    return {line: number(str(entries[0])) for line, entries in zip(wanted, found, strict=True) if entries}


def lines(store: Store) -> dict[str, int]:
    """The lines that are not empty, each with the number of its entries; as many steps as there are lines."""
    key, after = store.keys.backlog_lines, "-"
    found: dict[str, int] = {}
    while True:
        with answering():
            entries = store.client.zrangebylex(key, after, "+", 0, 1)
            if not entries:
                return found
            line = str(entries[0]).rpartition(" ")[0]
            found[line] = int(store.client.zlexcount(key, f"[{line} ", f"({line} {_BEHIND}"))
        after = f"[{line} {_BEHIND}"


def taken(store: Store) -> dict[str, Taken]:
    """By agent: what it last took by itself, whether that has ended or not."""
    with answering():
        found = store.client.hgetall(store.keys.backlog_taken)
    return {str(agent): Taken(*str(text).split(" ", 1)) for agent, text in found.items()}


def next_id(store: Store) -> str:
    """An id for an entry, never given before."""
    with answering():
        return f"b{int(store.client.incr(store.keys.backlog_number))}"


def number(entry: str) -> int:
    """The number of the entry that stands in a line as ``entry``."""
    return int(entry.rpartition(" ")[2])


# -- changing ------------------------------------------------------------------------------------


def put(store: Store, change: Change, entry: Entry) -> None:
    """Add a new entry."""
    draft, keys = change.draft, store.keys
    draft.expect(keys.backlog, entry.id, 0)
    draft.write("HSET", keys.backlog, entry.id, encode(1, entry))
    for place in _places(entry):
        draft.write("ZADD", keys.backlog_lines, 0, place)


def take_out(store: Store, change: Change, old: Versioned[Entry]) -> None:
    """Take an entry out, unless somebody else was quicker."""
    draft, keys, entry = change.draft, store.keys, old.record
    draft.expect(keys.backlog, entry.id, old.version)
    draft.write("HDEL", keys.backlog, entry.id)
    draft.write("ZREM", keys.backlog_lines, *_places(entry))


def note_taken(store: Store, change: Change, agent: str, new: Taken, *, before: Mapping[str, Taken]) -> None:
    """Record what an agent took by itself, unless that is another than ``before`` by now."""
    old = before.get(agent)
    key = store.keys.backlog_taken
    change.draft.expect(key, agent, 0 if old is None else f"{old.mission} {old.key}")
    change.draft.write("HSET", key, agent, f"{new.mission} {new.key}")


def _places(entry: Entry) -> list[str]:
    return [f"{line} {entry.number:0{_DIGITS}d}" for line in lines_of(entry)]
