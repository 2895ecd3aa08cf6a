"""Commands on tasks that people give: by hand, one by one, or in a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinytown.commands.table import ACTS, LOOKS, Caller, command

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

    return {"id": given.item.typed, "mission": given.mission.id, **item_json(given.item), "tags": given.item.labels}


def _tasks(found: Sequence[Given]) -> list[dict[str, Any]]:
    return [task_json(one) for one in found]


@command("assign", Assign, by=ACTS, shape=task_json)
def assign(caller: Caller, wanted: Assign) -> Given:
    """Give a task to an agent, or to anybody with a role."""
    from tinytown.engine.plan import by_hand

    return by_hand.assign(caller.context, by_hand.Assignment(wanted.to, wanted.text, wanted.after, wanted.tags))


@command("task.list", Which, by=LOOKS, shape=_tasks)
def list_all(caller: Caller, which: Which) -> Sequence[Given]:
    """The tasks of the plan and those given by hand, the oldest first."""
    from tinytown.engine.plan import by_hand

    return by_hand.select(caller.context, state=which.state, tag=which.tag, agent=which.agent)


@command("task.find", Named, by=LOOKS, shape=task_json)
def find(caller: Caller, named: Named) -> Given:
    """A task as it stands."""
    from tinytown.engine.plan import by_hand

    return by_hand.find(caller.context, named.id)


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


@command("task.retry", Named, by=ACTS, shape=task_json)
def retry(caller: Caller, named: Named) -> Given:
    """Try a task again that failed, was cancelled or waits for a person."""
    from tinytown.engine.operate import items
    from tinytown.engine.plan import by_hand

    given = by_hand.find(caller.context, named.id)
    items.retry(caller.context, given.mission.id, given.item.key)
    return by_hand.find(caller.context, named.id)


@command("task.cancel", Named, by=ACTS, shape=task_json)
def cancel(caller: Caller, named: Named) -> Given:
    """End a task, and the run of its agent."""
    from tinytown.engine.operate import items
    from tinytown.engine.plan import by_hand

    given = by_hand.find(caller.context, named.id)
    items.cancel(caller.context, given.mission.id, given.item.key, why="cancelled by hand")
    return by_hand.find(caller.context, named.id)
