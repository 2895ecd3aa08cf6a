"""Commands on missions as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinytown.commands.table import ACTS, LOOKS, Caller, command
from tinytown.engine.start.order import Order

if TYPE_CHECKING:
    from tinytown.engine.start.preview import Preview
    from tinytown.engine.start.start import Started
    from tinytown.engine.views.missions import MissionView, Summary
    from tinytown.missions.records.item import Item
    from tinytown.missions.records.mission import Mission


@dataclass(frozen=True)
class Named:
    """A mission by its id."""

    mission: str


@dataclass(frozen=True)
class Which:
    """Which missions to list."""

    #: Those, too, that have ended.
    ended: bool = False


@dataclass(frozen=True)
class Resume(Named):
    """A mission to go on with, perhaps with a new budget in US dollars."""

    budget_usd: float | None = None


@dataclass(frozen=True)
class Note(Named):
    """What to tell a mission: a directive, or a remark for its agents."""

    text: str
    #: It is a remark, whatever it says.
    remark: bool = False


@dataclass(frozen=True)
class Retry(Named):
    """What to try again: one item, or all that failed or wait for a person."""

    item: str | None = None


def _view(view: MissionView) -> dict[str, Any]:
    from tinytown.engine.views.missions import mission_json

    return mission_json(view)


def _views(found: Sequence[MissionView]) -> list[dict[str, Any]]:
    return [_view(one) for one in found]


def _summaries(found: Sequence[Summary]) -> list[dict[str, Any]]:
    return [
        {"id": one.mission.id, "state": one.mission.state.value, "size": one.size, "counts": dict(one.counts)}
        for one in found
    ]


def _preview(made: Preview) -> dict[str, Any]:
    from tinytown.engine.views.preview import preview_json

    return preview_json(made)


@command("mission.start", Order, by=ACTS)
def start(caller: Caller, order: Order) -> Started:
    """Start a mission on some issues."""
    from tinytown.engine.start.start import start as start_mission

    return start_mission(caller.context, order, observer=caller.observer)


@command("mission.plan", Order, by=LOOKS, shape=_preview)
def preview(caller: Caller, order: Order) -> Preview:
    """What a mission would do; starts nothing."""
    from tinytown.engine.start.preview import preview as look_ahead

    return look_ahead(caller.context, order)


@command("mission.list", Which, by=LOOKS, shape=_views)
def list_all(caller: Caller, which: Which) -> Sequence[MissionView]:
    """Missions, newest first."""
    from tinytown.engine.views.missions import mission_view

    context = caller.context
    return [mission_view(context, found) for found in reversed(context.store.mission_ids(live=not which.ended))]


@command("mission.summaries", Which, by=LOOKS, shape=_summaries)
def summaries(caller: Caller, which: Which) -> Sequence[Summary]:
    """Missions in a line each, newest first: quick, whatever their size."""
    from tinytown.engine.views.missions import summary

    context = caller.context
    return [summary(context, found) for found in reversed(context.store.mission_ids(live=not which.ended))]


@command("mission.status", Named, by=LOOKS, shape=_view)
def status(caller: Caller, named: Named) -> MissionView:
    """The state of a mission and what it waits for."""
    from tinytown.engine.views.missions import mission_view

    return mission_view(caller.context, named.mission)


@command("mission.glance", Named, by=LOOKS, shape=_view)
def glance(caller: Caller, named: Named) -> MissionView:
    """The same, of a large mission only the items that move, wait for somebody or go next: quick, whatever its size."""
    from tinytown.engine.views.glance import glance as look

    return look(caller.context, named.mission)


@command("mission.pause", Named, by=ACTS)
def pause(caller: Caller, named: Named) -> Mission:
    """Freeze a mission; what runs is finished and collected."""
    from tinytown.engine.operate import missions

    return missions.pause(caller.context, named.mission)


@command("mission.cancel", Named, by=ACTS)
def cancel(caller: Caller, named: Named) -> Mission:
    """End a mission for good; work that is under way is kept."""
    from tinytown.engine.operate import missions

    return missions.cancel(caller.context, named.mission)


@command("mission.resume", Resume, by=ACTS)
def resume(caller: Caller, wanted: Resume) -> Mission:
    """Go on with a mission that is paused."""
    from tinytown.engine.operate import missions

    return missions.resume(caller.context, wanted.mission, budget_usd=wanted.budget_usd)


@command("mission.note", Note, by=ACTS)
def note(caller: Caller, wanted: Note) -> str:
    """Answer a mission, or steer it; gives a sentence about what was done."""
    from tinytown.engine.operate import notes

    return notes.note(caller.context, wanted.mission, wanted.text, remark=wanted.remark)


@command("mission.retry", Retry, by=ACTS)
def retry(caller: Caller, wanted: Retry) -> Sequence[Item]:
    """Try items again; gives those that were revived."""
    from tinytown.engine.operate import items

    return items.retry(caller.context, wanted.mission, wanted.item)
