"""Tasks as they are shown: why they wait, and what agents are at work on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinytown import keys
from tinytown.engine.context import Context
from tinytown.engine.operate.present import AgentView, agent_view, agent_views
from tinytown.engine.plan import by_hand
from tinytown.engine.plan.by_hand import Given
from tinytown.engine.views.missions import view_of
from tinytown.missions import attention
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState
from tinytown.plans.model import STATES
from tinytown.state import lookup
from tinytown.state import tasks as task_records

#: What tasks are counted under, in the order of the states.
_STATES = tuple(dict.fromkeys(map(attention.counted, ItemState)))


def explained(context: Context, found: Sequence[Given]) -> list[Given]:
    """Tasks, each with the reason for which it waits now."""
    every: dict[str, dict[str, Item]] = {}
    for given in found:
        every.setdefault(given.mission.id, {})[given.item.key] = given.item
    shown: dict[tuple[str, str], Item] = {}
    for mission, items in every.items():
        known = lookup.with_awaited(context.store, mission, items)
        view = view_of(context, context.store.admission_view(mission, heads=0), items, known)
        shown |= {(mission, item.key): item for item in view.items}
    return [Given(given.mission, shown[given.mission.id, given.item.key]) for given in found]


def lines(context: Context, *, state: str = "", tag: str = "", agent: str = "") -> list[dict[str, Any]]:
    """The same tasks as ``by_hand.select`` gives, with what a line of a list says of them.

    Raises:
        ConfigurationError: there is no such state.
    """
    by_hand.require_state(state)
    wanted = STATES[state].value if state else ""
    return [
        {
            "id": keys.typed(item["key"]),
            "state": item["state"],
            "who": item.get("agent") or item.get("directed_to") or item["role"],
            "tags": item.get("labels") or [],
            "title": item["title"],
        }
        for head in by_hand.homes(context)
        for item in lookup.raw_items(context.store, head.id)
        if (not wanted or item["state"] == wanted)
        and (not tag or tag in (item.get("labels") or ()))
        and (not agent or agent in (item.get("agent"), item.get("directed_to")))
    ]


def text_and_result(context: Context, given: Given) -> tuple[str, str | None]:
    """What the task asks for, below its title, and what it left."""
    mission, key = given.mission.id, given.item.key
    issue = context.store.issues(mission, [key]).get(key)
    return issue.body if issue is not None else "", lookup.result(context.store, mission, key)


@dataclass(frozen=True)
class Overview:
    """How many tasks there are: by state, and by tag and by whom with the state; in the order of the states."""

    total: int
    states: dict[str, int]
    #: Those of the plan, and those given by hand; both are in ``states``.
    plan: dict[str, int]
    by_hand: dict[str, int]
    tags: dict[str, dict[str, int]]
    #: By agent; those that nobody has begun, and that are meant for nobody alone, by role.
    whose: dict[str, dict[str, int]]


def overview(context: Context) -> Overview:
    """The tasks in numbers, which are counted as they move: quick, however many there are."""
    plan = task_records.plan_mission(context.store)
    hands = dict.fromkeys(task_records.by_hand(context.store).values())
    missions = [*hands, *([plan] if plan is not None else [])]
    states: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    names: Counter[str] = Counter()
    for mission, found in lookup.tallies(context.store, missions).items():
        counts, tally = found or _counted(context, mission)
        states[mission == plan].update(counts)
        names.update(tally)
    by: dict[str, dict[str, Counter[str]]] = {attention.TAG: {}, attention.WHOSE: {}}
    for name, count in names.items():
        state, kind, what = name.split(" ", 2)
        by[kind].setdefault(what, Counter())[state] += count
    every = states[True] + states[False]
    return Overview(
        total=every.total(),
        states=_in_order(every),
        plan=_in_order(states[True]),
        by_hand=_in_order(states[False]),
        tags={tag: _in_order(found) for tag, found in sorted(by[attention.TAG].items())},
        whose={who: _in_order(found) for who, found in sorted(by[attention.WHOSE].items())},
    )


def _counted(context: Context, mission: str) -> tuple[dict[str, int], dict[str, int]]:
    """The same from the records: its indexes are of an older release."""
    items = [found.record for found in context.store.items(mission).values()]
    states = Counter(attention.counted(item.state) for item in items)
    return dict(states), dict(Counter(name for item in items for name in attention.tallied(item)))


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in _STATES if counts.get(name)}


def at_hand(context: Context, agent: str = "") -> list[dict[str, Any]]:
    """An entry for each agent that is at work, with stable keys; those that began first come first.

    Raises:
        NotFoundError: there is no agent of this name, nickname or label.
    """
    views = [agent_view(context, context.crew.find(agent))] if agent else agent_views(context)
    busy = sorted((view for view in views if view.item), key=lambda view: view.since or 0.0)
    return [_entry(context, view) for view in busy]


def _entry(context: Context, view: AgentView) -> dict[str, Any]:
    item = context.store.item(view.mission, view.item).record
    return {
        "agent": view.name,
        "label": view.label,
        "state": view.state,
        "task": item.typed,
        "key": item.key,
        "title": item.title,
        "tags": item.labels,
        "purpose": view.purpose,
        "attempt": item.fence,
        "since": view.since,
        "mission": view.mission,
    }
