"""Agents that have a message to answer before they take anything else, in whatever mission that is."""

from __future__ import annotations

from tinytown.engine.context import Context
from tinytown.errors import NotFoundError
from tinytown.missions import budget, gates
from tinytown.missions.records.item import Item
from tinytown.missions.states import Purpose
from tinytown.state.records import AdmissionView, MissionItems


def reserved(context: Context, view: AdmissionView) -> frozenset[str]:
    """Their names, but for those whose first message is in the view's own mission: there priorities say what goes next.

    Of an agent's messages in several missions one is the first, or each mission would wait for the others: an urgent
    one, else the oldest. A message that could not be sent now, in a mission that is paused say, reserves nobody.
    """
    own = view.mission.record.id
    letters = [entry.split(" ", 2) for entry in view.letters]
    elsewhere = {agent for agent, mission, _ in letters if mission != own}
    waiting: dict[str, dict[str, str]] = {}
    for agent, mission, key in letters:
        if agent in elsewhere:
            waiting.setdefault(mission, {})[key] = agent
    first: dict[str, tuple[tuple[float, float, str, str], str]] = {}
    for mission, agents in waiting.items():
        try:
            seen = context.store.mission_items(mission, list(agents))
        except NotFoundError:
            continue
        for key, agent in agents.items():
            if (item := _could_go(seen, key)) is not None:
                place = (-item.priority, item.ready_at or 0.0, mission, key)
                first[agent] = min(first.get(agent, (place, mission)), (place, mission))
    return frozenset(agent for agent, (_, mission) in first.items() if mission != own)


def _could_go(seen: MissionItems, key: str) -> Item | None:
    """The item, if its agent could be sent it now; what others do to it, a review say, keeps its agent from nothing."""
    head = seen.mission.record
    if key not in seen.items or not head.state.active or budget.runs_left(head, 0) == 0:
        return None
    item = seen.items[key].record
    if item.not_before is not None and item.not_before > seen.now:
        return None
    step = gates.next_step(item, head.policy)
    return item if isinstance(step, gates.Run) and step.purpose in (Purpose.WORK, Purpose.FIX) else None
