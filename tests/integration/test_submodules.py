"""Submodules: filled from the person's own copies, without network, without running what those configure."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.repositories import BRANCH, Repository, a_change, a_town, new_repository, work_in
from tinytown.errors import StateError
from tinytown.forge.local.forge import LocalForge
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.workspace import Collected, Prepared

FILE = ("-c", "protocol.file.allow=always")


class Bench:
    """A repository with the submodule ``libs/one``, in which is another, ``two``; their origins can be taken away."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.origins = tmp_path / "origins"
        self.two = new_repository(self.origins / "two")
        self.two.commit("Two", {"two.txt": "two\n"})
        self.one = new_repository(self.origins / "one")
        self.one.git(*FILE, "submodule", "--quiet", "add", str(self.two.root), "two")
        self.one.commit("One", {"one.txt": "one\n", ".gitignore": "*.o\n"})
        self.repository = new_repository(tmp_path / "project")
        self.repository.git(*FILE, "submodule", "--quiet", "add", "--name", "first", str(self.one.root), "libs/one")
        self.repository.git(*FILE, "submodule", "--quiet", "update", "--init", "--recursive")
        self.repository.commit("With submodules")
        self.forge = LocalForge(a_town(self.repository.root))
        self.number = 0

    def prepare(self) -> Prepared:
        self.mirror = self.forge.mirror(self.forge.repo)
        self.number += 1
        folder = self.tmp_path / f"w/m/i/{self.number}"
        return workspace.prepare(self.mirror, folder, base_sha=self.repository.rev("main"), branch=BRANCH)

    def collect(self, prepared: Prepared) -> Collected:
        return workspace.collect(prepared, mirror=self.mirror, ref=f"refs/heads/{BRANCH}", message="Work\n")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_clones_of_agents_and_checks_hold_them_without_any_origin(bench: Bench) -> None:
    shutil.rmtree(bench.origins)
    trap = bench.tmp_path / "TRAP"
    script = bench.tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {trap}\n")
    script.chmod(0o755)
    copy = Repository(bench.repository.root / "libs/one")
    for key in ("core.fsmonitor", "core.sshCommand", "remote.origin.uploadpack", "filter.evil.smudge"):
        copy.git("config", key, str(script))
    trap.unlink(missing_ok=True)
    assert bench.forge.preflight("main") == []
    prepared = bench.prepare()
    check = workspace.prepare_at(bench.mirror, bench.tmp_path / "check", bench.repository.rev("main"))
    for folder in (prepared.folder, check.folder):
        assert (folder / "libs/one/one.txt").read_text() == "one\n"
        assert (folder / "libs/one/two/two.txt").read_text() == "two\n"
        clone = Repository(folder)
        assert clone.git("status", "--porcelain") == ""
        assert clone.git("submodule", "status").split()[:2] == [clone.rev("HEAD:libs/one"), "libs/one"]
        inner = Repository(folder / "libs/one")
        assert inner.git("remote") == ""
        assert inner.git("log", "-1", "--format=%s") == "One"
        inner.git("fsck")
    assert not trap.exists()

    # What a build leaves there, by the submodule's own rules, is no change of it.
    work_in(prepared.folder, {"work.txt": "w\n", "libs/one/made.o": "o\n"})
    collected = bench.collect(prepared)
    assert (collected.files, collected.refused) == (("work.txt",), ())
    assert not workspace.waits(prepared.folder)


def _edit(folder: Path) -> None:
    (folder / "one.txt").write_text("changed\n")


def _add(folder: Path) -> None:
    (folder / "more.txt").write_text("more\n")


def _delete(folder: Path) -> None:
    (folder / "one.txt").unlink()


def _commit(folder: Path) -> None:
    Repository(folder).commit("Mine", {"one.txt": "mine\n"})


def _stash(folder: Path) -> None:
    (folder / "one.txt").write_text("stashed\n")
    Repository(folder).git("stash")


def _inside(folder: Path) -> None:
    (folder / "two/two.txt").write_text("changed\n")


def _no_git(folder: Path) -> None:
    shutil.rmtree(folder / ".git")


@pytest.mark.parametrize("change", [_edit, _add, _delete, _commit, _stash, _inside, _no_git])
@pytest.mark.parametrize("commit", [(), ("By the agent",)])
def test_what_an_agent_changes_in_one_is_refused_and_kept(
    bench: Bench, change: Callable[[Path], None], commit: tuple[str, ...]
) -> None:
    prepared = bench.prepare()
    change(prepared.folder / "libs/one")
    work_in(prepared.folder, {"work.txt": "w\n"})
    if commit:
        Repository(prepared.folder).git("add", "work.txt")
        Repository(prepared.folder).git("commit", "-q", "-m", commit[0])
    collected = bench.collect(prepared)
    assert collected.files == ("work.txt",)
    assert "libs/one/: it is in a submodule" in collected.refused
    assert workspace.waits(prepared.folder)
    assert collected.head
    assert Repository(bench.mirror).rev(f"{collected.head}:libs/one") == bench.repository.rev("main:libs/one")


@pytest.mark.parametrize("how", ["never filled", "an older commit", "one within it"])
def test_one_that_is_not_there_is_refused_with_a_remedy_that_is_one(bench: Bench, how: str) -> None:
    root = bench.repository.root
    if how == "never filled":
        bench.repository.git("clone", "-q", str(root), str(bench.tmp_path / "fresh"))
    else:
        shutil.copytree(root, bench.tmp_path / "fresh", symlinks=True)
    fresh = Repository(bench.tmp_path / "fresh")
    match how:
        case "an older commit":
            newer = bench.one.commit("Newer", {"one.txt": "newer\n"})
            fresh.git("update-index", "--cacheinfo", f"160000,{newer},libs/one")
            fresh.git("commit", "-q", "-m", "Newer submodule")
        case "one within it":
            shutil.rmtree(fresh.root / ".git/modules/first/modules/two")
            shutil.rmtree(fresh.root / "libs/one/two")
    forge = LocalForge(a_town(fresh.root, repo="project"))
    with pytest.raises(StateError, match="libs/one") as refused:
        forge.preflight("main")
    # Found later, at an attempt, it is said in the same way; before an agent ran, that is no failure of the item.
    mirror = forge.mirror(forge.repo)
    with pytest.raises(StateError, match="libs/one"):
        workspace.prepare(mirror, bench.tmp_path / "w/9", base_sha=fresh.rev("main"), branch=BRANCH)
    assert not (bench.tmp_path / "w/9").exists()

    if how == "one within it":
        (fresh.root / "libs/one/two").mkdir()
        command = ["submodule", "--quiet", "update", "--init", "--recursive", "--force"]
        fresh.git(*FILE, *command)
    else:
        command = shlex.split(refused.value.remedy.partition("`")[2].partition("`")[0])[1:]
        fresh.git(*FILE, *command)
    forge.preflight("main")
    made = workspace.prepare(mirror, bench.tmp_path / "w/9", base_sha=fresh.rev("main"), branch=BRANCH)
    assert (made.folder / "libs/one/two/two.txt").read_text() == "two\n"


def test_the_base_may_move_one_and_add_another_while_work_goes_on(bench: Bench) -> None:
    """A fix round takes that in; where the person has not fetched it yet, that is said and is nobody's failure."""
    work_in(bench.prepare().folder, {"work.txt": "w\n"})
    begun = workspace.load(bench.tmp_path / "w/m/i/1")
    assert begun is not None
    head = bench.collect(begun).head or ""
    newer = bench.one.commit("Newer", {"one.txt": "newer\n"})
    bench.repository.git("update-index", "--cacheinfo", f"160000,{newer},libs/one")
    bench.repository.git(*FILE, "submodule", "--quiet", "add", str(bench.two.root), "libs/three")
    bench.repository.git("commit", "-q", "-m", "Moves one, adds one")
    base = bench.repository.rev("main")
    bench.forge.mirror(bench.forge.repo)

    def fix(name: str) -> Prepared:
        folder = bench.tmp_path / f"w/m/i/{name}"
        return workspace.prepare(bench.mirror, folder, base_sha=base, branch=BRANCH, resume=head, heads=[base])

    with pytest.raises(StateError, match="libs/one is empty, or does not have the recorded commit") as refused:
        fix("2")
    assert "git submodule update --init --recursive libs/one" in str(refused.value.remedy)
    bench.repository.git(*FILE, "submodule", "--quiet", "update", "--init", "--recursive")
    again = fix("3")
    assert (again.conflicts, again.unmarked) == ((), ())
    assert (again.folder / "libs/one/one.txt").read_text() == "newer\n"
    assert (again.folder / "libs/three/two.txt").read_text() == "two\n"
    assert Repository(again.folder).git("status", "--porcelain") == ""
    work_in(again.folder, {"more.txt": "m\n"})
    fixed = bench.collect(again)
    assert (fixed.files, fixed.refused) == (("more.txt",), ())
    for sha in (head, fixed.head or ""):
        change = a_change(sha, branch=BRANCH)
        bench.forge.publish(bench.forge.repo, change)
        assert bench.forge.merge(bench.forge.repo, change, checked_tree=None, checks=None).status == "merged"
    assert bench.repository.rev("main:libs/one") == newer
    assert "libs/three" in bench.repository.git("submodule", "status")


@pytest.mark.parametrize("where", [".gitmodules", "config update", "config active"])
def test_one_that_the_person_leaves_out_is_left_out(bench: Bench, where: str) -> None:
    bench.repository.git("submodule", "--quiet", "deinit", "-f", "libs/one")
    shutil.rmtree(bench.repository.root / ".git/modules")
    match where:
        case ".gitmodules":
            bench.repository.git("config", "-f", ".gitmodules", "submodule.first.update", "none")
            bench.repository.git("commit", "-qam", "Left out")
        case "config update":
            bench.repository.git("config", "submodule.first.update", "none")
        case "config active":
            bench.repository.git("config", "submodule.first.active", "false")
    bench.forge.preflight("main")
    prepared = bench.prepare()
    assert not any((prepared.folder / "libs/one").iterdir())
    work_in(prepared.folder, {"work.txt": "w\n"})
    assert bench.collect(prepared).refused == ()


def test_a_name_that_leads_elsewhere_is_none(bench: Bench, tmp_path: Path) -> None:
    elsewhere = new_repository(tmp_path / "secret")
    sha = elsewhere.commit("Private", {"password.txt": "hunter2\n"})
    name = "../../../secret/.git"
    bench.repository.commit("Evil", {".gitmodules": f'[submodule "{name}"]\n\tpath = x\n\turl = ./x\n'})
    bench.repository.git("update-index", "--add", "--cacheinfo", f"160000,{sha},x")
    bench.repository.git("commit", "-q", "-m", "Evil")
    prepared = bench.prepare()
    assert not any((prepared.folder / "x").iterdir())


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_lfs_files_in_one_are_filled_from_its_own_store_or_named(bench: Bench) -> None:
    """The submodule within it has none of its contents; what an agent does to them is refused as ever."""
    content = b"\0content\n" * 5000
    for origin in (bench.two, bench.one):
        origin.git("lfs", "install", "--local")
        origin.commit("LFS", {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "big.bin": content})
    bench.one.git("-C", "two", *FILE, "pull", "-q", str(bench.two.root), "main")
    bench.one.commit("Newer two")
    bench.repository.git("-C", "libs/one", *FILE, "pull", "-q", "--recurse-submodules=no", str(bench.one.root), "main")
    bench.repository.commit("Newer one")
    bench.repository.git(*FILE, "submodule", "--quiet", "update", "--init", "--recursive")
    store = bench.repository.root / ".git/modules/first/lfs"
    for left in (store, bench.repository.root / ".git/modules/first/modules/two/lfs"):
        shutil.rmtree(left, ignore_errors=True)
    absent = "not in the LFS store of the submodule, so agents and checks see a pointer: run `git -C libs/one"
    assert f"`libs/one/big.bin`: {absent} lfs pull`" in bench.forge.preflight("main")

    shutil.copytree(bench.one.root / ".git/lfs", store)
    remarks = bench.forge.preflight("main")
    assert remarks == [f"`libs/one/two/big.bin`: {absent}/two lfs pull`"]
    prepared = bench.prepare()
    check = workspace.prepare_at(bench.mirror, bench.tmp_path / "check", bench.repository.rev("main"))
    for folder in (prepared.folder, check.folder):
        assert (folder / "libs/one/big.bin").read_bytes() == content
        assert (folder / "libs/one/two/big.bin").read_text().startswith("version https://git-lfs")
        assert Repository(folder).git("status", "--porcelain") == ""
        assert Repository(folder / "libs/one").git("status", "--porcelain") == ""
    assert bench.collect(prepared).refused == ()
    (prepared.folder / "libs/one/big.bin").write_bytes(b"\0another\n" * 9)
    assert "libs/one/: it is in a submodule" in bench.collect(prepared).refused
