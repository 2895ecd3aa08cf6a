"""The history of a town as it is shown: each event with what moved, from where to where, why, and who did it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinytown.engine.context import Context
from tinytown.errors import NotFoundError
from tinytown.missions import sentences
from tinytown.missions.records.agent import Event
from tinytown.state import lookup

#: Entries read at once.
PAGE = 500


@dataclass(frozen=True)
class Line:
    """An event of the history."""

    #: Its position; several events of one commit share it.
    id: str
    event: Event

    @property
    def agent(self) -> str:
        """The agent that it is about, if any."""
        return str(self.event.data.get("agent") or "")

    @property
    def by(self) -> str:
        """Who did it: ``operator``, an agent, or ``town``; empty where nobody is known to have."""
        return str(self.event.data.get("by") or ("town" if "from" in self.event.data else ""))

    def names(self, agent: str) -> bool:
        """Whether an agent has a part in it."""
        return agent in (self.event.data.get(name) for name in ("agent", "by", "sender", "to"))


def line_json(line: Line) -> dict[str, Any]:
    """Stable keys for scripts."""
    event = line.event
    return {
        "id": line.id,
        "at": event.at,
        "kind": event.kind,
        "mission": event.mission,
        "item": event.item,
        "agent": line.agent,
        "from": event.data.get("from"),
        "to": event.data.get("to") if "from" in event.data else None,
        "why": sentences.reason(event),
        "by": line.by,
        "text": sentences.sentence(event),
        "data": event.data,
    }


def newest(context: Context, limit: int, *, agent: str = "", mission: str = "") -> list[Line]:
    """The newest events, the oldest of them first, of all that the filters let through.

    Raises:
        NotFoundError: there is no such mission.
    """
    only = named(context, agent)
    of = context.store.find_mission(mission) if mission else None
    found: list[Line] = []
    for line in _backwards(context, of):
        if only and not line.names(only):
            continue
        found.append(line)
        if len(found) >= limit:
            break
    return found[::-1]


def _backwards(context: Context, mission: str | None) -> Iterator[Line]:
    position = "+"
    while rows := lookup.events_before(context.store, mission, before=position, count=PAGE):
        yield from (Line(*row) for row in rows)
        position = rows[-1][0]


def after(
    context: Context, position: str, *, agent: str = "", mission: str = "", block: float
) -> tuple[str, list[Line]]:
    """What came after a position, waited for up to ``block`` seconds; and the position of the last."""
    of = context.store.find_mission(mission) if mission else None
    rows = context.store.events(of, after=position, block=block)
    lines: Iterable[Line] = (Line(*row) for row in rows)
    return rows[-1][0] if rows else position, [line for line in lines if not agent or line.names(agent)]


def named(context: Context, agent: str) -> str:
    """The name of an agent that ``agent`` is the name, nickname or label of; one that was pruned still has a past."""
    try:
        return context.crew.find(agent) if agent else ""
    except NotFoundError:
        return agent


def lines_json(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Several of them."""
    return [line_json(line) for line in lines]
