"""What this GitHub remembers. Git's own objects and branches are in a bare repository (``objects.py``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.github.objects import Bare
from tests.fakes.github.people import User
from tests.fakes.github.results import CheckRun, Run, Status, Suite


@dataclass(eq=False)
class Comment:
    """Below an issue or a pull request."""

    id: int
    author: User
    body: str
    created: float
    updated: float

    @property
    def node_id(self) -> str:
        return f"IC_{self.id}"


@dataclass(eq=False)
class Issue:
    """An issue, or the half of a pull request that is one."""

    repo: Repo
    id: int
    number: int
    title: str
    body: str | None
    #: Nobody, if the account was deleted.
    author: User | None
    created: float
    updated: float
    state: str = "open"
    reason: str | None = None
    closed: float | None = None
    closed_by: User | None = None
    labels: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    blocked_by: list[Issue] = field(default_factory=list)
    children: list[Issue] = field(default_factory=list)
    #: Whether the answer says how many issues block it; an older Enterprise server does not.
    summary: bool = True

    @property
    def node_id(self) -> str:
        return f"I_{self.id}"

    @property
    def key(self) -> str:
        return f"{self.repo.name}#{self.number}"


@dataclass(eq=False)
class Review:
    """An opinion; ``state`` is ``APPROVED``, ``CHANGES_REQUESTED``, ``COMMENTED``, ``DISMISSED`` or ``PENDING``."""

    id: int
    author: User
    state: str
    body: str
    commit: str
    at: float

    @property
    def node_id(self) -> str:
        return f"PRR_{self.id}"


@dataclass(eq=False)
class ReviewComment:
    """One line of a thread."""

    id: int
    author: User
    body: str
    at: float
    review: Review
    thread: Thread
    #: What it answers; nothing for the first of its thread.
    first: ReviewComment | None = None

    @property
    def node_id(self) -> str:
        return f"PRRC_{self.id}"


@dataclass(eq=False)
class Thread:
    """A conversation about a line of a file."""

    id: int
    pull: Pull
    path: str
    line: int
    #: The commit and the words that it was begun at.
    commit: str
    words: str
    comments: list[ReviewComment] = field(default_factory=list)
    resolved_by: User | None = None
    outdated: bool = False

    @property
    def node_id(self) -> str:
        return f"PRRT_{self.id}"


@dataclass(eq=False)
class Pull(Issue):
    """A pull request; its head and base are branches of the same repository."""

    head: str = ""
    head_sha: str = ""
    base: str = ""
    #: The base when the head was last looked at.
    base_sha: str = ""
    draft: bool = False
    merged: float | None = None
    merged_by: User | None = None
    #: The commit of the base that holds it; before, the commit that tests the merge.
    merge_sha: str | None = None
    auto_merge: dict[str, Any] | None = None
    reviews: list[Review] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    requested: list[User] = field(default_factory=list)
    #: How often it will still be said that mergeability is being computed.
    unknown: int = 1
    #: Who pushed its head last.
    pushed_by: User | None = None

    @property
    def node_id(self) -> str:
        return f"PR_{self.id}"


@dataclass
class Protection:
    """What a branch demands. A check is its context and the number of the app that must report it, if any."""

    checks: tuple[tuple[str, int | None], ...] = ()
    strict: bool = False
    reviews: int = 0
    dismiss_stale: bool = False
    last_push_approval: bool = False
    resolve_threads: bool = False
    code_owners: bool = False
    linear: bool = False
    #: Whether people with admin rights are bound by it too.
    admins: bool = False
    #: Whether it stops pushes to the branch itself.
    no_pushes: bool = True


@dataclass(eq=False)
class Repo:
    """A repository."""

    id: int
    name: str
    owner: User
    bare: Bare
    created: float
    default: str = "main"
    private: bool = False
    archived: bool = False
    methods: set[str] = field(default_factory=lambda: {"merge", "squash", "rebase"})
    allow_auto_merge: bool = True
    delete_on_merge: bool = False
    people: dict[str, str] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    #: Issues that are elsewhere now.
    transferred: dict[int, Issue] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    next_number: int = 1
    suites: list[Suite] = field(default_factory=list)
    checks: list[CheckRun] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    workflows: dict[str, Any] = field(default_factory=dict)
    #: Takes the workflows over from the files of a commit, where those are what runs.
    read_workflows: Callable[[Repo, str], None] | None = None
    protections: dict[str, Protection] = field(default_factory=dict)
    #: Rules of rulesets as they are answered, by branch.
    rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    #: Who pushed what: login, branch, before, after.
    pushes: list[tuple[str, str, str, str]] = field(default_factory=list)
    #: Called with a pull request and what happened to it.
    watchers: list[Callable[[Pull, str], None]] = field(default_factory=list)

    @property
    def node_id(self) -> str:
        return f"R_{self.id}"

    @property
    def pulls(self) -> list[Pull]:
        return [one for one in self.issues.values() if isinstance(one, Pull)]

    def by_number(self, number: int) -> Pull:
        found = self.issues[number]
        assert isinstance(found, Pull), f"{found.key} is no pull request"
        return found
