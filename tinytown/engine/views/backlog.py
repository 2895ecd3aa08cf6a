"""The backlog as it is shown: each entry with the reason why it waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinytown.engine.context import Context
from tinytown.engine.plan import claims
from tinytown.missions import backlog as rules
from tinytown.missions.records.backlog import Entry
from tinytown.state import backlog


@dataclass(frozen=True)
class EntryView:
    """An entry of the backlog as people see it."""

    entry: Entry
    #: Why nobody has taken it yet, and what helps.
    waits: str


def entries(context: Context, *, tag: str = "") -> list[EntryView]:
    """The entries, the oldest first; with ``tag`` only those that have it."""
    found = [one.record for one in backlog.some(context.store, backlog.ids(context.store))]
    if tag:
        found = [entry for entry in found if tag.casefold() in map(str.casefold, entry.tags)]
    return _views(context, found)


def _views(context: Context, found: Sequence[Entry]) -> list[EntryView]:
    if not found:
        return []
    seen, whys = claims.standing(context, whole=True), dict[tuple[str, ...], str]()
    for entry in found:
        if (lines := rules.lines_of(entry)) not in whys:
            whys[lines] = claims.why(lines, seen)
    return [EntryView(entry, whys[rules.lines_of(entry)]) for entry in found]


def glimpse(context: Context) -> Mapping[str, Any]:
    """How many entries there are, and for whom, with the reason why they wait; its cost does not grow with them."""
    total = backlog.count(context.store)
    if not total:
        return {"entries": 0, "waiting": []}
    seen = claims.standing(context, whole=True)
    lines = backlog.lines(context.store)
    waiting = [
        {"role": line if line != rules.PEOPLE else "", "entries": count, "waits": claims.why([line], seen)}
        for line, count in lines.items()
    ]
    return {"entries": total, "waiting": waiting}


def some_left(context: Context, most: int) -> tuple[Sequence[Entry], Mapping[str, Any]]:
    """A few of the entries, and ``glimpse``."""
    ids = backlog.ids(context.store, most)[:most]
    return [one.record for one in backlog.some(context.store, ids)], glimpse(context)
