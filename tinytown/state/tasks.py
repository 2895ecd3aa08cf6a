"""Where tasks are: the mission of the plan, and those of tasks that were given by hand."""

from __future__ import annotations

from tinytown.state.database import answering
from tinytown.state.store import Store


def plan_mission(store: Store) -> str | None:
    """The mission of the town's plan, whether it has ended or not; ``None`` while none was recorded."""
    with answering():
        found = store.client.get(store.keys.plan)
    return str(found) if found else None


def hand_mission(store: Store) -> str | None:
    """The mission that takes the next task that is given by hand, unless it has ended."""
    with answering():
        found = store.client.get(store.keys.hand)
    return str(found) if found else None


def by_hand(store: Store) -> dict[str, str]:
    """The mission of each task that was given by hand, by its id."""
    with answering():
        return {str(id_): str(mission) for id_, mission in store.client.hgetall(store.keys.tasks).items()}


def mission_of(store: Store, id_: str) -> str | None:
    """The mission of a task that was given by hand."""
    with answering():
        found = store.client.hget(store.keys.tasks, id_)
    return str(found) if found else None


def next_number(store: Store) -> int:
    """A number for a task that is given by hand, never given before."""
    with answering():
        return int(store.client.incr(store.keys.tasks_number))
