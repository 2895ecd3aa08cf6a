"""Why items do not move, worked out when somebody looks: it follows from the other items, so it is not recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tinytown.missions import budget, mission_state, pauses, scheduler
from tinytown.missions.crew import Crew
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.spending import Allowance
from tinytown.missions.states import ItemState, Purpose


def explained(
    mission: Mission,
    items: Mapping[str, Item],
    known: Mapping[str, Item],
    crew: Crew,
    *,
    now: float,
    attempts: Iterable[Purpose] = (),
    allowance: Allowance | None = None,
) -> dict[str, Item]:
    """``items``, each with the reason for which it waits now.

    ``known`` has them and whatever the pending ones among them wait for; ``attempts`` are the mission's live ones.
    Counts in ``allowance`` what could begin.
    """
    running = list(attempts)
    flying = sum(1 for purpose in running if purpose.runs_agent)
    decisions = scheduler.admit(
        mission,
        items.values() if mission.state.active else (),
        live=len(running),
        crew=replace(crew, sent=dict(crew.sent), woken=set(crew.woken)),
        now=now,
        runs=budget.runs_left(mission, flying),
        allowance=allowance,
    )
    refused = {d.key: d for d in decisions if isinstance(d, scheduler.Refuse)}
    return {key: _explained(mission, item, known, refused.get(key), now=now) for key, item in items.items()}


def _explained(
    mission: Mission, item: Item, known: Mapping[str, Item], refused: scheduler.Refuse | None, *, now: float
) -> Item:
    since = item.waiting.since if item.waiting is not None else None
    if refused is not None:
        new = pauses.wait(item, refused.reason, now=now, remedy=refused.remedy, until=refused.until)
        began = since or item.ready_at or mission.created_at
    elif item.state is ItemState.PENDING:
        new = mission_state.explain_pending(item, known, now=now)
        dead = [known[e.on].settled_at or 0.0 for e in item.edges if e.on in known and known[e.on].state in _DEAD]
        began = max(dead, default=since or mission.created_at)
    else:
        new = mission_state.hold(item, mission, now=now)
        began = since or now
    if new is item or new.waiting is None or (item.waiting and item.waiting.reason is new.waiting.reason):
        return new
    return new.evolve(waiting=new.waiting.evolve(since=began))


_DEAD = (ItemState.FAILED, ItemState.CANCELLED)
