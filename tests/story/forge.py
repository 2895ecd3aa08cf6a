"""A forge in memory: issues, branches and a base, with the moods of a real one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinytown.errors import NotFoundError, TinytownError
from tinytown.forge.contract import Change, IssueState, MergeResult, Published, RunChecks, Seen
from tinytown.missions.records.issue import Issue
from tinytown.town import Town


class MemoryForge:
    """Implements the protocols ``Forge`` and ``FreeMerges``."""

    kind = "local"

    def __init__(self, town: Town) -> None:
        self.town = town
        self.issues: dict[str, Issue] = {}
        self.closed: set[str] = set()
        #: Head of each branch that was published.
        self.branches: dict[str, str] = {}
        #: Heads in the base, each with the commit that brought it; a head enters once.
        self.base: dict[str, str] = {}
        self.publishes = 0
        #: Each is raised by one call that reaches out.
        self.faults: list[TinytownError] = []

    @property
    def repo(self) -> str:
        return "local/town"

    def _meet(self) -> None:
        if self.faults:
            raise self.faults.pop()

    def preflight(self, base: str, repo: str | None = None) -> Sequence[str]:
        """It can always be worked in."""
        return ()

    def issue_key(self, reference: str) -> str:
        return f"{self.repo}#{reference}"

    def issue(self, key: str) -> Issue:
        try:
            return self.issues[key]
        except KeyError:
            raise NotFoundError(f"there is no issue {key}") from None

    def issue_state(self, key: str) -> IssueState:
        return "completed" if key in self.closed else "open"

    def base_tip(self, repo: str, base: str) -> str:
        return "tip"

    def mirror(self, repo: str) -> Path:
        raise AssertionError("no worker of the story has a mirror")

    def publish(self, repo: str, change: Change) -> Published:
        self.publishes += 1
        self._meet()
        self.branches[change.branch] = change.head
        return Published(change.branch)

    def merge(self, repo: str, change: Change, *, checked_tree: str | None, checks: RunChecks | None) -> MergeResult:
        sha = self.base.setdefault(change.head, f"merge-{len(self.base) + 1}")
        return MergeResult("merged", sha)

    def observe(self, repo: str, change: Change) -> Seen:
        if sha := self.base.get(change.head):
            return Seen("merged", sha=sha)
        head = self.branches.get(change.branch)
        return Seen("gone" if head is None else "open", head=head)

    def resembling(self, repo: str, change: Change) -> str | None:
        return None

    def on_base(self, repo: str, change: Change, revision: str) -> str | None:
        return revision if revision in self.base.values() else None

    def start_warnings(self) -> Sequence[str]:
        return ()
