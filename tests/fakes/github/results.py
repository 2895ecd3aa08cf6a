"""What was reported of a commit: checks, statuses, and runs of Actions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.fakes.github.people import App, User


@dataclass(eq=False)
class Suite:
    """The check runs of an app at a commit."""

    id: int
    app: App
    sha: str
    branch: str | None
    at: float

    @property
    def node_id(self) -> str:
        return f"CS_{self.id}"


@dataclass(eq=False)
class CheckRun:
    """A check; one of Actions has the number of its job."""

    id: int
    name: str
    sha: str
    app: App
    suite: Suite
    status: str
    conclusion: str | None
    started: float | None
    completed: float | None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    details: str | None = None
    external_id: str = ""
    annotations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def node_id(self) -> str:
        return f"CR_{self.id}"


@dataclass(eq=False)
class Status:
    """A commit status: the other way to report a result."""

    id: int
    sha: str
    context: str
    state: str
    description: str | None
    target: str | None
    creator: User
    at: float

    @property
    def node_id(self) -> str:
        return f"SC_{self.id}"


@dataclass(eq=False)
class Run:
    """A run of a workflow."""

    id: int
    number: int
    workflow: str
    file: str
    event: str
    branch: str
    sha: str
    suite: Suite
    actor: User
    created: float
    attempt: int = 1
    status: str = "queued"
    conclusion: str | None = None
    jobs: list[Job] = field(default_factory=list)
    updated: float = 0.0
    #: The pull request it ran for.
    pull: int | None = None

    @property
    def node_id(self) -> str:
        return f"WFR_{self.id}"


@dataclass(eq=False)
class Job:
    """A job of a run. ``check`` has its state."""

    run: Run
    check: CheckRun
    attempt: int
    needs: tuple[str, ...] = ()
    log: str = ""
    #: Name, conclusion of each step.
    steps: list[tuple[str, str | None]] = field(default_factory=list)
