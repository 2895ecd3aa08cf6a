"""What ``parent`` and ``depends_on`` mean: which task waits for which, and where that is stated.

A task is an epic if it has the tag ``epic``, or if others name it as their ``parent`` and nobody would do it: it has no
``agent``, and there is no ``default_agent``. An epic groups:

- its tasks run one after the other in the file's order, unless it says ``parallel = true``;
- a task with a ``depends_on`` of its own waits for what that names instead, and the tasks after it wait for it too,
  unless it names one of those that come later: then it leaves the file's order;
- what the epic itself waits for, all its tasks wait for;
- it completes when all its tasks have.

Anywhere else ``parent`` orders: the task runs after its parent.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from tinytown.plans.model import EPIC, Plan, Problem, Task

#: Tasks of a circle that are named, the last one among them.
_NAMED: Final = 10


class Reason(StrEnum):
    """Why a task waits for another one."""

    #: Its ``parent`` is a task that is done, not a group.
    PARENT = "parent"
    #: It comes later in the epic that both are in.
    ORDER = "order"
    #: It says so.
    DEPENDS_ON = "depends_on"
    #: The epic that it is in waits for it.
    EPIC = "epic"
    #: It is an epic, and the other one is in it.
    CHILD = "child"


class Grouping(StrEnum):
    """Why a task is an epic."""

    TAG = "tag"
    NO_AGENT = "no_agent"


class Wait(NamedTuple):
    """A task waits for the task ``on``."""

    on: str
    reason: Reason
    #: Where it is stated.
    line: int
    #: The epic that passes it on to its tasks, or whose order it is.
    epic: str = ""


class Stage(NamedTuple):
    """A task and what it means in its plan."""

    task: Task
    waits: tuple[Wait, ...] = ()
    #: Set where it is an epic.
    grouping: Grouping | None = None
    #: The epic that it is in.
    group: str | None = None
    #: Agent or role that is to do it; ``None`` for an epic, and where nobody is named.
    wanted: str | None = None
    #: Of an epic: what is in it, in the file's order.
    children: tuple[str, ...] = ()
    #: When it can run at the earliest: 1 for what waits for nothing. An epic has that of the last task in it.
    wave: int = 0


@dataclass(frozen=True)
class Stages:
    """A plan understood."""

    plan: Plan
    #: By id, in the file's order.
    stages: Mapping[str, Stage]
    #: All ids, each after those it waits for; those in a circle, and behind one, are missing.
    order: tuple[str, ...]
    #: Tasks that wait for each other, each with the wait that leads to the next one.
    circles: tuple[tuple[tuple[str, Wait], ...], ...] = ()

    def problems(self) -> list[Problem]:
        """The circles, each with the reason of every wait in it."""
        return [_told(circle) for circle in self.circles]

    def remarks(self) -> list[Problem]:
        """What is allowed and hardly meant."""
        found = [] if self.stages else [Problem(1, "the plan has no tasks", "add `[[tasks]]`")]
        for stage in self.stages.values():
            task = stage.task
            if stage.grouping is None and task.parallel:
                remedy = "remove it, or give the task the tag `epic`"
                found.append(Problem(task.line, f"`parallel` of `{task.id}` has no effect: it is no epic", remedy))
            if stage.grouping is not None and task.agent is not None:
                remedy = "remove the tag `epic` if it is work, else `agent`"
                found.append(Problem(task.line, f"`agent` of `{task.id}` has no effect: it is an epic", remedy))
            if stage.grouping is not None and not stage.children:
                remedy = f'give tasks `parent = "{task.id}"`, or remove the tag `epic` if it is work'
                found.append(Problem(task.line, f"the epic `{task.id}` has no tasks, so it is done at once", remedy))
        return found


def compile_stages(plan: Plan) -> Stages:
    """Understand a plan. Names of tasks that there are not are passed over: the reader has named them."""
    tasks = plan.by_id()
    children: dict[str, list[Task]] = {}
    for task in plan.tasks:
        if task.parent is not None and task.parent in tasks and task.parent != task.id and tasks[task.id] is task:
            children.setdefault(task.parent, []).append(task)
    epics = {task.id: why for task in tasks.values() if (why := _grouping(task, plan, children)) is not None}
    waits = {task.id: _own(task, tasks, epics) for task in tasks.values()}
    for epic in epics:
        if not tasks[epic].parallel:
            _follow_the_file(epic, children.get(epic, ()), waits)
    # Its tasks wait for what the epic waits for; that it completes with them comes after, as they do not wait for that.
    for epic in _outermost_first(epics, tasks):
        _pass_on(epic, children.get(epic, ()), waits)
    for epic in epics:
        for child in children.get(epic, ()):
            waits[epic].setdefault(child.id, Wait(child.id, Reason.CHILD, child.line))
    ids = [task.id for task in plan.tasks if tasks[task.id] is task]
    order = _topological(ids, waits)
    waves = _waves(order, waits, epics)
    stages = {
        id_: Stage(
            tasks[id_],
            waits=tuple(waits[id_].values()),
            grouping=epics.get(id_),
            group=tasks[id_].parent if tasks[id_].parent in epics else None,
            wanted=None if id_ in epics else tasks[id_].agent or plan.meta.default_agent,
            children=tuple(child.id for child in children.get(id_, ())) if id_ in epics else (),
            wave=waves.get(id_, 0),
        )
        for id_ in ids
    }
    return Stages(plan, stages, tuple(order), tuple(_circles(ids, set(order), waits)))


#: What each task waits for, by the task and by what it waits for.
_Waits = dict[str, dict[str, Wait]]


def _grouping(task: Task, plan: Plan, children: Mapping[str, Sequence[Task]]) -> Grouping | None:
    if EPIC in task.tags:
        return Grouping.TAG
    nobody = task.agent is None and plan.meta.default_agent is None
    return Grouping.NO_AGENT if nobody and task.id in children else None


def _own(task: Task, tasks: Mapping[str, Task], epics: Mapping[str, Grouping]) -> dict[str, Wait]:
    """What the task itself says."""
    found = {
        on: Wait(on, Reason.DEPENDS_ON, task.line) for on in task.depends_on or () if on in tasks and on != task.id
    }
    if task.parent not in (None, task.id) and task.parent in tasks and task.parent not in epics:
        found.setdefault(task.parent, Wait(task.parent, Reason.PARENT, task.line))
    return found


def _follow_the_file(epic: str, children: Sequence[Task], waits: _Waits) -> None:
    """Let the tasks of an epic wait for those before them."""
    place = {child.id: number for number, child in enumerate(children)}
    free: set[str] = set()
    #: Those that the next task waits for: all before them are done when these are.
    last: dict[str, None] = {}
    for number, child in enumerate(children):
        if child.depends_on is None:
            for on in last:
                waits[child.id].setdefault(on, Wait(on, Reason.ORDER, child.line, epic))
            last = {child.id: None}
            continue
        within = [on for on in child.depends_on if on in place]
        if any(place[on] > number or on in free for on in within):
            free.add(child.id)
            continue
        for on in within:
            last.pop(on, None)
        last[child.id] = None


def _outermost_first(epics: Mapping[str, Grouping], tasks: Mapping[str, Task]) -> Iterator[str]:
    """Each epic after the one that it is in; those that are in each other are left out."""
    inside: dict[str, list[str]] = {}
    found = []
    for epic in epics:
        parent = tasks[epic].parent
        if parent is not None and parent in epics:
            inside.setdefault(parent, []).append(epic)
        else:
            found.append(epic)
    while found:
        epic = found.pop()
        found += inside.get(epic, ())
        yield epic


def _pass_on(epic: str, children: Sequence[Task], waits: _Waits) -> None:
    """Let the tasks of an epic wait for what it waits for; those behind another of its tasks do already."""
    siblings = {child.id for child in children}
    gate = [wait for wait in waits[epic].values() if wait.on not in siblings]
    for child in children if gate else ():
        own = waits[child.id]
        if own.keys().isdisjoint(siblings):
            for wait in gate:
                own.setdefault(wait.on, Wait(wait.on, Reason.EPIC, wait.line, epic))


def _topological(ids: Sequence[str], waits: _Waits) -> list[str]:
    """All ids, each after those it waits for, in the file's order wherever there is a choice."""
    place = {id_: number for number, id_ in enumerate(ids)}
    missing = {id_: len(waits[id_]) for id_ in ids}
    behind: dict[str, list[str]] = {id_: [] for id_ in ids}
    for id_ in ids:
        for on in waits[id_]:
            behind[on].append(id_)
    ready = [place[id_] for id_ in ids if not missing[id_]]
    order = []
    while ready:
        id_ = ids[heapq.heappop(ready)]
        order.append(id_)
        for one in behind[id_]:
            missing[one] -= 1
            if not missing[one]:
                heapq.heappush(ready, place[one])
    return order


def _waves(order: Sequence[str], waits: _Waits, epics: Mapping[str, Grouping]) -> dict[str, int]:
    waves: dict[str, int] = {}
    for id_ in order:
        latest = max(map(waves.__getitem__, waits[id_]), default=0)
        waves[id_] = latest if id_ in epics else latest + 1
    return waves


def _circles(ids: Sequence[str], ordered: set[str], waits: _Waits) -> Iterator[tuple[tuple[str, Wait], ...]]:
    """Circles among the tasks that have no place in the order: each of them waits for another such task."""
    seen: set[str] = set()
    for start in ids if len(ordered) < len(ids) else ():
        path: dict[str, Wait] = {}
        id_ = start
        while id_ not in ordered and id_ not in seen:
            seen.add(id_)
            path[id_] = next(wait for wait in waits[id_].values() if wait.on not in ordered)
            id_ = path[id_].on
        if id_ in path:
            steps = list(path.items())
            steps = steps[list(path).index(id_) :]
            first = min(range(len(steps)), key=lambda number: steps[number][1].line)
            yield (*steps[first:], *steps[:first])


def _told(circle: Sequence[tuple[str, Wait]]) -> Problem:
    names = [f"`{id_}`" for id_, _ in circle]
    whys = [f"`{id_}` {why(wait)} (line {wait.line})" for id_, wait in circle]
    if len(circle) > _NAMED:
        more = f"… ({len(circle) - _NAMED} more)"
        names[_NAMED - 1 : -1], whys[_NAMED - 1 : -1] = [more], [more]
    path = " -> ".join([*names, names[0]])
    said = f"tasks wait for each other in a circle: {path}: {'; '.join(whys)}"
    return Problem(circle[0][1].line, said, "remove one of these")


def why(wait: Wait) -> str:
    """A wait in words: what the task does, and where that is stated."""
    match wait.reason:
        case Reason.PARENT:
            return f"runs after its parent `{wait.on}`"
        case Reason.ORDER:
            return f"comes after `{wait.on}` in the epic `{wait.epic}`"
        case Reason.DEPENDS_ON:
            return f"depends on `{wait.on}`"
        case Reason.EPIC:
            return f"is in the epic `{wait.epic}`, which waits for `{wait.on}`"
        case Reason.CHILD:
            return f"is an epic that completes when `{wait.on}` has"
