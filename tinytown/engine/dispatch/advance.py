"""Move a mission as far as it goes now: publish, settle, admit. Called whenever anything happened.

Two processes may advance the same mission at once: every commit names the versions it was decided from, and
the town's admission counter, so one of them is refused and looks again.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinytown.engine import hubs
from tinytown.engine.allowance import caps_of
from tinytown.engine.changes import forge_change, repo_of
from tinytown.engine.commit import commit
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch import claiming
from tinytown.engine.dispatch.admission import Decision, decide, publish_due
from tinytown.engine.dispatch.claiming import Claim, Taker
from tinytown.engine.dispatch.mission_state import follow
from tinytown.engine.dispatch.reserved import reserved
from tinytown.errors import ConflictError, HubAwayError, NotFoundError, StateError, TinytownError, UnreachableError
from tinytown.missions import escalation, mission_state, pauses
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import Outcome, WaitReason
from tinytown.state.change import Change
from tinytown.state.records import AdmissionView, Versioned
from tinytown.state.store import HEADS

log = logging.getLogger(__name__)

#: Commits in a row, each of which leaves something for the next one; after them another process goes on.
_ROUNDS = 50
#: Most entries of a line that an admission reads: usage limits may hold up one item and not the next.
_MOST_HEADS = 2048


@dataclass
class Moved:
    """What became of a mission that was moved."""

    #: Nothing of it is under way or could be sent.
    still: bool = False
    #: Something needs a person that needed none before.
    asks: bool = False
    #: The attempt that whoever moved it has taken.
    taken: Claim | None = None


def advance(context: Context, mission: str, *, taker: Taker | None = None) -> Claim | None:
    """Do all that can be done for ``mission`` now, and say at once if that leaves it blocked.

    If an attempt is admitted that ``taker`` serves, it is taken and not sent.
    """
    moved = move(context, mission, taker=taker)
    follow(context, mission, still=moved.still, asks=moved.asks)
    return moved.taken


def move(context: Context, mission: str, *, taker: Taker | None = None) -> Moved:
    """Publish, settle and admit what can be now; the caller updates the state of the mission as a whole."""
    moved = Moved()

    heads = HEADS
    took: Claim | None = None

    def decide_once(change: Change) -> Decision | None:
        nonlocal took
        took = None
        if (view := _ready_view(context, mission, heads, moved)) is None:
            return None
        decision = Decision(change, view, context.fallbacks, reserved(context, view), caps_of(context.town.settings))
        decide(decision)
        if taker is not None and moved.taken is None:
            took = claiming.take_next(context, decision, taker)
        decision.write(context)
        return decision

    for _ in range(_ROUNDS):
        try:
            decision = commit(context, decide_once)
        except NotFoundError:
            return moved
        except ConflictError:
            break
        if decision is None:
            return moved
        if took is not None:
            moved.taken = claiming.with_brief(context, took, decision.change.answers)
        decision.send(context)
        if decision.settled:
            context.send_settled(mission, decision.settled)
        moved.asks |= decision.asks
        if decision.short:
            heads *= 4
        if not decision.unfinished or heads > _MOST_HEADS:
            moved.still = decision.still
            return moved
    context.send_advance(mission)
    return moved


def _ready_view(context: Context, mission: str, heads: int, moved: Moved) -> AdmissionView | None:
    """What is decided from, once all is done that must come before; ``None``: the mission does not run."""
    costs = caps_of(context.town.settings).any
    while (view := context.store.admission_view(mission, heads=heads, with_costs=costs)).mission.record.state.active:
        if not (unready := _unready(context, view)):
            return view
        if not context.town.home and any(publish_due(item.record, view) for item in view.due.values()):
            # Only home can publish; it decides then.
            context.send_advance(mission)
            return None
        for step in unready:
            moved.asks |= step()
    return None


def _unready(context: Context, view: AdmissionView) -> list[Callable[[], bool]]:
    """What has to be done before anything is admitted; each step gives whether a person has to be asked."""
    mission = view.mission.record
    if not view.indexed:
        return [lambda: rebuild(context, mission.id)]
    if view.ripe:
        return [lambda: _ripen(context, view)]
    unpublished = [item for item in view.due.values() if publish_due(item.record, view)]
    return [functools.partial(publish, context, mission, item) for item in unpublished]


def _ripen(context: Context, view: AdmissionView) -> bool:
    """Put the items whose time has come into their lines."""
    mission = view.mission.record
    change = context.store.change()
    items = context.store.some_items(mission.id, view.ripe)
    for item in items.values():
        change.ripen(mission, item)
    change.commit()
    return False


def rebuild(context: Context, mission_id: str) -> bool:
    """Make the indexes of a mission of an older release anew, from its records."""

    def decide(change: Change) -> None:
        change.rebuild(context.store.mission(mission_id).record, context.store.items(mission_id).values())

    commit(context, decide)
    return False


def publish(context: Context, mission: Mission, item: Versioned[Item]) -> bool:
    """Bring an item's head to the forge and record it; gives whether that was refused, so that a person is asked."""
    record = item.record
    assert record.head is not None
    now = context.store.now()
    backoff = context.town.settings.timing.backoff_secs
    try:
        hubs.bring_here(context, repo_of(record, mission), record.head)
        published = context.forge.publish(repo_of(record, mission), forge_change(record, mission))
        new = record.evolve(
            published=record.head,
            change=published.name,
            change_id=published.id,
            change_url=published.url,
            waiting=None,
            faults=0,
            not_before=None,
        )
        kind, words = "change_published", published.name
    except (StateError, NotFoundError) as error:
        new = pauses.wait(record, WaitReason.NEEDS_HELP, now=now, remedy=str(error))
        kind, words = "publish_refused", str(error)
    except HubAwayError as error:
        new = pauses.forge_away(record, str(error), now=now, retry_at=None)
        kind, words = "publish_failed", str(error)
    except TinytownError as error:
        new = pauses.fault(record, Outcome.UNREACHABLE, str(error), backoff=backoff, now=now)
        kind, words = "publish_failed", str(error)
    new = mission_state.hold(new, mission, now=now)
    change = context.store.change()
    change.put_item(mission, item, new)
    change.event(event(kind, at=now, mission=mission.id, item=record.key, text=words))
    change.commit()
    return escalation.newly_asks(record, new, mission)


def advance_all(context: Context, missions: Sequence[str]) -> None:
    """Advance several missions, e.g. those that waited for a worker; one that cannot be read stops no other."""
    for mission in missions:
        try:
            advance(context, mission)
        except UnreachableError:
            raise
        except TinytownError as error:
            log.error("mission %s: %s", mission, error)
