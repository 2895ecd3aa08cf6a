"""A plan as its file states it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final, NamedTuple

from tinytown.missions.states import ItemState

#: The file that holds the plan of a folder.
FILE_NAME: Final = "tasks.toml"
#: The tag that makes a task an epic.
EPIC: Final = "epic"

#: What ``status`` may say, and the state of an item that it means. A file that is written says the first word of each.
STATES: Final[Mapping[str, ItemState]] = {
    "pending": ItemState.PENDING,
    "ready": ItemState.READY,
    "assigned": ItemState.ASSIGNED,
    "running": ItemState.RUNNING,
    "in_review": ItemState.IN_REVIEW,
    "fixing": ItemState.FIXING,
    "completed": ItemState.DONE,
    "done": ItemState.DONE,
    "failed": ItemState.FAILED,
    "cancelled": ItemState.CANCELLED,
    "skipped": ItemState.SKIPPED,
}
#: The word that is written for a state.
WORDS: Final[Mapping[ItemState, str]] = {state: word for word, state in reversed(list(STATES.items()))}


@dataclass(frozen=True, kw_only=True)
class Meta:
    """``[meta]``: what holds for the whole plan; ``None`` where it says nothing and the town's settings hold."""

    description: str = ""
    #: Agent or role of tasks that name none.
    default_agent: str | None = None
    reviewer_required: bool | None = None
    #: Branch that changes are merged into.
    base: str | None = None
    checks: tuple[str, ...] | None = None
    budget_usd: float | None = None
    budget_tokens: int | None = None
    line: int = field(default=0, compare=False)


class Task(NamedTuple):
    """One of ``[[tasks]]``. A tuple, as a plan may have thousands."""

    id: str
    description: str
    #: Agent or role that is to do it.
    agent: str | None = None
    status: ItemState = ItemState.PENDING
    parent: str | None = None
    #: ``None`` where the file says nothing; an empty list says that it waits for nothing.
    depends_on: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    result: str = ""
    #: Of an epic: its tasks may run at the same time.
    parallel: bool = False
    line: int = 0

    @property
    def title(self) -> str:
        """The first line of its description."""
        return self.description.strip().split("\n", 1)[0].strip()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that the file says."""

    meta: Meta = Meta()
    tasks: tuple[Task, ...] = ()

    def by_id(self) -> dict[str, Task]:
        """The tasks by their ids; where two have the same one, the first."""
        return {task.id: task for task in reversed(self.tasks)}


#: The keys of ``[meta]`` and of a task.
META_KEYS: Final = tuple(one.name for one in fields(Meta) if one.name != "line")
TASK_KEYS: Final = tuple(name for name in Task._fields if name != "line")


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong with a file: a line, a sentence, and what to do about it."""

    line: int
    message: str
    remedy: str

    def told(self, source: str) -> str:
        """All of it in one line, beginning with the place."""
        return f"{source}:{self.line}: {self.message}; {self.remedy}"
