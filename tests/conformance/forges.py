"""What every forge must do, built-in or plug-in.

Derive a class from ``ForgeConformance`` in a test module, give it a ``world`` fixture (see ``ForgeWorld``), and
pytest runs the suite. A forge that only reads passes ``IssueConformance``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from tests.waiting import wait_until
from tinytown import keys
from tinytown.errors import ConfigurationError, NotFoundError, StateError
from tinytown.forge.contract import Change, Forge, IssueList, MergeResult, Remote, Seen
from tinytown.git.repository import Git, is_sha
from tinytown.missions.records.evidence import Verdict

T = TypeVar("T")


class IssueWorld(Protocol):
    """A forge with one repository behind it."""

    forge: Forge
    base: str

    def put_issue(self, number: int, *, title: str, body: str = "", state: str = "open") -> None:
        """Make, or change, an issue."""
        ...


class ForgeWorld(IssueWorld, Protocol):
    """On the base branch of the repository there is a ``README.md``."""

    def another(self) -> Forge:
        """A forge object of the same town, as another process would make it."""
        ...

    def work(self, files: Mapping[str, str], *, branch: str, on: str | None = None) -> str:
        """Commit files into the mirror as a worker would, on the base's tip or on ``on``; gives the head."""
        ...

    def base_moves(self, files: Mapping[str, str]) -> str:
        """Somebody else commits to the base; gives the commit."""
        ...

    def base_goes(self) -> None:
        """Somebody deletes the base branch."""
        ...

    def squashed(self, branch: str) -> str:
        """Somebody brings a published branch into the base as a single commit, which is given."""
        ...

    def branch_goes(self, branch: str) -> None:
        """Somebody deletes a published branch."""
        ...

    def contents(self, revision: str) -> dict[str, str]:
        """Files of a commit or branch, as the repository itself (not the mirror) has them."""
        ...


BRANCH = "tt/abcdef12/one"


def passing(mirror: Path, sha: str) -> Verdict:
    return Verdict(passed=True, sha=sha)


class IssueConformance:
    """What concerns issues, and the base as it is read."""

    def test_a_forge_that_lists_its_issues_lists_those_that_are_open(self, world: IssueWorld) -> None:
        for number, state in ((12, "open"), (7, "completed"), (3, "open")):
            world.put_issue(number, title=f"Issue {number}", state=state)
        if isinstance(world.forge, IssueList):
            assert [keys.parse(key).number for key in world.forge.open_issues()] == [3, 12]

    def test_an_issue_is_read_by_the_key_of_what_a_user_types(self, world: IssueWorld) -> None:
        world.put_issue(7, title="Add a login", body="Depends on #3")
        key = world.forge.issue_key("7")
        assert keys.parse(key).number == 7
        assert world.forge.issue_key("#7") == world.forge.issue_key(key) == key
        issue = world.forge.issue(key)
        assert (issue.key, issue.number, issue.title, issue.state) == (key, 7, "Add a login", "open")
        assert "Depends on #3" in issue.body

    def test_an_issue_that_is_not_there_is_not_found_and_its_state_unknown(self, world: IssueWorld) -> None:
        key = world.forge.issue_key("4040")
        with pytest.raises(NotFoundError) as caught:
            world.forge.issue(key)
        assert caught.value.remedy
        assert world.forge.issue_state(key) == "unknown"

    @pytest.mark.parametrize("text", ["", "0", "-1", "x", "#", "1 2", "--issue", "1\n2", "a/b/c#1", "\u0661"])
    def test_what_is_no_reference_is_refused(self, world: IssueWorld, text: str) -> None:
        with pytest.raises(ConfigurationError):
            world.forge.issue_key(text)

    def test_a_closed_issue_says_so(self, world: IssueWorld) -> None:
        key = world.forge.issue_key("2")
        world.put_issue(2, title="Two")
        assert world.forge.issue_state(key) == "open"
        world.put_issue(2, title="Two", state="completed")
        assert world.forge.issue_state(key) == "completed"

    def test_the_tip_of_the_base_is_a_commit(self, world: IssueWorld) -> None:
        assert is_sha(world.forge.base_tip(world.forge.repo, world.base))
        with pytest.raises(StateError, match="nowhere"):
            world.forge.base_tip(world.forge.repo, "nowhere")


class ForgeConformance(IssueConformance):
    """The suite."""

    def change(self, world: ForgeWorld, head: str, *, branch: str = BRANCH, number: int = 1) -> Change:
        key = world.forge.issue_key(str(number))
        return Change(key=key, branch=branch, base=world.base, head=head, title="Say hello", body="")

    def publish(self, world: ForgeWorld, change: Change) -> Change:
        """The change as tinytown has it once it is published."""
        published = world.forge.publish(world.forge.repo, change)
        return replace(change, name=published.name, id=published.id, pushed=change.head)

    def merge(self, world: ForgeWorld, change: Change) -> MergeResult:
        return self.settled(world, self.publish(world, change))

    def settled(self, world: ForgeWorld, change: Change) -> MergeResult:
        """What a merge comes to, asked as long as it is on its way."""
        found: list[MergeResult] = []

        def settled() -> bool:
            found.append(world.forge.merge(world.forge.repo, change, checked_tree=None, checks=passing))
            return found[-1].status not in ("pending", "unknown")

        wait_until(settled, timeout=30, description="the merge comes to an end")
        return found[-1]

    def seen(self, world: ForgeWorld, change: Change) -> Seen:
        return world.forge.observe(world.forge.repo, change)

    # -- the repository ----------------------------------------------------------------------------

    def test_a_repository_in_order_passes(self, world: ForgeWorld) -> None:
        world.forge.preflight(world.base)

    def test_a_missing_base_is_refused(self, world: ForgeWorld) -> None:
        with pytest.raises(StateError, match="nowhere"):
            world.forge.preflight("nowhere")

    def test_the_mirror_follows_the_base(self, world: ForgeWorld) -> None:
        ref = f"refs/heads/{world.base}"
        first = world.forge.mirror(world.forge.repo)
        assert Git.own(first).commit(ref) == world.forge.base_tip(world.forge.repo, world.base)
        moved = world.base_moves({"new.txt": "new\n"})
        assert world.forge.mirror(world.forge.repo) == first
        assert Git.own(first).commit(ref) == moved

    def test_the_mirror_shares_nothing_and_keeps_our_branches(self, world: ForgeWorld) -> None:
        head = world.work({"a.txt": "a\n"}, branch=BRANCH)
        world.base_moves({"b.txt": "b\n"})
        mirror = world.forge.mirror(world.forge.repo)
        assert Git.own(mirror).commit(f"refs/heads/{BRANCH}") == head
        assert not (mirror / "objects/info/alternates").exists()
        files = [path for path in (mirror / "objects").rglob("*") if path.is_file()]
        assert files
        assert all(path.stat().st_nlink == 1 for path in files)

    def test_two_processes_may_update_the_mirror_at_once(self, world: ForgeWorld) -> None:
        tip = world.base_moves({"new.txt": "new\n"})
        forges = [world.another() for _ in range(3)]
        found = at_once(*[partial(forge.mirror, forge.repo) for forge in forges])
        assert len(set(found)) == 1
        assert Git.own(found[0]).commit(f"refs/heads/{world.base}") == tip

    # -- changes -----------------------------------------------------------------------------------

    def test_publishing_twice_gives_the_same_change(self, world: ForgeWorld) -> None:
        change = self.change(world, world.work({"a.txt": "a\n"}, branch=BRANCH))
        published = world.forge.publish(world.forge.repo, change)
        assert published.name
        assert world.forge.publish(world.forge.repo, change) == published
        known = self.publish(world, change)
        assert world.another().publish(world.forge.repo, known) == published
        assert world.contents(BRANCH)["a.txt"] == "a\n"
        seen = self.seen(world, known)
        assert (seen.state, seen.head, seen.sha) == ("open", change.head, None)

    def test_a_newer_head_goes_on_top(self, world: ForgeWorld) -> None:
        first = world.work({"a.txt": "1\n"}, branch=BRANCH)
        published = world.forge.publish(world.forge.repo, self.change(world, first))
        second = world.work({"a.txt": "2\n"}, branch=BRANCH, on=first)
        newer = replace(self.change(world, second), id=published.id, pushed=first)
        assert world.forge.publish(world.forge.repo, newer) == published
        assert world.contents(BRANCH)["a.txt"] == "2\n"
        assert self.seen(world, newer).head == second
        # A late repetition of the first changes nothing.
        again = world.forge.publish(world.forge.repo, self.change(world, first))
        assert (again.name, again.id) == (published.name, published.id)
        assert again.head in {"", second}
        assert world.contents(BRANCH)["a.txt"] == "2\n"

    def test_commits_of_somebody_else_are_never_overwritten(self, world: ForgeWorld) -> None:
        self.publish(world, self.change(world, world.work({"a.txt": "1\n"}, branch=BRANCH)))
        other = world.work({"a.txt": "other\n"}, branch="tt/abcdef12/other")
        with pytest.raises(StateError) as caught:
            world.forge.publish(world.forge.repo, self.change(world, other))
        assert BRANCH in caught.value.message
        assert caught.value.remedy
        assert world.contents(BRANCH)["a.txt"] == "1\n"

    def test_a_merge_brings_the_change_into_the_base_once(self, world: ForgeWorld) -> None:
        change = self.change(world, world.work({"a.txt": "a\n"}, branch=BRANCH))
        world.base_moves({"b.txt": "b\n"})
        merged = self.merge(world, change)
        assert (merged.status, merged.again) == ("merged", None)
        if isinstance(world.forge, Remote):
            own = Git.own(world.forge.mirror_folder(world.forge.repo))
            assert own.commit(f"refs/heads/{world.base}") == merged.sha, "this machine has it, without another question"
        assert merged.sha == world.forge.base_tip(world.forge.repo, world.base)
        contents = world.contents(world.base)
        assert (contents["a.txt"], contents["b.txt"]) == ("a\n", "b\n")
        again = self.merge(world, change)
        assert (again.status, again.sha) == ("merged", merged.sha)
        assert world.forge.base_tip(world.forge.repo, world.base) == merged.sha
        seen = self.seen(world, change)
        assert (seen.state, seen.sha) == ("merged", merged.sha)

    def test_the_commit_that_brought_a_change_stays_its_merge(self, world: ForgeWorld) -> None:
        change = self.change(world, world.work({"a.txt": "a\n"}, branch=BRANCH))
        merged = self.merge(world, change)
        world.base_moves({"later.txt": "later\n"})
        assert self.seen(world, change).sha == merged.sha
        assert self.merge(world, change).sha == merged.sha

    def test_a_change_that_a_person_merged_in_another_form_is_merged(self, world: ForgeWorld) -> None:
        change = self.publish(world, self.change(world, world.work({"a.txt": "a\n"}, branch=BRANCH)))
        world.base_moves({"b.txt": "b\n"})
        brought = world.squashed(BRANCH)
        assert brought != change.head
        world.base_moves({"later.txt": "later\n"})
        seen = self.seen(world, change)
        assert (seen.state, seen.sha) == ("merged", brought)
        tip = world.forge.base_tip(world.forge.repo, world.base)
        merged = self.settled(world, change)
        assert (merged.status, merged.sha) == ("merged", brought)
        assert world.forge.base_tip(world.forge.repo, world.base) == tip

    def test_a_branch_that_a_person_removed_is_not_open(self, world: ForgeWorld) -> None:
        change = self.publish(world, self.change(world, world.work({"a.txt": "a\n"}, branch=BRANCH)))
        world.branch_goes(BRANCH)
        seen = self.seen(world, change)
        assert seen.state in ("gone", "closed")
        assert (seen.head, seen.sha) == (None, None)

    def test_a_conflict_names_the_files_and_moves_nothing(self, world: ForgeWorld) -> None:
        change = self.change(world, world.work({"README.md": "ours\n"}, branch=BRANCH))
        tip = world.base_moves({"README.md": "theirs\n"})
        merged = self.merge(world, change)
        assert merged.status == "conflict"
        assert "README.md" in merged.details
        assert world.forge.base_tip(world.forge.repo, world.base) == tip

    def test_a_base_that_is_gone_is_said_to_be(self, world: ForgeWorld) -> None:
        change = self.change(world, world.work({"a.txt": "a\n"}, branch=BRANCH))
        change = self.publish(world, change)
        world.base_goes()
        assert self.settled(world, change).status == "gone"
        assert self.seen(world, change).sha is None


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Make all calls at the same time, each in a thread; their results in order. An error of one is raised."""
    barrier = threading.Barrier(len(calls))

    def call(one: Callable[[], T]) -> T:
        barrier.wait(timeout=30)
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(timeout=90) for future in [pool.submit(call, one) for one in calls]]
