"""Bring the plan in ``tasks.toml`` to the town, and what became of its tasks back into the file.

A plan is a mission whose items are its tasks. It is recorded paused, and resumed by whoever starts it. A file that
changed changes the same mission, whether it runs or not; one that has ended is followed by a new one, in which what is
done stays done.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from tinytown import keys
from tinytown.engine.context import Context
from tinytown.engine.operate import missions
from tinytown.engine.plan import change as plan_change
from tinytown.engine.plan import tasks
from tinytown.engine.start.order import Order
from tinytown.engine.start.prompts import read_prompts
from tinytown.engine.start.start import policy
from tinytown.errors import ConfigurationError, ConflictError, NotFoundError, StateError
from tinytown.missions import overrule
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission, Policy
from tinytown.missions.states import ItemState, MissionState
from tinytown.plans import reader, writer
from tinytown.plans.difference import NOT_BEGUN, Difference, difference, is_wish
from tinytown.plans.model import Meta, Plan
from tinytown.plans.stages import Stages, compile_stages
from tinytown.plans.writer import Update
from tinytown.state import tasks as task_records
from tinytown.state.records import Versioned

#: Why a plan that was recorded does not run.
NOT_STARTED = "its plan was not started: run `tt conductor`"


@dataclass(frozen=True)
class File:
    """The content of a plan's file, and what it is called in messages."""

    raw: bytes
    source: str

    def read(self) -> Stages:
        """The plan; raises ``ConfigurationError`` with all that is wrong."""
        return reader.read(self.raw, source=self.source).require()

    @property
    def text(self) -> str:
        """As it is recorded."""
        return self.raw.decode()


@dataclass(frozen=True)
class Wanted:
    """What somebody wants done with a plan's file."""

    file: File
    #: Only say what it would do.
    dry_run: bool = False
    #: Also end running work whose task was removed, or became another one.
    force: bool = False


@dataclass(frozen=True)
class Pushed:
    """What the file did to the plan of the town; ``mission`` is ``None`` where nothing was recorded before or now."""

    mission: Mission | None
    difference: Difference
    #: It became a mission of its own: the first of a plan, or one after that has ended.
    new: bool = False


@dataclass(frozen=True)
class Pulled:
    """What the file is to hold, and the tasks whose state or result differed."""

    content: bytes
    changed: tuple[str, ...]
    #: The mission as it was read, and its plan with the states that the file has from now on.
    mission: Versioned[Mission]
    plan: str


@dataclass(frozen=True)
class Recorded:
    """The plan of the town as it is recorded, with how its tasks stand."""

    mission: Versioned[Mission]
    text: str
    stages: Stages
    items: Mapping[str, Item]

    @property
    def states(self) -> dict[str, ItemState]:
        """The states of the tasks, by id."""
        return {keys.typed(key): item.state for key, item in self.items.items()}


def recorded(context: Context) -> Recorded | None:
    """The plan of the town; ``None`` while none was pushed."""
    mission = task_records.plan_mission(context.store)
    if mission is None:
        return None
    head = context.store.mission(mission)
    items = {key: item.record for key, item in context.store.items(mission).items()}
    text: str = context.store.static(mission, "plan")
    return Recorded(head, text, File(text.encode(), "the recorded plan").read(), items)


def push(context: Context, wanted: Wanted) -> Pushed:
    """Bring a file to the town; one that says what is recorded changes nothing.

    Raises:
        ConfigurationError: something is wrong with the file.
        StateError: it would leave running work without its task; the repository is not fit for its base.
        UnreachableError: the database does not answer; nothing is saved.
    """
    stages = wanted.file.read()
    if not stages.stages:
        remedy = "add `[[tasks]]`; to end a plan, run `tt mission stop --force`"
        raise ConfigurationError(f"{wanted.file.source} has no tasks", remedy=remedy)
    mission = task_records.plan_mission(context.store)
    if mission is not None and context.store.static(mission, "plan") == wanted.file.text:
        head = context.store.mission(mission).record
        if not _is_given_up(head):
            return Pushed(head, Difference(unchanged=tuple(stages.stages)))
    old = recorded(context)
    if old is None:
        found = difference(compile_stages(Plan()), stages, {})
        return _create(context, wanted, stages, found, None)
    found = difference(old.stages, stages, old.states)
    if found.nothing and not _is_given_up(old.mission.record):
        return Pushed(old.mission.record, found)
    if old.mission.record.state.ended:
        return _create(context, wanted, stages, found, old)
    plan_change.refuse_orphans(found, force=wanted.force)
    base = _base(context, stages.plan.meta) if "base" in found.meta else None
    if wanted.dry_run:
        return Pushed(old.mission.record, found)
    crew, rules = tasks.crew_of(context), _rules(context, stages.plan.meta, base)

    def latest() -> plan_change.Asked:
        now = recorded(context)
        assert now is not None
        again = difference(now.stages, stages, now.states)
        plan_change.refuse_orphans(again, force=wanted.force)
        return plan_change.Asked(now.stages, stages, again, wanted.file.text, crew)

    head = plan_change.apply(context, old.mission.record.id, latest, rules)
    return Pushed(head, found)


def pull(context: Context, wanted: Wanted) -> Pulled:
    """What the file is to hold: the states and results as they are now; everything else stays as it is in the file.

    Raises:
        ConfigurationError: something is wrong with the file.
        NotFoundError: no plan was pushed.
    """
    old = recorded(context)
    if old is None:
        raise NotFoundError("this town has no plan", remedy="run `tt sync push` first")
    before = wanted.file.read()
    results = context.store.results(old.mission.record.id)
    updates = {
        id_: Update(_as_told(before, id_, item.state), results.get(key) if item.state.settled else None)
        for key, item in old.items.items()
        if (id_ := keys.typed(key)) in old.stages.stages
    }
    content = writer.write(wanted.file.raw, updates, source=wanted.file.source)
    after = File(content, wanted.file.source).read()
    changed = tuple(id_ for id_, stage in after.stages.items() if stage.task != before.stages[id_].task)
    if difference(old.stages, before, old.states).nothing:
        return Pulled(content, changed, old.mission, content.decode())
    # What else the file says is for the next push, for which the states just written must not be wishes.
    written = writer.write(old.text.encode(), updates, source="the recorded plan")
    return Pulled(content, changed, old.mission, written.decode())


def _as_told(file: Stages, id_: str, state: ItemState) -> ItemState:
    """A task's state, or the file's own word for it: nobody has to be told that what has not begun has not begun."""
    said = file.stages[id_].task.status if id_ in file.stages else state
    return said if {said, state} <= NOT_BEGUN else state


def pulled(context: Context, done: Pulled) -> None:
    """Record the states that the file was given: they are no wishes, and another push has nothing to do for them."""
    mission = done.mission.record.id
    if context.store.static(mission, "plan") == done.plan:
        return
    change = context.store.change()
    change.expect_mission(done.mission)
    change.record_plan(mission, done.plan)
    try:
        change.commit()
    except ConflictError:
        return  # It moved meanwhile: the next pull writes how it stands then.


def start(context: Context) -> Mission:
    """Have the plan done: begin it, or go on with it.

    Raises:
        NotFoundError: no plan was pushed.
        StateError: it has ended, or its budget is used up.
    """
    mission = task_records.plan_mission(context.store)
    if mission is None:
        raise NotFoundError("this town has no plan", remedy="run `tt sync push` first")
    head = context.store.mission(mission).record
    if head.state.ended:
        raise StateError(
            f"the plan is {head.state.value}",
            remedy="run `tt sync push` to begin again with what is left"
            if _is_given_up(head)
            else "add tasks to tasks.toml, then run `tt sync push`",
        )
    return head if head.state.active else missions.resume(context, mission, why="the plan was started")


def _create(context: Context, wanted: Wanted, stages: Stages, found: Difference, old: Recorded | None) -> Pushed:
    """Record a plan as a mission of its own."""
    if wanted.dry_run:
        return Pushed(old.mission.record if old else None, found, new=True)
    meta, forge = stages.plan.meta, context.forge
    base = _base(context, meta)
    now = context.store.now()
    mission = Mission(
        id=str(uuid.uuid4()),
        state=MissionState.PAUSED,
        reason=NOT_STARTED,
        forge=forge.kind,
        repo=forge.repo,
        base=base,
        policy=_policy(context, meta),
        checks=meta.checks,
        tasks="plan",
        created_at=now,
    )
    items = tasks.compile_tasks(stages, tasks.crew_of(context), mission=mission.short, before=old.items if old else {})
    begun = {key: tasks.begun_as(item, _stands(key, stages, old), now=now) for key, item in items.items()}
    begun = tasks.settle_waits(overrule.reopen(begun, old.items if old else {}), now=now)
    mission = mission.evolve(objectives=tuple(begun))
    graph, canvas = tasks.stored(mission.id, begun, edition=0)
    change = context.store.change()
    change.create_mission(
        mission,
        list(begun.values()),
        [tasks.issue_of(stage.task) for stage in stages.stages.values()],
        graph=graph,
        canvas=canvas,
        prompts=read_prompts(context.town),
        plan=wanted.file.text,
        results=_results(context, stages, old),
    )
    change.event(plan_change.pushed(mission, found, now=now))
    try:
        change.commit()
    except ConflictError:
        raise StateError("another plan was pushed at this moment", remedy="run `tt sync push` again") from None
    context.rejoin(mission.id)
    return Pushed(mission, found, new=True)


def _stands(key: str, stages: Stages, old: Recorded | None) -> ItemState:
    """How a task of a new mission stands: as the file says, or settled as in the mission before."""
    task = stages.stages[keys.typed(key)].task
    if old is not None and key in old.items and old.items[key].state.settled:
        was = old.stages.stages.get(task.id)
        state = old.items[key].state
        if was is not None and not is_wish(task.status, recorded=was.task.status, state=state):
            return state
    return task.status


def _is_given_up(head: Mission) -> bool:
    """Whether the plan ended before it was done: pushed again, it begins again with what is left."""
    return head.state.ended and head.state is not MissionState.COMPLETED


def _results(context: Context, stages: Stages, old: Recorded | None) -> dict[str, str]:
    said = {keys.task_key(id_): stage.task.result for id_, stage in stages.stages.items() if stage.task.result}
    before = context.store.results(old.mission.record.id) if old is not None else {}
    return {**said, **{key: text for key, text in before.items() if keys.typed(key) in stages.stages}}


def _base(context: Context, meta: Meta) -> str:
    """The branch that a plan's changes are merged into: its own, or the town's; errors where it is not fit."""
    forge = context.forge
    base = meta.base or context.town.settings.forge.base_of(forge.repo)
    if not base:
        raise ConfigurationError("no base is set", remedy='add `base = "main"` under [meta] or [forge]')
    forge.preflight(base, forge.repo)
    return base


#: Keys of ``[meta]`` that are rules of the mission by the same name.
_OF_POLICY: Final = ("budget_usd", "budget_tokens", "reviewer_required", "checks")


def _policy(context: Context, meta: Meta) -> Policy:
    """The town's policy with what ``[meta]`` says."""
    order = Order(
        budget_usd=meta.budget_usd,
        budget_tokens=meta.budget_tokens,
        no_reviewer=meta.reviewer_required is False,
        base_check=False,
    )
    made = policy(context.town.settings, order)
    if meta.reviewer_required:
        made = made.evolve(reviewer_required=True)
    return made if meta.checks is None else made.evolve(checks=bool(meta.checks))


def _rules(context: Context, meta: Meta, base: str | None) -> plan_change.Rules:
    """What the keys of ``[meta]`` that changed make of a mission. All others stay, also what a person gave it since."""
    made = _policy(context, meta)

    def apply(mission: Mission, changed: Collection[str]) -> Mission:
        new = {key: getattr(made, key) for key in _OF_POLICY if key in changed}
        checks = meta.checks if "checks" in changed else mission.checks
        return mission.evolve(policy=mission.policy.evolve(**new), checks=checks, base=base or mission.base)

    return apply
