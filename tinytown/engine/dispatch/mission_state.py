"""Say how a mission stands, with the event that decides it: complete, blocked, running, and whether a person is asked.

Where something is under way or could be sent, that tells it; only where nothing is, the whole mission is read. It is
done where an event left nothing that could move, or an item that needs a person; the tick does it in any case.
"""

from __future__ import annotations

import logging

from tinytown.engine.commit import commit
from tinytown.engine.conductor.escalate import ask
from tinytown.engine.conductor.notices import announce
from tinytown.engine.context import Context, event
from tinytown.errors import ConflictError, NotFoundError, TinytownError
from tinytown.missions import mission_state, scheduler
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, MissionState
from tinytown.state.agents import crew_of
from tinytown.state.change import Change
from tinytown.state.records import AdmissionView, Versioned

log = logging.getLogger(__name__)

#: Looks at a mission that others move meanwhile; after them the tick is soon enough.
_TRIES = 10


def follow(context: Context, mission_id: str, *, still: bool, asks: bool) -> None:
    """What an event means for the mission as a whole, right after it was committed.

    ``still``: nothing of it is under way or could be sent. ``asks``: something needs a person that needed none before.
    It stands on record already, so what fails here is repeated by the tick.
    """
    try:
        before = update_state(context, mission_id) if still else None
        if asks and before is not MissionState.BLOCKED:
            ask(context, mission_id)
    except NotFoundError:
        return
    except TinytownError as error:
        log.warning("mission %s: %s", mission_id, error)


def update_state(context: Context, mission_id: str) -> MissionState:
    """Complete the mission, or say whether it runs or is blocked; a blocked one asks for help at once."""
    state = _decided(context, mission_id)
    if state is MissionState.BLOCKED:
        ask(context, mission_id)
    return state


def _decided(context: Context, mission_id: str) -> MissionState:
    def decide(change: Change) -> MissionState:
        # The version comes first: whatever is admitted or becomes due after this look refuses the commit.
        view = context.store.admission_view(mission_id, heads=1)
        head, now = view.mission.record, view.now
        if not head.state.active:
            return head.state
        crew = crew_of(view, context.fallbacks)
        if _is_moving(view, crew):
            state = MissionState.RUNNING
        else:
            items = [v.record for v in context.store.items(mission_id).values()]
            if mission_state.finished(head, items):
                return _complete(context, change, view.mission, items, now=now)
            nobody = [item.key for item in items if scheduler.nobody_takes(item, head, crew)]
            state = mission_state.running_or_blocked(head, items, nobody=nobody, now=now)
        if state is not head.state:
            change.put_mission(view.mission, head.evolve(state=state))
            change.event(event(f"mission_{state.value}", at=now, mission=mission_id))
            change.admissions(view.version)
        return state

    try:
        return commit(context, decide, tries=_TRIES)
    except ConflictError:
        return context.store.mission(mission_id).record.state


def _is_moving(view: AdmissionView, crew: scheduler.Crew) -> bool:
    """Something of the mission is under way, or will be by itself: no other item has to be read to know that."""
    mission = view.mission.record
    if view.later or any(attempt.mission == mission.id for attempt in view.attempts):
        return True
    # Who could take the first of a line could take all of it.
    return any(not scheduler.nobody_takes(item.record, mission, crew) for item in view.due.values())


def _complete(
    context: Context, change: Change, old: Versioned[Mission], items: list[Item], *, now: float
) -> MissionState:
    new = old.record.evolve(state=MissionState.COMPLETED, finished_at=now, help=None)
    change.put_mission(old, new)
    change.release_issues(i for i in items if i.state is not ItemState.SKIPPED)
    change.event(event("mission_completed", at=now, mission=new.id))
    announce(context, change, "mission_completed", new, at=now)
    return new.state


def finish(context: Context, mission_id: str) -> None:
    """Every end of the graph seems settled: complete the mission, if that is so."""
    try:
        update_state(context, mission_id)
    except NotFoundError:
        return
