"""Commands on missions as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinytown.commands.table import ACTS, ANSWERS, LOOKS, SEES, Caller, Who, command
from tinytown.engine.start.order import Order
from tinytown.errors import StateError

if TYPE_CHECKING:
    from tinytown.engine.context import Context
    from tinytown.engine.start.preview import Preview
    from tinytown.engine.start.start import Started
    from tinytown.engine.views.missions import MissionView, Summary, Unreadable
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
    """A mission to go on with, perhaps with a new budget in US dollars or in tokens."""

    budget_usd: float | None = None
    budget_tokens: int | None = None


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


def _ids(context: Context, which: Which) -> Iterable[str]:
    """Newest first; runs of the unattended conductor only among those that have ended."""
    from tinytown.state import asked

    return reversed(context.store.mission_ids(live=False) if which.ended else asked.active(context.store))


def _view(view: MissionView) -> dict[str, Any]:
    from tinytown.engine.views.missions import mission_json

    return mission_json(view)


def _views(found: Sequence[MissionView | Unreadable]) -> list[dict[str, Any]]:
    from tinytown.engine.views.missions import Unreadable, unreadable_json

    return [unreadable_json(one) if isinstance(one, Unreadable) else _view(one) for one in found]


def _summaries(found: Sequence[Summary | Unreadable]) -> list[dict[str, Any]]:
    from tinytown.engine.views.missions import Unreadable, unreadable_json

    return [
        unreadable_json(one)
        if isinstance(one, Unreadable)
        else {"id": one.mission.id, "state": one.mission.state.value, "size": one.size, "counts": dict(one.counts)}
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


@command("mission.list", Which, by=SEES, shape=_views)
def list_all(caller: Caller, which: Which) -> Sequence[MissionView | Unreadable]:
    """Missions, newest first."""
    from tinytown.engine.views.missions import each, mission_view

    context = caller.context
    return each(_ids(context, which), lambda mission: mission_view(context, mission))


@command("mission.summaries", Which, by=SEES, shape=_summaries)
def summaries(caller: Caller, which: Which) -> Sequence[Summary | Unreadable]:
    """Missions in a line each, newest first: quick, whatever their size."""
    from tinytown.engine.views.missions import each, summary

    context = caller.context
    return each(_ids(context, which), lambda mission: summary(context, mission))


@command("mission.status", Named, by=SEES, shape=_view)
def status(caller: Caller, named: Named) -> MissionView:
    """The state of a mission and what it waits for."""
    from tinytown.engine.views.missions import mission_view

    return mission_view(caller.context, named.mission)


@command("mission.glance", Named, by=SEES, shape=_view)
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

    return missions.resume(
        caller.context, wanted.mission, budget_usd=wanted.budget_usd, budget_tokens=wanted.budget_tokens
    )


@command("mission.note", Note, by=ANSWERS)
def note(caller: Caller, wanted: Note) -> str:
    """Answer a mission, or steer it; gives a sentence about what was done."""
    from tinytown.engine.operate import notes
    from tinytown.missions import unattended

    if caller.who is Who.CONDUCTOR:
        why = unattended.refusal(
            wanted.text, remark=wanted.remark, tasks=lambda: notes.task_ids(caller.context, wanted.mission)
        )
        if why:
            raise StateError(f"that is a person's: {why}", remedy="leave it open, and say so with `tt task fail`")
    caller.touches(wanted.mission)
    return notes.note(caller.context, wanted.mission, wanted.text, remark=wanted.remark)


@command("mission.retry", Retry, by=ANSWERS)
def retry(caller: Caller, wanted: Retry) -> Sequence[Item]:
    """Try items again; gives those that were revived."""
    from tinytown.engine.operate import items

    caller.touches(wanted.mission)
    return items.retry(caller.context, wanted.mission, wanted.item)
