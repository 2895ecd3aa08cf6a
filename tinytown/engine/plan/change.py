"""Bring a changed plan into the mission that does it, in one commit: added, changed and removed tasks."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from tinytown import keys
from tinytown.engine.commit import commit
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.attempt_records import keep_interrupted
from tinytown.engine.dispatch.reconcile import reconcile
from tinytown.engine.plan import tasks
from tinytown.errors import StateError
from tinytown.missions import gates, lifecycle, overrule, rerun
from tinytown.missions.records.agent import Event
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission, Policy
from tinytown.missions.states import ItemState
from tinytown.plans.difference import UNDER_WAY, Difference
from tinytown.plans.stages import Stages
from tinytown.state.change import Change
from tinytown.state.records import Versioned

#: What a plan makes of the head of its mission, by the keys of ``[meta]`` that changed.
Rules = Callable[[Mission, Collection[str]], Mission]
#: Tasks that an error names.
_NAMED = 5


@dataclass(frozen=True)
class Asked:
    """A plan as it is recorded, as the file has it, and what lies between the two."""

    before: Stages
    after: Stages
    difference: Difference
    #: The file.
    text: str
    crew: tasks.Crew


@dataclass
class _Outcome:
    """What the commit is to write."""

    items: dict[str, Item] = field(default_factory=dict)
    #: Attempts that are ended, because their task is gone or another one.
    ended: list[str] = field(default_factory=list)


def refuse_orphans(found: Difference, *, force: bool) -> None:
    """Raise ``StateError`` where running work would be left without its task, or with another one."""
    if not found.orphans or force:
        return
    said = "; ".join(f"`{one.id}` is {one.state.value.replace('_', ' ')}: {one.why}" for one in found.orphans[:_NAMED])
    more = f"; and {len(found.orphans) - _NAMED} more" if len(found.orphans) > _NAMED else ""
    raise StateError(
        f"the change would leave running work without its task: {said}{more}",
        remedy="wait until it is done, or run `tt sync push --force` to end it",
    )


def apply(context: Context, mission_id: str, latest: Callable[[], Asked], rules: Rules) -> Mission:
    """Change the mission; ``latest`` gives what is asked of it as it is at each try.

    Raises:
        StateError: it has ended meanwhile, or work has begun that the change would orphan.
    """
    ended: list[str] = []

    def decide(change: Change) -> Mission:
        ended.clear()
        head = context.store.mission(mission_id)
        if head.record.state.ended:
            raise StateError(f"mission {head.record.short} has just ended", remedy="run `tt sync push` again")
        items = context.store.items(mission_id)
        now = context.store.now()
        asked = latest()
        new = rules(head.record, asked.difference.meta)
        outcome = _decide(change, asked, head.record, items, policy=new.policy, now=now)
        ended.extend(outcome.ended)
        edition = context.store.edition(mission_id)
        _write(change, asked, head, new, items, outcome, edition=edition, now=now)
        return new

    new = commit(context, decide)
    context.end_attempts(ended)
    context.rejoin(mission_id)
    reconcile(context, mission_id)
    return new


def _decide(
    change: Change, asked: Asked, mission: Mission, items: dict[str, Versioned[Item]], *, policy: Policy, now: float
) -> _Outcome:
    found = asked.difference
    outcome = _Outcome()
    orphans = {one.id for one in found.orphans}
    fields = {one.id: set(one.fields) for one in found.changed}
    fresh = tasks.compile_tasks(
        asked.after, asked.crew, mission=mission.short, before={key: item.record for key, item in items.items()}
    )
    for key, made in fresh.items():
        id_ = keys.typed(key)
        wish = asked.after.stages[id_].task.status
        if key not in items:
            outcome.items[key] = tasks.begun_as(made, wish, now=now)
            continue
        old = items[key].record
        if id_ in found.added:
            # It was removed before: its attempts are counted on.
            again = made.evolve(fence=old.fence, attempts=old.attempts, cost_usd=old.cost_usd, branch=old.branch)
            outcome.items[key] = tasks.begun_as(again, wish, now=now)
            continue
        becomes_follower = made.kind in gates.FOLLOWERS and old.kind not in gates.FOLLOWERS
        if id_ in orphans or (becomes_follower and old.state in UNDER_WAY):
            old = _interrupt(change, outcome, mission, old, now=now)
            if "description" in fields.get(id_, set()) or becomes_follower:
                # What its agents did was for another task, and proves nothing for this one.
                old = rerun.again(old) or old
        new = old.evolve(edges=made.edges, critical_path=made.critical_path, judge=made.judge)
        new = new.evolve(judge_agent=made.judge_agent)
        if fields.get(id_, set()) & {"description", "tags"}:
            new = new.evolve(title=made.title, labels=made.labels)
        if "agent" in fields.get(id_, set()) or (new.kind in gates.FOLLOWERS) != (made.kind in gates.FOLLOWERS):
            placed = {name: getattr(made, name) for name in ("role", "role_named", "directed_to", "kind")}
            new = new.evolve(**placed)
        if "status" in fields.get(id_, set()):
            new = _wished(new, wish, now=now)
        elif gates.loses_proof(new, mission.policy, policy):
            # Merged it would be without what the new rules ask for.
            new = _interrupt(change, outcome, mission, new, now=now)
            new = new.evolve(state=ItemState.IN_REVIEW, waiting=None, settled_at=None)
        outcome.items[key] = new
    _remove(change, outcome, mission, items, found.removed, policy=policy, now=now)
    for key in items.keys() - outcome.items.keys():
        outcome.items[key] = items[key].record  # Removed by an earlier change.
    before = {key: item.record for key, item in items.items()}
    told = {keys.task_key(id_) for id_, changed in fields.items() if "status" in changed}
    outcome.items = tasks.settle_waits(overrule.reopen(outcome.items, before, told=told), now=now)
    return outcome


def _remove(
    change: Change,
    outcome: _Outcome,
    mission: Mission,
    items: dict[str, Versioned[Item]],
    removed: Collection[str],
    *,
    policy: Policy,
    now: float,
) -> None:
    """The items of removed tasks, as they will be."""
    for id_ in removed:
        key = keys.task_key(id_)
        gone = items[key].record
        # What is settled others build on, and it is merged all the same.
        if not gone.state.settled or gates.loses_proof(gone, mission.policy, policy):
            gone = _interrupt(change, outcome, mission, gone, now=now)
            gone = gone.evolve(state=ItemState.SKIPPED, waiting=None, settled_at=now)
        outcome.items[key] = gone.evolve(edges=())


def _interrupt(change: Change, outcome: _Outcome, mission: Mission, item: Item, *, now: float) -> Item:
    """The item without its attempt, which is ended and kept."""
    if item.attempt is None:
        return item
    keep_interrupted(change, mission, item, why="its task was changed", now=now)
    outcome.ended.append(item.attempt.id)
    return lifecycle.take_back(item)


def _wished(item: Item, wish: ItemState, *, now: float) -> Item:
    """The item as the file wants it to stand; only what a person decides can be wished."""
    if wish in (ItemState.DONE, ItemState.SKIPPED, ItemState.CANCELLED, ItemState.FAILED):
        return overrule.stands(item, wish, now=now)
    if wish in (ItemState.PENDING, ItemState.READY):
        if item.state.settled:
            return rerun.again(item) or item.evolve(state=ItemState.PENDING, settled_at=None, waiting=None)
        return lifecycle.retry(item) or item
    return item


def _write(
    change: Change,
    asked: Asked,
    old: Versioned[Mission],
    new: Mission,
    items: dict[str, Versioned[Item]],
    outcome: _Outcome,
    *,
    edition: int,
    now: float,
) -> None:
    edition += 1
    graph, canvas = tasks.stored(new.id, outcome.items, edition=edition)
    added = {key: item for key, item in outcome.items.items() if key not in items}
    for key, item in outcome.items.items():
        if key in items:
            change.put_item(new, items[key], item)
    change.change_plan(
        old,
        new.evolve(objectives=tuple(keys.task_key(id_) for id_ in asked.after.stages)),
        plan=asked.text,
        graph=graph,
        canvas=canvas,
        edition=edition,
        added=added,
        known=outcome.items,
    )
    before = {key for key, old_item in items.items() if _is_held(asked.before, old_item.record)}
    after = {key for key, item in outcome.items.items() if _is_held(asked.after, item)}
    change.release_issues(outcome.items[key] for key in sorted(before - after))
    change.hold_issues(new.id, (outcome.items[key] for key in sorted(after & items.keys() - before)))
    settled = {one.id for one in asked.difference.changed if "status" in one.fields}
    for id_ in (*asked.difference.added, *settled):
        # Who says that it is done says what came of it, too.
        if result := asked.after.stages[id_].task.result:
            change.put_result(new.id, keys.task_key(id_), result)
    described = {one.id for one in asked.difference.changed if {"description", "tags"} & set(one.fields)}
    for id_ in (*asked.difference.added, *described):
        change.put_issue(new.id, tasks.issue_of(asked.after.stages[id_].task))
    change.event(pushed(new, asked.difference, now=now))


def _is_held(stages: Stages, item: Item) -> bool:
    """Whether no other mission may take it: what is done in this one, or is to be."""
    return keys.typed(item.key) in stages.stages and item.state is not ItemState.SKIPPED


def pushed(mission: Mission, found: Difference, *, now: float) -> Event:
    """The line of the history."""
    return event(
        "plan_pushed",
        at=now,
        mission=mission.id,
        added=len(found.added),
        changed=len(found.changed),
        removed=len(found.removed),
        unchanged=len(found.unchanged),
    )
