"""A forge on a GitHub of its own, with a change to bring there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.fakes.github.hub import GitHub
from tests.fakes.repositories import a_github_town, work_in_mirror
from tinytown.forge.contract import Change, MergeResult
from tinytown.forge.github.issues import GitHubForge

REPO = "octo/site"
BRANCH = "tt/abcdef12/one"


class Bench:
    """One town; ``again`` is the same town in another process."""

    def __init__(self, root: Path, github: GitHub) -> None:
        self.github = github
        self.town = a_github_town(root / "town", github)
        self.forge = GitHubForge(self.town)

    def again(self) -> GitHubForge:
        return GitHubForge(self.town)

    def work(self, files: Mapping[str, str], *, on: str = "", branch: str = BRANCH) -> str:
        return work_in_mirror(self.forge.mirror(REPO), files, branch=branch, on=on or self.github.tip())

    def change(self, head: str = "", **more: object) -> Change:
        """A change with a commit of its own, if it is given none."""
        fields = {
            "key": f"{REPO}#1",
            "branch": BRANCH,
            "base": "main",
            "title": "Add a page",
            "body": "It adds a page.",
        }
        return Change(head=head or self.work({"a.txt": "a\n"}), **{**fields, **more})  # type: ignore[arg-type]

    def published(self, change: Change | None = None, **more: object) -> Change:
        """A change as tinytown has it once it is published."""
        change = change or self.change(**more)
        done = self.forge.publish(REPO, change)
        return replace(change, name=done.name, id=done.id, pushed=change.head)

    def merge(self, change: Change) -> MergeResult:
        return self.forge.merge(REPO, change, checked_tree=None, checks=None)

    def settled(self, change: Change) -> MergeResult:
        """What a merge comes to; GitHub says a few times at most that it is computing."""
        for _ in range(10):
            result = self.merge(change)
            if result.status != "pending":
                return result
        raise AssertionError(f"it is still pending: {result.details}")
