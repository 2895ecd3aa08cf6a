"""Update the state of a mission when something decides it: it completes, blocks or runs on, or a person is asked.

While anything is under way or could be sent, the mission runs; only otherwise are all its items read. This is done when
an event left nothing that could move, or an item that needs a person, and at every tick.
"""

from __future__ import annotations

import logging

from tinytown.engine.commit import commit
from tinytown.engine.conductor.escalate import ask
from tinytown.engine.conductor.notices import announce
from tinytown.engine.context import Context, event
from tinytown.errors import ConflictError, NotFoundError, TinytownError
from tinytown.missions import mission_state, scheduler
from tinytown.missions.crew import Crew
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, MissionState
from tinytown.state.agents import crew_of
from tinytown.state.change import Change
from tinytown.state.records import AdmissionView, Versioned

log = logging.getLogger(__name__)

#: Tries while others move the mission; after them the next tick is soon enough.
_TRIES = 10


def follow(context: Context, mission_id: str, *, still: bool, asks: bool) -> None:
    """What an event means for the mission as a whole, right after it was committed.

    ``still``: nothing of it is under way or could be sent. ``asks``: something needs a person that needed none before.
    The event itself is on record already, so if this fails the next tick does it again.
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
        # The version is read before the items: whatever is admitted or becomes due after that makes the commit fail.
        view = context.store.admission_view(mission_id, heads=1, with_costs=False)
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


def _is_moving(view: AdmissionView, crew: Crew) -> bool:
    """Whether something of the mission is under way, or will be by itself; told without reading all its items."""
    mission = view.mission.record
    if view.later or any(attempt.mission == mission.id for attempt in view.attempts):
        return True
    # Whoever could take the first of a line could take all of it.
    return any(not scheduler.nobody_takes(item.record, mission, crew) for item in view.due.values())


def _complete(
    context: Context, change: Change, old: Versioned[Mission], items: list[Item], *, now: float
) -> MissionState:
    new = old.record.evolve(state=MissionState.COMPLETED, finished_at=now, help=None)
    change.put_mission(old, new)
    change.release_issues(i for i in items if i.state is not ItemState.SKIPPED)
    change.event(event("mission_completed", at=now, mission=new.id))
    if new.tasks != "questions":
        announce(context, change, "mission_completed", new, at=now)
    return new.state
