"""What a forge is: where issues come from and where changes go.

There are two implementations, ``local`` and ``github``; a third one is found by the entry point ``tinytown.forges``,
and is correct when it passes ``tests/conformance/forges.py``. A forge knows nothing of missions; it answers questions
and does single, idempotent things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.issue import Issue
from tinytown.town import Town

IssueState = Literal["open", "completed", "not_planned", "unknown"]


@dataclass(frozen=True)
class Change:
    """A branch that wants to be merged."""

    key: str
    branch: str
    base: str
    head: str
    title: str
    body: str


@dataclass(frozen=True)
class MergeResult:
    """How a merge ended.

    ``merged`` (commit of the base), ``conflict``, ``check_failed``, ``base_moved`` (try again),
    ``base_dirty`` (the user's checkout stands in the way: wait and say so), ``gone`` (base missing).
    """

    status: Literal["merged", "conflict", "check_failed", "base_moved", "base_dirty", "gone"]
    sha: str | None = None
    #: Conflicting files, the log's tail, what stands in the way, or what is worth knowing of a merge.
    details: str = ""


class RunChecks(Protocol):
    """Runs the town's checks in a clean clone of this commit of the mirror and gives the verdict."""

    def __call__(self, mirror: Path, sha: str) -> Verdict: ...


@dataclass(frozen=True)
class Access:
    """What this town may do at its forge."""

    repo: str
    #: Where the token was found; ``None`` without one.
    token: str | None
    #: ``None`` where the forge does not tell.
    may_push: bool | None
    #: Of the rate limit, where there is one.
    requests_left: int | None


@runtime_checkable
class AccessCheck(Protocol):
    """What a forge may also offer: to tell what its token permits."""

    def access(self) -> Access:
        """Ask the forge once; raises what any other question may raise."""
        ...


@runtime_checkable
class PublishedBranches(Protocol):
    """What a forge may also offer: to tell what became of a published branch that people merge."""

    def branch_is_there(self, repo: str, change: Change) -> bool:
        """Whether the change's branch is still in the repository."""
        ...

    def resembling(self, repo: str, change: Change) -> str | None:
        """The commit of the base that most likely brought the change in another form, if there is one."""
        ...

    def on_base(self, repo: str, change: Change, revision: str) -> str | None:
        """The commit that ``revision`` means, if the change's base contains it."""
        ...


@runtime_checkable
class IssueList(Protocol):
    """What a forge may also offer: to list the open issues."""

    def open_issues(self) -> Sequence[str]:
        """Keys of the open issues of the town's own repository, by number; the errors are those of ``issue``."""
        ...


class Forge(Protocol):
    """See the module. Every method may raise ``UnreachableError``."""

    kind: str

    def __init__(self, town: Town) -> None: ...

    @property
    def repo(self) -> str:
        """The town's own repository: ``owner/name`` or ``local/<slug>``."""
        ...

    def preflight(self, base: str, repo: str | None = None) -> Sequence[str]:
        """Raise ``StateError`` if a mission could not work: no commits, a detached head, a missing base.

        Gives remarks for the one who starts it, e.g. of uncommitted changes. Without ``repo`` the town's own
        repository is meant.
        """
        ...

    def issue_key(self, reference: str) -> str:
        """The key of what a user typed (``2``, ``owner/repo#2``, a URL).

        Raises ``ConfigurationError`` if it is not a reference of this forge.
        """
        ...

    def issue(self, key: str) -> Issue:
        """Read an issue; raises ``NotFoundError``."""
        ...

    def issue_state(self, key: str) -> IssueState:
        """Whether an issue outside the mission is settled; ``unknown`` where it cannot be told."""
        ...

    def base_tip(self, repo: str, base: str) -> str:
        """Newest commit of the base branch.

        Raises:
            BaseGoneError: it is proven that there is no such branch.
            NotFoundError: the repository cannot be seen, which proves nothing.
        """
        ...

    def mirror(self, repo: str) -> Path:
        """This machine's bare mirror of the repository, brought up to date with it.

        Its objects are its own: no hard links, no alternates. Branches ``tt/…`` in it are ours and are
        never overwritten by an update.
        """
        ...

    def publish(self, repo: str, change: Change) -> str:
        """Bring the branch from the mirror to the repository and open or adopt its change; gives its name.

        Idempotent. Never overwrites commits it does not contain: raises ``StateError`` instead.
        """
        ...

    def merge(self, repo: str, change: Change, *, checked_tree: str | None, checks: RunChecks | None) -> MergeResult:
        """Merge exactly ``change.head`` into the base.

        The checks run on the merged tree unless it is the tree ``checked_tree`` (already proven). The base
        advances by compare-and-swap. A head that the base holds already is ``merged``.
        """
        ...

    def merged_sha(self, repo: str, change: Change) -> str | None:
        """The base's commit that brought ``change.head`` or its content, however that was done, or ``None``."""
        ...

    def start_warnings(self) -> Sequence[str]:
        """Remarks on this forge for the one who starts a mission, e.g. that no checks are configured."""
        ...
