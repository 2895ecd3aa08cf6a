"""Tasks that people give by hand, one by one: ``tt assign`` and ``tt task``.

They are items of a mission of their own, which ends when all of them have settled; the next task begins another one.
So that giving many stays quick, a mission takes only so many, but for those that wait for others in it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinytown import keys
from tinytown.engine.commit import commit
from tinytown.engine.conductor import names
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.reconcile import reconcile
from tinytown.engine.operate.backlog import check_text
from tinytown.engine.plan import tasks
from tinytown.engine.start.order import Order
from tinytown.engine.start.prompts import read_prompts
from tinytown.engine.start.start import policy
from tinytown.errors import ConfigurationError, NotFoundError, StateError, TinytownError
from tinytown.missions import gates, overrule
from tinytown.missions.records.issue import Issue
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
#: Why a task is done that a person settled.
SAID = "a person says that it is done"


@dataclass(frozen=True)
class Assignment:
    """A task for an agent, or for anybody with a role."""

    to: str
    text: str
    #: Ids of tasks that must be done first.
    after: Sequence[str] = ()
    tags: Sequence[str] = ()
    #: The entry of the backlog that it was, and how often in a row agents had passed it on.
    entry: str = ""
    depth: int = 0


#: Makes items, each with what its briefs say, for the mission with this short id, which has items of these keys.
Make = Callable[[str, Collection[str]], list[tuple[Item, Issue]]]


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
    check_text(wanted.text, example='tt assign NAME "..."')
    names.require_worker(context, wanted.to)
    _home(context, wanted.after)  # What is refused takes no number.
    id_ = f"t{task_records.next_number(context.store)}"

    def decide(change: Change) -> Given:
        change.once()
        return give(context, change, {id_: wanted})[0]

    given = commit(context, decide)
    context.rejoin(given.mission.id)
    reconcile(context, given.mission.id)
    return Given(given.mission, context.store.item(given.mission.id, given.item.key).record)


def give(context: Context, change: Change, wanted: Mapping[str, Assignment]) -> list[Given]:
    """Put tasks, by their ids, into a change, as items of one mission; no more of them than it has ``room`` for.

    See ``assign`` for the errors.
    """
    crew = tasks.crew_of(context)

    def make(mission: str, known: Collection[str]) -> list[tuple[Item, Issue]]:
        made = []
        for id_, one in wanted.items():
            after = [other for other in one.after if keys.task_key(other, plan=HAND) in known]
            made.append(_made(crew, one, id_, mission, after))
        return made

    given = put(context, change, make, after=[one for task in wanted.values() for one in task.after])
    for task, one in zip(given, wanted.values(), strict=True):
        _tell(change, task, one, now=context.store.now())
    return given


def put(context: Context, change: Change, make: Make, *, after: Sequence[str] = ()) -> list[Given]:
    """Put items into the mission that takes them, or begin one with them, all in ``change``.

    Raises:
        NotFoundError: a task that one of them is to wait for is not there.
        StateError: such a task has ended without being done, or two of them are in different missions.
    """
    place = _home(context, after)
    if place is None:
        return _begin(context, change, make)
    return _add(context, change, place, make)


def room(context: Context) -> int:
    """How many tasks the mission takes that the next one belongs to; never less than one."""
    place = home(context)
    return MOST if place is None else MOST - len(context.store.order(place.id))


def home(context: Context) -> Mission | None:
    """The mission that the next task belongs to; ``None`` if that begins another one."""
    found = _home(context, ())
    return found.record if found is not None else None


def preflight(context: Context) -> str:
    """The base of a mission that begins with the next task, proven fit to be worked from.

    Raises:
        ConfigurationError: none is set.
        TinytownError: the repository cannot be worked from now.
    """
    base = context.town.settings.forge.base_of(context.forge.repo)
    if not base:
        raise ConfigurationError("`forge.base` is not set in tinytown.toml", remedy='add `base = "main"` under [forge]')
    context.forge.preflight(base, context.forge.repo)
    return base


def all_tasks(context: Context) -> Iterator[Given]:
    """All tasks of the plan and those given by hand, each with its mission; the oldest missions first."""
    for head in homes(context):
        for found in context.store.items(head.id).values():
            yield Given(head, found.record)


def homes(context: Context) -> list[Mission]:
    """The missions that tasks are in, the oldest first."""
    wanted = dict.fromkeys(task_records.by_hand(context.store).values())
    if (plan := task_records.plan_mission(context.store)) is not None:
        wanted[plan] = None
    return sorted((context.store.mission(one).record for one in wanted), key=lambda head: head.created_at)


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
    require_state(state)
    return [
        given
        for given in all_tasks(context)
        if (not state or given.item.state is STATES[state])
        and (not tag or tag in given.item.labels)
        and (not agent or agent in (given.item.agent, given.item.directed_to))
    ]


def require_state(state: str) -> None:
    """Raise ``ConfigurationError`` if this is no state of a task; empty means any."""
    if state and state not in STATES:
        raise ConfigurationError(f"{state!r} is not a state", remedy=f"use one of {', '.join(STATES)}")


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
        new = overrule.stands(old.record, state, now=now)
        change.put_item(head.record, old, new)
        change.expect_mission(head)
        if text:
            change.put_result(head.record.id, new.key, text)
        if state is ItemState.DONE:
            change.event(event("item_done", at=now, mission=head.record.id, item=new.key, agent="", why=SAID))
        else:
            change.event(event("item_failed", at=now, mission=head.record.id, item=new.key, summary=text))
        return new

    new = commit(context, decide)
    reconcile(context, given.mission.id)
    return Given(given.mission, new)


# -- inside ----------------------------------------------------------------------------------------


def _home(context: Context, after: Sequence[str]) -> Versioned[Mission] | None:
    """The mission that takes the task: that of those it waits for, else the one that is filled at the moment.

    As it was read when it was seen to go on: whoever adds to it commits against that, so none that has ended since
    takes anything.
    """
    homes: dict[str, Versioned[Mission]] = {}
    for id_ in after:
        mission = task_records.mission_of(context.store, id_)
        if mission is None:
            raise NotFoundError(f"there is no task `{id_[:80]}` by hand", remedy="see `tt task list`")
        head = context.store.mission(mission)
        item = context.store.item(mission, keys.task_key(id_, plan=HAND)).record
        if item.state in (ItemState.FAILED, ItemState.CANCELLED):
            raise StateError(f"task {id_} is {item.state.value}", remedy=f"run `tt task retry {id_}` first")
        if not item.state.settled:
            homes.setdefault(mission, head)
    if len(homes) > 1:
        raise StateError("these tasks are in different missions", remedy="name only the last of them after `--after`")
    if homes:
        return next(iter(homes.values()))
    current = task_records.hand_mission(context.store)
    if current is None or (filled := context.store.mission(current)).record.state.ended:
        return None
    return filled if len(context.store.order(current)) < MOST else None


def _made(crew: tasks.Crew, wanted: Assignment, id_: str, mission: str, after: Sequence[str]) -> tuple[Item, Issue]:
    task = Task(id=id_, description=wanted.text, agent=wanted.to, depends_on=tuple(after), tags=tuple(wanted.tags))
    others = tuple(Task(id=one, description=one) for one in after)
    stages = compile_stages(Plan(tasks=(*others, task)))
    item = tasks.compile_tasks(stages, crew, mission=mission, plan=HAND)[keys.task_key(id_, plan=HAND)]
    # What it waits for was given without it, so it judges nothing but answers by itself.
    kind = "review" if item.kind == gates.VERDICT else item.kind
    return item.evolve(kind=kind, entry=wanted.entry, depth=wanted.depth), tasks.issue_of(task, plan=HAND)


def _begin(context: Context, change: Change, make: Make) -> list[Given]:
    """A mission that begins with these items."""
    settings, forge = context.town.settings, context.forge
    base = preflight(context)
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
    made = make(mission.short, ())
    items = tasks.settle_waits({item.key: item for item, _ in made}, now=now)
    graph, canvas = tasks.stored(mission.id, items, edition=0)
    change.create_mission(
        mission.evolve(objectives=tuple(items)),
        list(items.values()),
        [issue for _, issue in made],
        graph=graph,
        canvas=canvas,
        prompts=read_prompts(context.town),
    )
    return [Given(mission, item) for item in items.values()]


def _add(context: Context, change: Change, old: Versioned[Mission], make: Make) -> list[Given]:
    """More items of a mission."""
    mission = old.record
    known = {key: item.record for key, item in context.store.items(mission.id).items()}
    now, edition = context.store.now(), context.store.edition(mission.id) + 1
    made = make(mission.short, known)
    new = {item.key: item for item, _ in made}
    settled = tasks.settle_waits({**known, **new}, now=now)
    added = {key: settled[key] for key in new}
    known |= added
    graph, canvas = tasks.stored(mission.id, known, edition=edition)
    change.change_plan(
        old,
        mission.evolve(objectives=tuple(known)),
        plan=None,
        graph=graph,
        canvas=canvas,
        edition=edition,
        added=added,
        known=known,
    )
    for _, issue in made:
        change.put_issue(mission.id, issue)
    return [Given(mission, item) for item in added.values()]


def _tell(change: Change, given: Given, task: Assignment, *, now: float) -> None:
    """A line of history."""
    mission, key = given.mission.id, given.item.key
    said = event("task_assigned", at=now, mission=mission, item=key, to=task.to)
    if task.entry:
        by = change.by or "town"
        said = event("backlog_claimed", at=now, mission=mission, item=key, agent=task.to, entry=task.entry, by=by)
    change.event(said)
