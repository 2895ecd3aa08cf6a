"""The state of a mission as a whole, which follows from its items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tinytown import keys
from tinytown.missions import gates
from tinytown.missions.pauses import wait
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, MissionState, WaitReason


def finished(mission: Mission, items: Iterable[Item]) -> bool:
    """Whether every item is settled, and every merge that was due is done."""
    return all(i.state.settled and not gates.merge_due(i, mission.policy) for i in items)


def startable(item: Item, items: Mapping[str, Item]) -> bool:
    """Whether the item is pending and all its dependencies, inside and outside the mission, have settled."""
    if item.state is not ItemState.PENDING or item.blockers:
        return False
    # A dependency that cannot be read has not settled.
    return all(e.on in items and items[e.on].state.settled for e in item.edges)


def released_by(item: Item, items: Mapping[str, Item]) -> str:
    """Key of the dependency inside the mission that settled last; empty if there is none."""
    settled = [(items[e.on].settled_at or 0.0, e.on) for e in item.edges if e.on in items]
    return max(settled, default=(0.0, ""))[1]


def explain_pending(item: Item, items: Mapping[str, Item], *, now: float) -> Item:
    """A pending item with the reason why it waits; any other item as it is."""
    if item.state is not ItemState.PENDING:
        return item
    open_edges = [items[e.on] for e in item.edges if e.on in items and not items[e.on].state.settled]
    called = keys.names([item.key, *(d.key for d in open_edges)])
    dead = [d for d in open_edges if d.state in (ItemState.FAILED, ItemState.CANCELLED)]
    if dead:
        named = called[dead[0].key].removeprefix("#")
        command = f"tt mission retry {keys.mission_of_branch(item.branch)} {named}"
        if keys.is_task(dead[0].key):
            command = f"tt task retry {named}"
        return wait(
            item,
            WaitReason.DEPENDENCY_FAILED,
            now=now,
            remedy=f"retry {', '.join(called[d.key] for d in dead)}: `{command}`",
        )
    if open_edges:
        after = ", ".join(called[d.key] for d in open_edges)
        return wait(item, WaitReason.DEPENDENCIES, now=now, remedy=f"after {after}")
    if item.blockers:
        how = ': `state = "completed"` in its file' if item.blockers[0].startswith("local/") else ""
        remedy = f"close {', '.join(item.blockers)} as completed{how}"
        return wait(item, WaitReason.EXTERNAL_BLOCKER, now=now, remedy=remedy)
    return item


def running_or_blocked(mission: Mission, items: Iterable[Item], *, nobody: Iterable[str], now: float) -> MissionState:
    """``running`` or ``blocked`` for an active mission; any other state stays.

    Blocked: no attempt is live or could be sent, nothing is due at a known time, and something waits for a
    person, a worker or an outside issue.
    """
    if not mission.state.active:
        return mission.state
    orphans = set(nobody)
    waits = False
    records = {item.key: item for item in items}
    for item in records.values():
        if item.attempt is not None:
            return MissionState.RUNNING
        if item.state.settled and not gates.merge_due(item, mission.policy):
            continue
        if item.key in orphans:
            waits = True
        elif item.not_before is not None and item.not_before > now and not _asks(item):
            return MissionState.RUNNING
        elif gates.wants_attempt(item, mission.policy) or isinstance(gates.next_step(item, mission.policy), gates.Hold):
            return MissionState.RUNNING  # A held change is looked at again and again.
        elif item.state is not ItemState.PENDING or item.blockers:
            waits = True
        elif startable(item, records):
            return MissionState.RUNNING  # Its message is under way.
    return MissionState.BLOCKED if waits else MissionState.RUNNING


def _asks(item: Item) -> bool:
    return item.waiting is not None and item.waiting.reason is WaitReason.NEEDS_HELP


def hold(item: Item, mission: Mission, *, now: float) -> Item:
    """The item with the reason for which its next gate waits, if that is for somebody outside."""
    step = gates.next_step(item, mission.policy)
    if isinstance(step, gates.Hold):
        return wait(item, step.reason, now=now, remedy=step.remedy)
    return item


def waited_for(item: Item) -> list[str]:
    """The keys of the items that an item waits for, or has waited for, in their order."""
    return sorted((edge.on for edge in item.edges), key=keys.order)
