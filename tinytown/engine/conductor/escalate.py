"""Ask the conductor for help where a mission needs a person; the rules are in ``missions.escalation``."""

from __future__ import annotations

import contextlib
import logging

from tinytown.engine.commit import commit
from tinytown.engine.conductor.notices import announce
from tinytown.engine.conductor.questions import ANSWER, answer_to
from tinytown.engine.context import Context, event
from tinytown.errors import ConflictError, NotFoundError, TinytownError, UnreachableError
from tinytown.missions import escalation, gates, scheduler
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import MissionState
from tinytown.state.agents import crew_of
from tinytown.state.change import Change, told_conductor
from tinytown.state.records import DamagedRecordError

log = logging.getLogger(__name__)

#: Looks at a mission that others move meanwhile; after them the tick is soon enough.
_TRIES = 10


def escalate_all(context: Context) -> None:
    """Every mission that has not ended."""
    for mission_id in context.store.mission_ids(live=True):
        try:
            escalate(context, mission_id)
        except UnreachableError:
            raise
        except (NotFoundError, ConflictError):
            continue
        except TinytownError as error:
            log.error("mission %s: %s", mission_id, error)


def escalate(context: Context, mission_id: str) -> bool:
    """One mission; gives whether help was asked now.

    Raises:
        NotFoundError: there is no such mission.
        ConflictError: others move it all the time.
    """
    return commit(context, lambda change: _escalate(context, mission_id, change), tries=_TRIES)


def _escalate(context: Context, mission_id: str, change: Change) -> bool:
    head = context.store.mission(mission_id)
    mission = head.record
    now = context.store.now()
    try:
        found = _reasons(context, mission)
    except DamagedRecordError as error:
        found = (str(error),)
    standing, loud = escalation.next_help(mission.help, found, now=now)
    if standing is mission.help or standing == mission.help:
        return False
    change.put_mission(head, mission.evolve(help=standing))
    if loud and standing is not None:
        change.event(
            event("help_asked", at=now, mission=mission_id, reasons=list(standing.reasons), asked=standing.asked)
        )
        text = help_text(mission, standing.reasons)
        urgent = standing.asked > 1
        # Said by the first cry for it: it comes with the pause that the budget made.
        broke = mission.state is MissionState.PAUSED and standing.asked == 1
        news = mission.evolve(help=standing)
        announce(context, change, "budget_reached" if broke else "help_asked", news, at=now)
        change.message(told_conductor(text, at=now, mission=mission_id, kind="query", urgent=urgent))
    return loud


def ask(context: Context, mission_id: str) -> None:
    """``escalate`` right after the event that calls for it; where it cannot be done, the tick does it."""
    with contextlib.suppress(NotFoundError, ConflictError):
        escalate(context, mission_id)


def _reasons(context: Context, mission: Mission) -> tuple[str, ...]:
    crew = crew_of(context.store.admission_view(mission.id), context.fallbacks)
    items = [v.record for v in context.store.items(mission.id).values()]
    nobody = [i.key for i in items if _nobody_can_take(i, mission, crew)]
    return escalation.reasons(mission, items, nobody=nobody)


def _nobody_can_take(item: Item, mission: Mission, crew: scheduler.Crew) -> bool:
    if not mission.state.active:
        return False
    step = gates.next_step(item, mission.policy)
    return isinstance(step, gates.Run) and scheduler.find_place(item, step.purpose, crew).nobody


def help_text(mission: Mission, reasons: tuple[str, ...]) -> str:
    """The query: what is wrong, and how to answer."""
    lines = [f"Mission {mission.short} needs help:", *(f"- {r}" for r in reasons)]
    lines.append(f"{ANSWER}`{answer_to(mission, reasons)}`.")
    return "\n".join(lines)
