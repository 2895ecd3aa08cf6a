"""Ask the conductor for help where a mission needs a person; the rules are in ``missions.escalation``."""

from __future__ import annotations

import contextlib
import logging

from tinytown import keys
from tinytown.engine.allowance import allowance_of, caps_of
from tinytown.engine.commit import commit
from tinytown.engine.conductor.notices import announce
from tinytown.engine.conductor.questions import ANSWER, answer_to
from tinytown.engine.context import Context, event
from tinytown.errors import ConflictError, NotFoundError, TinytownError, UnreachableError
from tinytown.missions import escalation, explaining, scheduler
from tinytown.missions.messages import told_conductor
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import MissionState
from tinytown.state import lookup
from tinytown.state.agents import crew_of
from tinytown.state.change import Change
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
    """One mission; returns whether help was asked for now.

    Raises:
        NotFoundError: there is no such mission.
        ConflictError: others move it all the time.
    """
    return _commit(context, mission_id, thorough=True)


def _commit(context: Context, mission_id: str, *, thorough: bool) -> bool:
    before: list[object] = []

    def decide(change: Change) -> bool:
        loud = _escalate(context, mission_id, change, thorough=thorough)
        before[:] = [bool(change)]
        return loud

    loud = commit(context, decide, tries=_TRIES)
    if any(before):
        # What is asked has changed.
        context.send_questions()
    return loud


def _escalate(context: Context, mission_id: str, change: Change, *, thorough: bool) -> bool:
    head = context.store.mission(mission_id)
    mission = head.record
    now = context.store.now()
    try:
        if thorough:
            # A record that cannot be read is in no index; each tick meets those of another page.
            context.store.some_items(mission_id, lookup.page(context.store, mission_id, context.turn(now)))
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
        # Told once, with the first request for help after the budget paused the mission.
        broke = mission.state is MissionState.PAUSED and standing.asked == 1
        news = mission.evolve(help=standing)
        announce(context, change, "budget_reached" if broke else "help_asked", news, at=now)
        change.message(told_conductor(text, at=now, mission=mission_id, kind="query", urgent=urgent))
    return loud


def ask(context: Context, mission_id: str) -> None:
    """``escalate`` right after the event that calls for it; where it cannot be done, the tick does it."""
    with contextlib.suppress(NotFoundError, ConflictError):
        _commit(context, mission_id, thorough=False)


def _reasons(context: Context, mission: Mission) -> tuple[str, ...]:
    """Told from what a person may be asked about, and from the heads of the lines that nobody alive serves."""
    store = context.store
    view = store.admission_view(mission.id, heads=escalation.MOST + 1)
    if not view.indexed:
        items = {key: item.record for key, item in store.items(mission.id).items()}
    else:
        items = {key: item.record for key, item in lookup.notable(store, mission.id).items()}
        items |= {key: item.record for key, item in view.due.items()}
        items = {key: items[key] for key in lookup.in_order(store, mission.id, items)}
    crew = crew_of(view, context.fallbacks)
    nobody = [
        key
        for key, item in items.items()
        if scheduler.nobody_takes(item, mission, crew) or scheduler.no_room(item, mission, crew)
    ]
    items = explaining.explained(
        mission,
        items,
        lookup.with_awaited(store, mission.id, items),
        crew,
        now=view.now,
        allowance=allowance_of(caps_of(context.town.settings), view),
    )
    names = keys.names(store.order(mission.id))
    return escalation.reasons(mission, items.values(), nobody=nobody, names=names)


def help_text(mission: Mission, reasons: tuple[str, ...]) -> str:
    """The query: what is wrong, and how to answer."""
    lines = [f"Mission {mission.short} needs help:", *(f"- {r}" for r in reasons)]
    lines.append(f"{ANSWER}`{answer_to(mission, reasons)}`.")
    return "\n".join(lines)
