"""Whatever a change brings and however it comes together, the user's own git runs nothing in their checkout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes.repositories import Repository, a_change, a_town, new_repository
from tinytown.forge.contract import MergeResult
from tinytown.forge.local.forge import LocalForge
from tinytown.git import unsafe_paths
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.workspace import Collected

#: A repository among the files that is complete, so that git obeys it.
PARTS = {"HEAD": "ref: refs/heads/main\n", "objects/keep": "", "refs/keep": ""}


@dataclass
class Bench:
    """A user's checkout, and agents that bring changes to it."""

    repository: Repository
    forge: LocalForge
    trap: Path
    base: str = ""
    number: int = 0
    seen: list[Collected] = field(default_factory=list)

    @property
    def config(self) -> str:
        script = self.trap.with_name("evil.sh")
        script.write_text(f"#!/bin/sh\ntouch {self.trap}\n")
        script.chmod(0o755)
        core = f"[core]\n\tbare = false\n\tworktree = .\n\tfsmonitor = {script}\n\tpager = {script}\n"
        return f"{core}[alias]\n\tx = !{script}\n"

    def attempt(self, work: Callable[[Repository], None], *, commit: bool = False) -> str | None:
        """An attempt on the base as it was at first; the head of what was taken of it."""
        self.number += 1
        mirror = self.forge.mirror(self.forge.repo)
        branch = f"tt/abcdef12/local-project-{self.number}"
        folder = self.trap.parent / f"w/m/i/{self.number}"
        prepared = workspace.prepare(mirror, folder, base_sha=self.base, branch=branch)
        copy = Repository(folder)
        work(copy)
        if commit:
            copy.commit("Mine")
        collected = workspace.collect(prepared, mirror=mirror, ref=f"refs/heads/{branch}", message="Work\n")
        self.seen.append(collected)
        return collected.head

    def merge(self, head: str) -> MergeResult:
        change = a_change(head, branch=f"tt/abcdef12/local-project-{self.number}")
        return self.forge.merge(self.forge.repo, change, checked_tree=None, checks=None)

    def springs(self, root: Path) -> bool:
        """Whether git runs the trap for somebody who types the usual in any folder of a checkout."""
        environment = {**os.environ, "HOME": str(self.trap.parent), "GIT_PAGER_IN_USE": "1"}
        for folder in (root, *(path for path in root.rglob("*") if path.is_dir() and ".git" not in path.parts)):
            for command in (["status"], ["log", "-1"], ["x"], ["diff"]):
                subprocess.run(["git", *command], cwd=folder, capture_output=True, env=environment, check=False)
        found = self.trap.exists()
        self.trap.unlink(missing_ok=True)
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    repository = new_repository(tmp_path / "project")
    forge = LocalForge(a_town(repository.root))
    return Bench(repository, forge, tmp_path / "TRAP", base=repository.rev("main"))


def whole(bench: Bench, copy: Repository) -> None:
    copy.write({f"d/e/{name}": text for name, text in PARTS.items()} | {"d/e/config": bench.config})


def links(bench: Bench, copy: Repository) -> None:
    """Its folders are links to others, which nobody would take for such."""
    copy.write({"d/HEAD": PARTS["HEAD"], "d/config": bench.config})
    (copy.root / "d/objects").symlink_to("../src")
    (copy.root / "d/refs").symlink_to("../src")


def linked_head(bench: Bench, copy: Repository) -> None:
    copy.write({"d/objects/x": "", "d/refs/x": "", "d/config": bench.config})
    (copy.root / "d/HEAD").symlink_to("refs/heads/main")


def common(bench: Bench, copy: Repository) -> None:
    """What is missing is in another folder, and that one has no HEAD."""
    copy.write({"d/HEAD": PARTS["HEAD"], "d/commondir": "../other\n", "other/config": bench.config})
    copy.write({"other/objects/x": "", "other/refs/x": ""})


@pytest.mark.parametrize("commit", [False, True], ids=["left", "committed"])
@pytest.mark.parametrize("plant", [whole, links, linked_head, common])
def test_a_repository_among_the_files_is_not_taken(
    bench: Bench, plant: Callable[[Bench, Repository], None], commit: bool
) -> None:
    def work(copy: Repository) -> None:
        plant(bench, copy)
        copy.write({"work.txt": "work\n"})
        assert bench.springs(copy.root), "git does not obey it, so this test could not fail"

    head = bench.attempt(work, commit=commit)
    assert head is not None
    assert any("a git repository of its own" in reason for reason in bench.seen[-1].refused)
    assert bench.merge(head).status == "merged"
    assert (bench.repository.root / "work.txt").exists()
    assert not bench.springs(bench.repository.root)


@pytest.mark.parametrize("commit", [False, True], ids=["left", "committed"])
def test_what_is_half_there_is_not_made_whole(bench: Bench, commit: bool) -> None:
    """One attempt brings the half of it, the next one, that begins there, the rest."""
    first = bench.attempt(lambda copy: copy.write({"d/objects/x": "", "d/refs/x": "", "d/config": bench.config}))
    assert first is not None
    assert not bench.seen[-1].refused
    assert bench.merge(first).status == "merged"
    bench.base = bench.repository.rev("main")
    bench.attempt(lambda copy: copy.write({"d/HEAD": PARTS["HEAD"], "work.txt": "w\n"}), commit=commit)
    assert any("a git repository of its own" in reason for reason in bench.seen[-1].refused)
    assert bench.seen[-1].files == ("work.txt",)


def test_two_changes_that_make_one_together_are_not_merged(bench: Bench) -> None:
    """Neither of the two is one; only the merge would be."""
    first = bench.attempt(lambda copy: copy.write({"d/objects/x": "", "d/refs/x": "", "d/config": bench.config}))
    second = bench.attempt(lambda copy: copy.write({"d/HEAD": PARTS["HEAD"]}))
    assert first is not None
    assert second is not None
    assert bench.merge(first).status == "merged"
    result = bench.merge(second)
    assert (result.status, result.details.splitlines()[1:]) == ("check_failed", ["d/: a git repository of its own"])
    assert not bench.springs(bench.repository.root)


def test_a_repository_that_a_person_keeps_there_is_theirs_to_change(bench: Bench) -> None:
    parts = {f"fixtures/bare.git/{name}": text for name, text in PARTS.items()}
    bench.base = bench.repository.commit("Fixtures", {**parts, "fixtures/bare.git/config": "[core]\n\tbare = true\n"})
    head = bench.attempt(lambda copy: copy.write({"fixtures/bare.git/config": bench.config, "fixtures/new": "n\n"}))
    assert head is not None
    assert bench.seen[-1].files == ("fixtures/new",)
    assert bench.seen[-1].refused == ("fixtures/bare.git/: a git repository of its own",)
    assert bench.merge(head).status == "merged"
    assert not bench.springs(bench.repository.root)


def test_a_link_that_a_merge_moves_does_not_leave_the_tree(bench: Bench) -> None:
    """The person moves it up while an agent makes it lead as far out as it may where it was."""
    (bench.repository.root / "a/b/c").mkdir(parents=True)
    (bench.repository.root / "a/b/c/link").symlink_to("../x")
    bench.base = bench.repository.commit("A link", {"a/b/x": "x\n"})

    def work(copy: Repository) -> None:
        (copy.root / "a/b/c/link").unlink()
        (copy.root / "a/b/c/link").symlink_to("../../../README.md")

    head = bench.attempt(work)
    assert head is not None
    bench.repository.git("mv", "a/b/c/link", "link")
    bench.repository.commit("Move it")
    result = bench.merge(head)
    assert result.status in ("check_failed", "conflict")
    assert result.details.splitlines()[-1] == "link: a link out of the tree"


@pytest.mark.parametrize(
    ("brought", "there", "found"),
    [
        (["d/HEAD", "d/objects/x", "d/refs/x"], [], ["d/"]),
        (["HEAD", "objects/x", "refs/x"], [], []),
        (["d/Head", "d/OBJECTS/x", "d/refs"], [], ["d/"]),
        (["d/HE\u200cAD", "d/object\u017f", "d/refs"], [], ["d/"]),
        (["d/HEAD", "d/objects/x"], [], []),
        (["d/x"], ["d/HEAD", "d/objects", "d/refs"], ["d/"]),
        (["e/x"], ["d/HEAD", "d/objects", "d/refs"], []),
        (["d/HEAD/x", "d/objects/x", "d/refs/x"], [], []),
        (["d/commondir"], ["d/head"], ["d/"]),
        (["a/b/HEAD", "a/b/objects/d/HEAD", "a/b/refs/x", "a/b/objects/d/commondir"], [], ["a/b/", "a/b/objects/d/"]),
    ],
)
def test_what_git_takes_for_a_repository(brought: list[str], there: list[str], found: list[str]) -> None:
    """By any name that some file system takes for these."""
    assert unsafe_paths.repositories(brought, there) == found
