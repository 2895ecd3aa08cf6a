"""Say how a mission stands, with the event that decides it: complete, blocked, running, and whether a person is asked.

Telling that takes a read of the whole mission, so it is done where an event left nothing that could move, or an item
that needs a person; the tick does it in any case.
"""

from __future__ import annotations

import logging

from tinytown.engine.commit import commit
from tinytown.engine.conductor.escalate import ask
from tinytown.engine.conductor.notices import announce
from tinytown.engine.context import Context, event
from tinytown.errors import ConflictError, NotFoundError, TinytownError
from tinytown.missions import mission_state
from tinytown.missions.states import ItemState, MissionState
from tinytown.state.change import Change

log = logging.getLogger(__name__)

#: Looks at a mission that others move meanwhile; after them the tick is soon enough.
_TRIES = 10


def follow(context: Context, mission_id: str, *, still: bool, asks: bool, nobody: list[str]) -> None:
    """What an event means for the mission as a whole, right after it was committed.

    ``still``: nothing of it is under way or could be sent. ``asks``: something needs a person that needed none before.
    It stands on record already, so what fails here is repeated by the tick.
    """
    try:
        before = stand(context, mission_id, nobody=nobody) if still else None
        if asks and before is not MissionState.BLOCKED:
            ask(context, mission_id)
    except NotFoundError:
        return
    except TinytownError as error:
        log.warning("mission %s: %s", mission_id, error)


def stand(context: Context, mission_id: str, *, nobody: list[str]) -> MissionState:
    """Complete the mission, or say whether it runs or is blocked; a blocked one asks for help at once."""
    state = _decided(context, mission_id, nobody=nobody)
    if state is MissionState.BLOCKED:
        ask(context, mission_id)
    return state


def _decided(context: Context, mission_id: str, *, nobody: list[str]) -> MissionState:

    def decide(change: Change) -> MissionState:
        # The version comes first: whatever is admitted or becomes due after this look refuses the commit.
        view = context.store.admission_view(mission_id)
        head, now = view.mission.record, view.now
        if not head.state.active:
            return head.state
        items = [v.record for v in context.store.items(mission_id).values()]
        if mission_state.finished(head, items):
            new = head.evolve(state=MissionState.COMPLETED, finished_at=now, help=None)
            change.put_mission(view.mission, new)
            change.release_issues(i for i in items if i.state is not ItemState.SKIPPED)
            change.event(event("mission_completed", at=now, mission=mission_id))
            announce(context, change, "mission_completed", new, at=now)
        else:
            state = mission_state.standing(head, items, nobody=nobody, now=now)
            if state is head.state:
                return state
            new = head.evolve(state=state)
            change.put_mission(view.mission, new)
            change.event(event(f"mission_{state.value}", at=now, mission=mission_id))
            change.admissions(view.version)
        return new.state

    try:
        return commit(context, decide, tries=_TRIES)
    except ConflictError:
        return context.store.mission(mission_id).record.state


def finish(context: Context, mission_id: str) -> None:
    """Every end of the graph seems settled: complete the mission, if that is so."""
    try:
        stand(context, mission_id, nobody=[])
    except NotFoundError:
        return
