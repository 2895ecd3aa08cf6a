"""Tasks that people give by hand, one by one: ``tt assign`` and ``tt task``.

They are items of a mission of their own, which ends when all of them have settled; the next task begins another one.
So that giving many stays quick, a mission takes only so many, but for those that wait for others in it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinytown import keys
from tinytown.engine.commit import commit
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.reconcile import reconcile
from tinytown.engine.plan import tasks
from tinytown.engine.start.order import Order
from tinytown.engine.start.prompts import read_prompts
from tinytown.engine.start.start import policy
from tinytown.errors import ConfigurationError, NotFoundError, StateError, TinytownError
from tinytown.missions import gates
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, MissionState
from tinytown.plans.model import STATES, Plan, Task
from tinytown.plans.stages import compile_stages
from tinytown.state import tasks as task_records
from tinytown.state.change import Change
from tinytown.state.records import Versioned

#: Name of what such tasks are in, in their keys.
HAND = "hand"
#: Tasks of one mission.
MOST = 200
#: Seconds between two looks at a task that is waited for, if nothing happens.
_LOOK = 1.0
#: Characters of a text.
TEXT_LIMIT = 64 << 10


@dataclass(frozen=True)
class Assignment:
    """A task for an agent, or for anybody with a role."""

    to: str
    text: str
    #: Ids of tasks that must be done first.
    after: Sequence[str] = ()
    tags: Sequence[str] = ()


@dataclass(frozen=True)
class Given:
    """A task as it stands, and its mission."""

    mission: Mission
    item: Item


def assign(context: Context, wanted: Assignment) -> Given:
    """Give a task; it is on record, and sent as soon as it can be taken.

    Raises:
        ConfigurationError: the text is empty or too long, or the name is no name.
        NotFoundError: a task that it is to wait for is not there.
        StateError: such a task has ended without being done, or two of them are in different missions.
    """
    _check(wanted)
    _home(context, wanted.after)  # What is refused takes no number.
    id_ = f"t{task_records.next_number(context.store)}"

    def decide(change: Change) -> Given:
        mission_id = _home(context, wanted.after)
        if mission_id is None:
            return _begin(context, change, wanted, id_)
        return _add(context, change, context.store.mission(mission_id), wanted, id_)

    given = commit(context, decide)
    reconcile(context, given.mission.id)
    return Given(given.mission, context.store.item(given.mission.id, given.item.key).record)


def all_tasks(context: Context) -> Iterator[Given]:
    """All tasks of the plan and those given by hand, each with its mission; the oldest missions first."""
    wanted = dict.fromkeys(task_records.by_hand(context.store).values())
    if (plan := task_records.plan_mission(context.store)) is not None:
        wanted[plan] = None
    heads = sorted((context.store.mission(one).record for one in wanted), key=lambda head: head.created_at)
    for head in heads:
        for found in context.store.items(head.id).values():
            yield Given(head, found.record)


def find(context: Context, id_: str) -> Given:
    """A task by its id: one given by hand, or one of the plan.

    Raises:
        NotFoundError: there is none.
    """
    mission = task_records.mission_of(context.store, id_)
    key = keys.task_key(id_, plan=HAND)
    if mission is None:
        mission, key = task_records.plan_mission(context.store), keys.task_key(id_)
    if mission is not None and (found := context.store.some_items(mission, [key])):
        return Given(context.store.mission(mission).record, found[key].record)
    raise NotFoundError(f"there is no task `{id_[:80]}`", remedy="see `tt task list`")


def select(context: Context, *, state: str = "", tag: str = "", agent: str = "") -> list[Given]:
    """Those of all tasks that are in this state, have this tag, and are or were this agent's; empty means any.

    Raises:
        ConfigurationError: there is no such state.
    """
    if state and state not in STATES:
        raise ConfigurationError(f"{state!r} is not a state", remedy=f"use one of {', '.join(STATES)}")
    return [
        given
        for given in all_tasks(context)
        if (not state or given.item.state is STATES[state])
        and (not tag or tag in given.item.labels)
        and (not agent or agent in (given.item.agent, given.item.directed_to))
    ]


def wait(context: Context, id_: str, *, timeout: float | None = None) -> Given:
    """Wait until a task has ended; gives how it stands then.

    Raises:
        NotFoundError: there is no such task.
        TinytownError: it has not ended in ``timeout`` seconds.
    """
    given = find(context, id_)
    deadline = None if timeout is None else time.monotonic() + timeout
    after = "$"
    while not given.item.state.ended:
        if deadline is not None and time.monotonic() >= deadline:
            said = given.item.state.value.replace("_", " ")
            raise TinytownError(
                f"task {id_} is still {said} after {timeout:g} s", remedy=f"see `tt task show {id_}`, or wait longer"
            )
        for at, _ in context.store.events(given.mission.id, after=after, block=_LOOK):
            after = at
        given = find(context, id_)
    return given


def settle(context: Context, id_: str, state: ItemState, text: str) -> Given:
    """Say that a task is done, or cannot be done: what a person says stands, whatever its agent is at.

    Raises:
        NotFoundError: there is no such task.
        StateError: it has ended, its mission has, or an agent is at work on it.
    """
    given = find(context, id_)

    def decide(change: Change) -> Item:
        head = context.store.mission(given.mission.id)
        old = context.store.item(given.mission.id, given.item.key)
        if head.record.state.ended or old.record.state.settled:
            raise StateError(f"task {id_} is {old.record.state.value}", remedy=f"see `tt task show {id_}`")
        if old.record.attempt is not None:
            raise StateError(
                f"an attempt at task {id_} is under way",
                remedy=f"run `tt task cancel {id_}` first, or wait for its end",
            )
        now = context.store.now()
        new = old.record.evolve(state=state, waiting=None, not_before=None, settled_at=now)
        change.put_item(head.record, old, new)
        change.expect_mission(head)
        if text:
            change.put_result(head.record.id, new.key, text)
        if state is ItemState.DONE:
            change.event(event("item_done", at=now, mission=head.record.id, item=new.key, agent=""))
        else:
            change.event(event("item_failed", at=now, mission=head.record.id, item=new.key, summary=text))
        return new

    new = commit(context, decide)
    reconcile(context, given.mission.id)
    return Given(given.mission, new)


# -- inside ----------------------------------------------------------------------------------------


def _check(wanted: Assignment) -> None:
    if not wanted.text.strip():
        raise ConfigurationError("the task has no text", remedy='say what is to be done: `tt assign NAME "..."`')
    if len(wanted.text) > TEXT_LIMIT:
        raise ConfigurationError(
            f"the text has more than {TEXT_LIMIT} characters",
            remedy="put it into a file of the repository, and name that",
        )


def _home(context: Context, after: Sequence[str]) -> str | None:
    """The mission that takes the task: that of those it waits for, else the one that is filled at the moment."""
    homes: dict[str, None] = {}
    for id_ in after:
        mission = task_records.mission_of(context.store, id_)
        if mission is None:
            raise NotFoundError(f"there is no task `{id_[:80]}` by hand", remedy="see `tt task list`")
        item = context.store.item(mission, keys.task_key(id_, plan=HAND)).record
        if item.state in (ItemState.FAILED, ItemState.CANCELLED):
            raise StateError(f"task {id_} is {item.state.value}", remedy=f"run `tt task retry {id_}` first")
        if not item.state.settled:
            homes[mission] = None
    if len(homes) > 1:
        raise StateError("these tasks are in different missions", remedy="name only the last of them after `--after`")
    if homes:
        return next(iter(homes))
    current = task_records.hand_mission(context.store)
    if current is None or context.store.mission(current).record.state.ended:
        return None
    return current if len(context.store.order(current)) < MOST else None


def _made(context: Context, wanted: Assignment, id_: str, mission: str, after: Sequence[str]) -> tuple[Item, Task]:
    task = Task(id=id_, description=wanted.text, agent=wanted.to, depends_on=tuple(after), tags=tuple(wanted.tags))
    others = tuple(Task(id=one, description=one) for one in after)
    stages = compile_stages(Plan(tasks=(*others, task)))
    item = tasks.compile_tasks(stages, tasks.crew_of(context), mission=mission, plan=HAND)[
        keys.task_key(id_, plan=HAND)
    ]
    # What it waits for was given without it, so it judges nothing but answers by itself.
    return (item.evolve(kind="review") if item.kind == gates.VERDICT else item), task


def _begin(context: Context, change: Change, wanted: Assignment, id_: str) -> Given:
    """A mission that begins with this task."""
    settings, forge = context.town.settings, context.forge
    base = settings.forge.base_of(forge.repo)
    if not base:
        raise ConfigurationError("`forge.base` is not set in tinytown.toml", remedy='add `base = "main"` under [forge]')
    forge.preflight(base, forge.repo)
    now = context.store.now()
    mission = Mission(
        id=str(uuid.uuid4()),
        state=MissionState.RUNNING,
        forge=forge.kind,
        repo=forge.repo,
        base=base,
        policy=policy(settings, Order(base_check=False)),
        tasks="hand",
        created_at=now,
    )
    item, task = _made(context, wanted, id_, mission.short, ())
    items = tasks.settle_waits({item.key: item}, now=now)
    graph, canvas = tasks.stored(mission.id, items, edition=0)
    change.create_mission(
        mission.evolve(objectives=(item.key,)),
        list(items.values()),
        [tasks.issue_of(task, plan=HAND)],
        graph=graph,
        canvas=canvas,
        prompts=read_prompts(context.town),
    )
    _tell(change, mission, item, wanted, now=now)
    return Given(mission, items[item.key])


def _add(context: Context, change: Change, old: Versioned[Mission], wanted: Assignment, id_: str) -> Given:
    """One more task of a mission."""
    mission = old.record
    known = {key: item.record for key, item in context.store.items(mission.id).items()}
    after = [one for one in wanted.after if keys.task_key(one, plan=HAND) in known]
    now, edition = context.store.now(), context.store.edition(mission.id) + 1
    item, task = _made(context, wanted, id_, mission.short, after)
    added = tasks.settle_waits({**known, item.key: item}, now=now)[item.key]
    known[item.key] = added
    graph, canvas = tasks.stored(mission.id, known, edition=edition)
    change.change_plan(
        old,
        mission.evolve(objectives=tuple(known)),
        plan=None,
        graph=graph,
        canvas=canvas,
        edition=edition,
        added={item.key: added},
        known=known,
    )
    change.put_issue(mission.id, tasks.issue_of(task, plan=HAND))
    _tell(change, mission, item, wanted, now=now)
    return Given(mission, added)


def _tell(change: Change, mission: Mission, item: Item, wanted: Assignment, *, now: float) -> None:
    change.event(event("task_assigned", at=now, mission=mission.id, item=item.key, to=wanted.to))
