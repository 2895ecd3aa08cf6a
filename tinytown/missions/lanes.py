"""The lines in which due items wait: one for all that the same workers could take, in the order in which they go.

Whatever holds up the first of a line holds up all behind it, so an admission reads only the head of each line. An item
that has to wait for a time is in none of them until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from tinytown import keys
from tinytown.missions import gates
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.missions.states import Purpose

#: After so many usage limits in a row an item is not passed on to others any more, but waits for their end: if all who
#: could take it are limited again and again, they are asked less and less often.
MAX_PASSED_ON = 8

#: Priorities and critical paths count up to here; larger ones are equal.
_MOST = 0x7FFFFFFF


@dataclass(frozen=True)
class Spot:
    """Where a due item waits: in a line, as ``entry``, or outside of it until the time ``later``."""

    entry: str
    later: float | None = None


def spot(item: Item, policy: Policy) -> Spot | None:
    """Where ``item`` waits; ``None`` if it is not due."""
    lane = lane_of(item, policy)
    if not lane:
        return None
    waits = item.not_before is not None and lane != _SETTLE and not passable(item)
    return Spot(f"{lane} {_rank(item)} {item.key}", item.not_before if waits else None)


def lane_of(item: Item, policy: Policy) -> str:
    """Name of the line that ``item`` belongs in, without spaces; empty if it is not due."""
    match gates.next_step(item, policy):
        case gates.Settle():
            return _SETTLE
        case gates.Publish():
            return "publish"
        case gates.Run(purpose) if gates.at_forge(item, purpose):
            return "forge"
        case gates.Run(Purpose.CHECK | Purpose.MERGE):
            return "check"
        case gates.Run(Purpose.REVIEW):
            by = f"{quote(item.judge_agent, safe='')}/" if item.judge_agent else ""
            return f"review/{by}{','.join(quote(name, safe='') for name in sorted(item.authors))}"
        case gates.Run(_) if item.directed_to:
            return of_agent(item.directed_to)
        case gates.Run(_):
            return f"role/{quote(item.role, safe='')}{'/named' if item.role_named else ''}"
        case _:
            return ""


def of_agent(name: str) -> str:
    """The line of what one agent alone may do."""
    return f"agent/{quote(name, safe='')}"


def passable(item: Item) -> bool:
    """Whether somebody who is at no usage limit may take the item before its own time has come."""
    return bool(item.limited_by) and item.limits <= MAX_PASSED_ON


def read_entry(entry: str) -> tuple[str, str]:
    """The line and the item of an entry."""
    lane, _, key = entry.split(" ", 2)
    return lane, key


def _rank(item: Item) -> str:
    """A text that sorts as the scheduler orders items; the key follows it."""
    falling = "".join(f"{_MOST - max(-_MOST, min(_MOST, value)):08x}" for value in (item.priority, item.critical_path))
    return f"{falling}{min(_MOST, keys.place(item.key)):08x}"


_SETTLE = "settle"
