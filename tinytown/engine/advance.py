"""Move a mission as far as it goes now: publish, settle, admit. Called whenever anything happened.

Two processes may advance the same mission at once: every commit names the versions it was decided from, and
the town's admission counter, so one of them is refused and looks again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from tinytown.engine.context import Context, event
from tinytown.errors import ConflictError, NotFoundError, StateError, TinytownError, UnreachableError
from tinytown.forge.contract import Change as ForgeChange
from tinytown.missions import budget, gates, lifecycle, scheduler, standing
from tinytown.missions.model import Item, Mission, MissionState, Outcome, Purpose, WaitReason
from tinytown.state.crew import crew_of
from tinytown.state.store import AdmissionView, Change, Versioned

log = logging.getLogger(__name__)

#: Rounds of reading again after somebody else was quicker.
_TRIES = 50


@dataclass
class _Round:
    """What one commit will do, and what is sent after it."""

    change: Change
    admitted: list[Item] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    nobody: list[str] = field(default_factory=list)
    #: Something waits for a worker that is busy or not there.
    starved: bool = False


def advance(context: Context, mission: str) -> list[str]:
    """Do all that can be done for ``mission`` now; gives the keys of due items that nobody alive can take."""
    for _ in range(_TRIES):
        try:
            view = context.store.admission_view(mission)
        except NotFoundError:
            return []
        if not view.mission.record.state.active or not view.due:
            return []
        try:
            unpublished = [i for i in view.due.values() if _publish_due(i.record, view)]
            if unpublished:
                for item in unpublished:
                    publish(context, view.mission.record, item)
                continue
            done = _decide(context, view)
            done.change.commit()
        except ConflictError:
            continue
        for admitted in done.admitted:
            assert admitted.attempt is not None
            context.send_attempt(mission, admitted.key, admitted.attempt)
        if done.settled:
            context.send_settled(mission, done.settled)
            continue  # What settled by its approval may be merged now.
        return done.nobody
    context.send_advance(mission)
    return []


def _publish_due(item: Item, view: AdmissionView) -> bool:
    pause = item.not_before is not None and item.not_before > view.now
    return not pause and isinstance(gates.next_step(item, view.policy), gates.Publish)


def _decide(context: Context, view: AdmissionView) -> _Round:
    mission = view.mission.record
    done = _Round(context.store.change())
    for item in view.due.values():
        if isinstance(gates.next_step(item.record, view.policy), gates.Settle):
            settle_into(done.change, mission, item, now=view.now)
            done.settled.append(item.record.key)
    mine = [a for a in view.attempts if a.mission == mission.id]
    due = [i.record for i in view.due.values()]
    flying = sum(1 for a in mine if a.purpose != Purpose.CHECK)
    runs = budget.runs_left(mission, flying)
    decisions = scheduler.admit(mission, due, live=len(mine), crew=crew_of(view), now=view.now, runs=runs)
    head: Mission = mission
    broke = False
    for decision in decisions:
        if isinstance(decision, scheduler.Refuse):
            broke = broke or decision.reason is WaitReason.BUDGET
            _refuse(done, view, decision)
        else:
            _admit(done, view, decision)
    if broke and not (mine or done.admitted or done.settled):
        # Nothing is left whose end could leave room.
        head = mission.evolve(state=MissionState.PAUSED, reason=budget.remedy(mission))
        done.change.event(event("mission_paused", at=view.now, mission=mission.id, reason=head.reason))
    if done.admitted:
        done.change.admissions(view.version)
        if head.state is MissionState.BLOCKED:
            head = mission.evolve(state=MissionState.RUNNING, help=None)
            done.change.event(event("mission_running", at=view.now, mission=mission.id))
    if head is not mission:
        done.change.put_mission(view.mission, head)
    elif done.change.draft:
        done.change.expect_mission(view.mission)
    if done.starved != view.wanting:
        done.change.wanting(mission.id, done.starved)
    return done


def _refuse(done: _Round, view: AdmissionView, decision: scheduler.Refuse) -> None:
    """The item stays, and says why."""
    old = view.due[decision.key]
    done.starved = done.starved or decision.reason not in (WaitReason.SLOTS, WaitReason.BUDGET)
    if decision.nobody:
        done.nobody.append(decision.key)
    new = lifecycle.wait(old.record, decision.reason, now=view.now, remedy=decision.remedy)
    done.change.put_item(view.mission.record, old, new)


def _admit(done: _Round, view: AdmissionView, decision: scheduler.Admit) -> None:
    """The item gets an attempt."""
    mission, old = view.mission.record, view.due[decision.key]
    new = lifecycle.send(
        old.record,
        mission=mission.id,
        purpose=decision.purpose,
        queue=decision.queue,
        role=decision.role,
        agent=decision.agent,
        target=decision.target,
        now=view.now,
    )
    if new is None:
        return
    done.admitted.append(new)
    done.change.put_item(mission, old, new)
    done.change.event(
        event(
            "attempt_sent",
            at=view.now,
            mission=mission.id,
            item=new.key,
            purpose=decision.purpose.value,
            queue=decision.queue,
            number=new.fence,
        )
    )


def settle_into(change: Change, mission: Mission, item: Versioned[Item], *, now: float) -> Item | None:
    """Add the settling of an item to a change."""
    new = lifecycle.settle(item.record, now=now)
    if new is not None:
        change.put_item(mission, item, new)
        change.event(event("item_done", at=now, mission=mission.id, item=new.key, agent=new.agent or ""))
    return new


def publish(context: Context, mission: Mission, item: Versioned[Item]) -> None:
    """Bring an item's head to the forge and record it; a refusal asks for help."""
    record = item.record
    assert record.head is not None
    now = context.store.now()
    backoff = context.town.settings.timing.backoff_secs
    try:
        name = context.forge.publish(repo_of(record, mission), forge_change(record, mission))
        new = record.evolve(published=record.head, change=name, waiting=None, faults=0)
        kind, words = "change_published", name
    except (StateError, NotFoundError) as error:
        new = lifecycle.wait(record, WaitReason.NEEDS_HELP, now=now, remedy=str(error))
        kind, words = "publish_refused", str(error)
    except TinytownError as error:
        new = lifecycle.fault(record, Outcome.UNREACHABLE, str(error), backoff=backoff, now=now)
        kind, words = "publish_failed", str(error)
    change = context.store.change()
    change.put_item(mission, item, standing.hold(new, mission, now=now))
    change.event(event(kind, at=now, mission=mission.id, item=record.key, text=words))
    change.commit()


def repo_of(item: Item, mission: Mission) -> str:
    """The repository that an item's key names."""
    return item.key.rpartition("#")[0] if "#" in item.key else mission.repo


def forge_change(item: Item, mission: Mission) -> ForgeChange:
    """An item's change in the forge's words."""
    assert item.head is not None
    return ForgeChange(
        key=item.key,
        branch=item.branch,
        base=mission.base,
        head=item.head,
        title=item.title,
        body=f"Mission {mission.id}",
    )


def advance_all(context: Context, missions: Sequence[str]) -> None:
    """Advance several missions, e.g. those that waited for a worker; one that cannot be read stops no other."""
    for mission in missions:
        try:
            advance(context, mission)
        except UnreachableError:
            raise
        except TinytownError as error:
            log.error("mission %s: %s", mission, error)
