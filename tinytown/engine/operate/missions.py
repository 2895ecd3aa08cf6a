"""What people do to a mission as a whole: pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Callable

from tinytown.engine.commit import commit
from tinytown.engine.conductor.notices import announce
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.attempt_records import keep_interrupted
from tinytown.engine.dispatch.reconcile import reconcile, withdraw
from tinytown.errors import StateError
from tinytown.missions import budget, lifecycle, seen_outside
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, MissionState
from tinytown.state import lookup
from tinytown.state.change import Change


def pause(context: Context, mission_id: str, *, why: str = "") -> Mission:
    """Freeze a mission: running attempts finish and are collected, nothing starts, nothing is published or merged.

    Raises:
        StateError: it has ended.
    """

    def change_head(head: Mission) -> Mission:
        refuse_ended(head, "paused")
        return head.evolve(state=MissionState.PAUSED, reason=why)

    new = put_head(context, mission_id, change_head, "mission_paused", reason=why)
    live = [a.item for a in context.store.live_attempts() if a.mission == mission_id]
    for item in context.store.some_items(mission_id, live).values():
        withdraw(context, new, item, now=context.store.now())
    return new


def resume(
    context: Context,
    mission_id: str,
    *,
    why: str = "",
    budget_usd: float | None = None,
    budget_tokens: int | None = None,
) -> Mission:
    """Go on. Nothing that was refused becomes accepted: every gate is asked as before, and a remote forge anew.

    Raises:
        StateError: it has ended, or its budget is still used up.
    """

    def change_head(head: Mission) -> Mission:
        refuse_ended(head, "resumed")
        policy = head.policy
        if budget_usd is not None:
            policy = policy.evolve(budget_usd=budget_usd)
        if budget_tokens is not None:
            policy = policy.evolve(budget_tokens=budget_tokens)
        if spent := budget.used_up(head.evolve(policy=policy)):
            raise StateError(
                f"mission {head.short} has spent {spent.replace(' of ', ' of its ')}",
                remedy=f"run `{budget.command(head.evolve(policy=policy))}`",
            )
        return head.evolve(state=MissionState.RUNNING, reason="", policy=policy, help=None)

    def put_unread(change: Change, new: Mission) -> None:
        for item in lookup.notable(context.store, mission_id).values():
            change.put_item(new, item, seen_outside.unread(item.record, new.policy))

    new = put_head(context, mission_id, change_head, "mission_resumed", besides=put_unread, reason=why)
    reconcile(context, mission_id)
    return new


def cancel(context: Context, mission_id: str) -> Mission:
    """End a mission for good, its running attempts too; their work is salvaged by their workers.

    Raises:
        StateError: it has ended already.
    """

    def end(change: Change) -> tuple[Mission, list[str]]:
        mission = context.store.mission(mission_id)
        refuse_ended(mission.record, "cancelled")
        items = context.store.items(mission_id)
        now = context.store.now()
        running = [v.record.attempt.id for v in items.values() if v.record.attempt is not None]
        for item in items.values():
            # A settled item stays so, but its merge is ended.
            new = lifecycle.cancel(item.record, now=now) or lifecycle.take_back(item.record)
            keep_interrupted(change, mission.record, item.record, why="the mission was cancelled", now=now)
            change.put_item(mission.record, item, new)
        head = mission.record.evolve(state=MissionState.CANCELLED, finished_at=now, help=None)
        change.put_mission(mission, head)
        change.release_issues(v.record for v in items.values() if v.record.state is not ItemState.SKIPPED)
        change.event(event("mission_cancelled", at=now, mission=mission_id))
        announce(context, change, "mission_cancelled", head, at=now)
        return head, running

    head, running = commit(context, end)
    context.end_attempts(running)
    return head


#: What is done instead where a mission has ended, by what its work is.
_ANEW = {
    "": "start a new one with `tt mission start`",
    "hand": 'give a new task: `tt assign AGENT "..."`',
    "plan": 'write `status = "pending"` for tasks in tasks.toml, then run `tt sync push` and `tt conductor`',
}


def refuse_ended(head: Mission, verb: str) -> None:
    if head.state.ended:
        said = f"mission {head.short} is {head.state.value} and cannot be {verb}"
        raise StateError(said, remedy=_ANEW.get(head.tasks, "see `tt inbox`"))


def put_head(
    context: Context,
    mission_id: str,
    change_head: Callable[[Mission], Mission],
    kind: str,
    *,
    besides: Callable[[Change, Mission], None] | None = None,
    **data: str,
) -> Mission:
    """Change a mission's head, and in the same commit what goes along with it (``besides``)."""

    def decide(change: Change) -> Mission:
        old = context.store.mission(mission_id)
        new = change_head(old.record)
        if new is not old.record:
            change.put_mission(old, new)
            if besides is not None:
                besides(change, new)
            change.event(event(kind, at=context.store.now(), mission=mission_id, **data))
        return new

    return commit(context, decide)
