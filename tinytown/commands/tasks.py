"""Commands on tasks that people give: by hand, one by one, or in a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinytown.commands.table import ACTS, ANSWERS, LOOKS, SEES, Caller, Who, command
from tinytown.errors import StateError

if TYPE_CHECKING:
    from tinytown.engine.plan.by_hand import Given


@dataclass(frozen=True)
class Assign:
    """A task for an agent, or for anybody with a role."""

    to: str
    text: str
    #: Ids of tasks that must be done first.
    after: Sequence[str] = ()
    tags: Sequence[str] = ()


@dataclass(frozen=True)
class Which:
    """The tasks to list; an empty text means any."""

    state: str = ""
    tag: str = ""
    agent: str = ""


@dataclass(frozen=True)
class Named:
    """A task by its id."""

    id: str


@dataclass(frozen=True)
class Whose:
    """The agent whose work is asked for; empty: everybody's."""

    agent: str = ""


@dataclass(frozen=True)
class Retry(Named):
    """A task to try again."""

    #: It and all that waited for it, whether done or not.
    onwards: bool = False


@dataclass(frozen=True)
class Settle(Named):
    """How a task that a person did, or gave up, ended."""

    text: str = ""


@dataclass(frozen=True)
class Wait(Named):
    """A task to wait for, for so many seconds; ``None`` for ever."""

    timeout: float | None = None


def task_json(given: Given) -> dict[str, Any]:
    """Stable keys of a task."""
    from tinytown.engine.views.missions import item_json

    return {
        "id": given.item.typed,
        "mission": given.mission.id,
        **item_json(given.item),
        "tags": given.item.labels,
        "directed_to": given.item.directed_to,
        "entry": given.item.entry or None,
    }


def _tasks(found: Sequence[Given]) -> list[dict[str, Any]]:
    return [task_json(one) for one in found]


@command("assign", Assign, by=ACTS, shape=task_json)
def assign(caller: Caller, wanted: Assign) -> Given:
    """Give a task to an agent, or to anybody with a role."""
    from tinytown.engine.plan import by_hand

    return by_hand.assign(caller.context, by_hand.Assignment(wanted.to, wanted.text, wanted.after, wanted.tags))


@command("task.list", Which, by=SEES, shape=_tasks)
def list_all(caller: Caller, which: Which) -> Sequence[Given]:
    """The tasks of the plan and those given by hand, the oldest first."""
    from tinytown.engine.plan import by_hand
    from tinytown.engine.views.tasks import explained

    found = by_hand.select(caller.context, state=which.state, tag=which.tag, agent=which.agent)
    return explained(caller.context, found)


@command("task.lines", Which, by=LOOKS)
def lines(caller: Caller, which: Which) -> Sequence[Mapping[str, Any]]:
    """The same in a line each: quick, however many there are."""
    from tinytown.engine.views.tasks import lines as view

    return view(caller.context, state=which.state, tag=which.tag, agent=which.agent)


@command("task.find", Named, by=SEES, shape=task_json)
def find(caller: Caller, named: Named) -> Given:
    """A task as it stands."""
    from tinytown.engine.plan import by_hand
    from tinytown.engine.views.tasks import explained

    return explained(caller.context, [by_hand.find(caller.context, named.id)])[0]


@command("task.show", Named, by=LOOKS)
def show(caller: Caller, named: Named) -> Mapping[str, Any]:
    """A task with its whole text, and what it left."""
    from tinytown.engine.views.tasks import text_and_result

    given = find(caller, named)
    text, result = text_and_result(caller.context, given)
    return {**task_json(given), "text": text, "result": result}


@command("task.at_hand", Whose, by=LOOKS)
def at_hand(caller: Caller, wanted: Whose) -> Sequence[Mapping[str, Any]]:
    """What agents are at work on now: tasks, issues, reviews; the oldest first."""
    from tinytown.engine.views.tasks import at_hand as view

    return view(caller.context, wanted.agent)


@command("task.wait", Wait, by=LOOKS, shape=task_json)
def wait(caller: Caller, wanted: Wait) -> Given:
    """Wait until a task has ended."""
    from tinytown.engine.plan import by_hand

    return by_hand.wait(caller.context, wanted.id, timeout=wanted.timeout)


@command("task.done", Settle, by=ACTS, shape=task_json)
def done(caller: Caller, wanted: Settle) -> Given:
    """Say that a task is done."""
    from tinytown.engine.plan import by_hand
    from tinytown.missions.states import ItemState

    return by_hand.settle(caller.context, wanted.id, ItemState.DONE, wanted.text)


@command("task.give_up", Settle, by=ACTS, shape=task_json)
def give_up(caller: Caller, wanted: Settle) -> Given:
    """Say that a task cannot be done."""
    from tinytown.engine.plan import by_hand
    from tinytown.missions.states import ItemState

    return by_hand.settle(caller.context, wanted.id, ItemState.FAILED, wanted.text)


def _retried(result: tuple[Given, Sequence[str]]) -> dict[str, Any]:
    given, begun = result
    return {**task_json(given), "begun": list(begun)}


@command("task.retry", Retry, by=ANSWERS, shape=_retried)
def retry(caller: Caller, wanted: Retry) -> tuple[Given, Sequence[str]]:
    """Try a task again that failed, was cancelled or waits for a person; gives it, and the ids of all that begin."""
    from tinytown.engine.operate import items
    from tinytown.engine.plan import again, by_hand

    given = by_hand.find(caller.context, wanted.id)
    caller.touches(given.mission.id)
    if wanted.onwards:
        if caller.who is Who.CONDUCTOR:
            raise StateError("what is done stays done, unless a person begins it again", remedy="retry the task alone")
        return again.begin_again(caller.context, wanted.id)
    items.retry(caller.context, given.mission.id, given.item.key)
    return by_hand.find(caller.context, wanted.id), [wanted.id]


@command("task.cancel", Named, by=ANSWERS, shape=task_json)
def cancel(caller: Caller, named: Named) -> Given:
    """End a task, and the run of its agent."""
    from tinytown.engine.operate import items
    from tinytown.engine.plan import by_hand

    given = by_hand.find(caller.context, named.id)
    caller.touches(given.mission.id)
    why = "cancelled by the conductor" if caller.who is Who.CONDUCTOR else "cancelled by hand"
    items.cancel(caller.context, given.mission.id, given.item.key, why=why)
    return by_hand.find(caller.context, named.id)
