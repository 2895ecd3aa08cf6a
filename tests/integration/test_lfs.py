"""git-lfs, the real one: clones hold contents, commits hold pointers, and the person's checkout stays clean."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fakes.repositories import BRANCH, Repository, a_change, a_town, new_repository, work_in
from tinytown import programs
from tinytown.forge.local.forge import LocalForge
from tinytown.git import lfs
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.workspace import Collected, Prepared

pytestmark = pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")

OLD, NEW = b"\0old\n" * 5000, b"\0new\n" * 7000


def pointer(content: bytes) -> str:
    return lfs.Pointer(hashlib.sha256(content).hexdigest(), len(content)).text().decode().strip()


class Bench:
    """A repository with LFS files, and what an attempt does with it."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.repository = new_repository(tmp_path / "project")
        self.repository.git("lfs", "install", "--local")
        self.repository.commit(
            "LFS", {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "big.bin": OLD, "sub/a.bin": b"a"}
        )
        assert self.repository.show("main:big.bin") == pointer(OLD), "git-lfs works in the person's repository"
        self.forge = LocalForge(a_town(self.repository.root))
        self.number = 0

    def prepare(self, *, resume: str | None = None) -> Prepared:
        self.mirror = self.forge.mirror(self.forge.repo)
        self.number += 1
        folder = self.tmp_path / f"w/m/i/{self.number}"
        base = self.repository.rev("main")
        return workspace.prepare(self.mirror, folder, base_sha=base, branch=BRANCH, resume=resume)

    def collect(self, prepared: Prepared) -> Collected:
        return workspace.collect(prepared, mirror=self.mirror, ref=f"refs/heads/{BRANCH}", message="Work\n")

    def merge(self, head: str) -> None:
        change = a_change(head)
        self.forge.publish(self.forge.repo, change)
        result = self.forge.merge(self.forge.repo, change, checked_tree=None, checks=None)
        assert result.status == "merged", result

    def assert_clean(self) -> None:
        """Even where nothing is taken from memory: each file is put through its filter anew."""
        for name in self.repository.git("ls-files").splitlines():
            os.utime(self.repository.root / name)
        assert self.repository.git("status", "--porcelain") == ""
        assert self.repository.git("lfs", "fsck", "--objects") == "Git LFS fsck OK"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# -- clones --------------------------------------------------------------------------------------------


def test_clones_of_agents_and_checks_hold_contents_and_are_clean(bench: Bench, tmp_path: Path) -> None:
    prepared = bench.prepare()
    check = workspace.prepare_at(bench.mirror, tmp_path / "check", bench.repository.rev("main"))
    for folder in (prepared.folder, check.folder):
        assert (folder / "big.bin").read_bytes() == OLD
        copy = Repository(folder)
        assert copy.git("status", "--porcelain") == ""
        copy.git("config", "filter.lfs.clean", "false")
        copy.git("config", "filter.lfs.process", "")
        assert copy.git("status", "--porcelain") == "", "told by the index alone, without git-lfs"
    assert not bench.collect(prepared).changed


def test_git_lfs_works_in_an_agents_clone(bench: Bench) -> None:
    prepared = bench.prepare()
    copy = Repository(prepared.folder)
    (prepared.folder / "big.bin").write_bytes(b"spoilt")
    copy.git("checkout", "--", "big.bin")
    assert (prepared.folder / "big.bin").read_bytes() == OLD
    os.utime(prepared.folder / "big.bin")
    assert copy.git("status", "--porcelain") == ""
    assert not bench.collect(prepared).changed


def test_a_content_that_is_damaged_in_the_store_is_not_given_out(bench: Bench) -> None:
    oid = hashlib.sha256(OLD).hexdigest()
    stored = bench.repository.root / ".git/lfs" / lfs.place(oid)
    stored.chmod(0o644)
    stored.write_bytes(OLD.replace(b"old", b"odd"))
    assert (bench.prepare().folder / "big.bin").read_text().strip() == pointer(OLD)


# -- what comes home -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", ["left in the files", "committed with git-lfs", "committed raw", "committed as a pointer"]
)
def test_a_change_becomes_a_pointer_and_its_content_is_there_after_the_merge(bench: Bench, how: str) -> None:
    prepared = bench.prepare()
    copy = work_in(prepared.folder, {"big.bin": NEW, "new/b.bin": b"b" * 99, "text.txt": "text\n"})
    if how == "committed raw":
        copy.git("config", "filter.lfs.clean", "")
        copy.git("config", "filter.lfs.process", "")
    if how == "committed as a pointer":
        copy.git("add", "-A")
        copy.write({"big.bin": f"{pointer(NEW)}\n"})
    if how != "left in the files":
        copy.commit("By the agent")
    collected = bench.collect(prepared)
    assert collected.head
    assert set(collected.files) == {"big.bin", "new/b.bin", "text.txt"}
    mirror = Repository(bench.mirror)
    assert mirror.show(f"{collected.head}:big.bin") == pointer(NEW)
    assert mirror.show(f"{collected.head}:new/b.bin") == pointer(b"b" * 99)
    for commit in mirror.git("rev-list", f"{prepared.start_sha}..{collected.head}").splitlines():
        assert mirror.show(f"{commit}:big.bin") == pointer(NEW), "no commit on the way holds it raw"
    by_agent = "By the agent" in mirror.git("log", "--format=%s", collected.head)
    assert by_agent == (how in ("committed with git-lfs", "committed as a pointer"))

    workspace.remove(prepared.folder)
    check = workspace.prepare_at(bench.mirror, bench.tmp_path / "check", collected.head)
    assert (check.folder / "big.bin").read_bytes() == NEW
    bench.merge(collected.head)
    assert (bench.repository.root / "big.bin").read_bytes() == NEW
    assert (bench.repository.root / "new/b.bin").read_bytes() == b"b" * 99
    bench.assert_clean()


def test_a_later_attempt_goes_on_from_the_content_of_the_one_before(bench: Bench) -> None:
    prepared = bench.prepare()
    work_in(prepared.folder, {"big.bin": NEW})
    first = bench.collect(prepared).head
    workspace.remove(prepared.folder)
    again = bench.prepare(resume=first)
    assert (again.folder / "big.bin").read_bytes() == NEW
    work_in(again.folder, {"sub/a.bin": b"aa"})
    second = bench.collect(again)
    assert second.files == ("sub/a.bin",)
    assert second.head
    bench.merge(second.head)
    assert (bench.repository.root / "big.bin").read_bytes() == NEW
    bench.assert_clean()


@pytest.mark.parametrize("how", ["deleted", "moved", "made executable", "emptied"])
def test_what_else_may_become_of_a_file(bench: Bench, how: str) -> None:
    prepared = bench.prepare()
    file = prepared.folder / "big.bin"
    match how:
        case "deleted":
            file.unlink()
        case "moved":
            file.rename(prepared.folder / "moved.bin")
        case "made executable":
            file.chmod(0o755)
        case "emptied":
            file.write_bytes(b"")
    collected = bench.collect(prepared)
    assert collected.head
    assert collected.refused == ()
    bench.merge(collected.head)
    root = bench.repository.root
    assert (root / "big.bin").exists() == (how in ("made executable", "emptied"))
    if how in ("moved", "made executable"):
        moved = root / ("moved.bin" if how == "moved" else "big.bin")
        assert moved.read_bytes() == OLD
        assert os.access(moved, os.X_OK) == (how == "made executable")
    bench.assert_clean()


@pytest.mark.parametrize("commit", [(), ("Track pictures",)])
def test_an_agent_may_put_files_under_lfs_and_take_them_out(bench: Bench, commit: tuple[str, ...]) -> None:
    bench.repository.commit("Raw", {"old.png": b"\0png" * 999})
    prepared = bench.prepare()
    rules = "*.png filter=lfs diff=lfs merge=lfs -text\nbig.bin filter=lfs -text\n"
    work_in(prepared.folder, {".gitattributes": rules, "new.png": b"\0new" * 999}, commit=commit)
    collected = bench.collect(prepared)
    assert collected.head
    mirror = Repository(bench.mirror)
    assert mirror.show(f"{collected.head}:new.png") == pointer(b"\0new" * 999)
    assert mirror.show(f"{collected.head}:old.png") == pointer(b"\0png" * 999)
    assert mirror.show(f"{collected.head}:sub/a.bin") == "a", "no pointer stays where none is meant any more"
    bench.merge(collected.head)
    assert (bench.repository.root / "sub/a.bin").read_bytes() == b"a"
    bench.assert_clean()


def test_a_file_larger_than_a_repository_takes_is_what_lfs_is_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinytown_workers.collect.content_policy.FILE_LIMIT", 10_000)
    prepared = bench.prepare()
    work_in(prepared.folder, {"big.bin": NEW, "raw.dat": NEW})
    collected = bench.collect(prepared)
    assert collected.files == ("big.bin",)
    assert [reason.partition(":")[0] for reason in collected.refused] == ["raw.dat"]


# -- what cannot be had --------------------------------------------------------------------------------


def test_a_pointer_to_nothing_is_refused_by_name(bench: Bench) -> None:
    prepared = bench.prepare()
    work_in(prepared.folder, {"big.bin": f"{pointer(b'nowhere')}\n", "ok.txt": "ok\n"}, commit=["A guess"])
    collected = bench.collect(prepared)
    assert collected.files == ("ok.txt",)
    assert any(reason.startswith("big.bin: ") for reason in collected.refused)


def test_a_content_that_the_person_does_not_have_is_said_and_stays(bench: Bench) -> None:
    oid = hashlib.sha256(OLD).hexdigest()
    (bench.repository.root / ".git/lfs" / lfs.place(oid)).unlink()
    (bench.repository.root / "big.bin").unlink()
    bench.repository.git("checkout", "--", "big.bin", env={**os.environ, "GIT_LFS_SKIP_SMUDGE": "1"})
    remarks = bench.forge.preflight("main")
    assert len(remarks) == 1, remarks
    (remark,) = remarks
    assert remark.startswith("`big.bin`: not in your LFS store")
    assert "`git lfs pull`" in remark
    prepared = bench.prepare()
    assert (prepared.folder / "big.bin").read_text().strip() == pointer(OLD)
    assert Repository(prepared.folder).git("status", "--porcelain") == ""
    work_in(prepared.folder, {"big.bin": NEW, "sub/a.bin": b"aa"})
    collected = bench.collect(prepared)
    assert collected.files == ("sub/a.bin",)
    assert any("not in your LFS store" in reason for reason in collected.refused)


@pytest.mark.parametrize("why", ["not installed", "called in another way", "a file of the repository"])
@pytest.mark.parametrize("commit", [(), ("By the agent",)])
def test_without_git_lfs_its_files_are_left_alone(
    bench: Bench, why: str, commit: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    match why:
        case "not installed":
            find = programs.find
            monkeypatch.setattr(programs, "find", lambda name, *more: None if name == "git-lfs" else find(name, *more))
        case "called in another way":
            bench.repository.git("config", "filter.lfs.clean", "./mine %f")
        case "a file of the repository":
            own = bench.repository.root / "git-lfs"
            own.write_text(f'#!/bin/sh\nexec {shutil.which("git-lfs")} "$@"\n')
            own.chmod(0o755)
            elsewhere = bench.repository.root.parent / "programs"
            elsewhere.mkdir()
            (elsewhere / "git").symlink_to(shutil.which("git") or "")
            monkeypatch.setenv("PATH", f"{bench.repository.root}:{elsewhere}")
    (remark,) = [one for one in bench.forge.preflight("main") if "cannot change" in one]
    assert "`big.bin`, `sub/a.bin`" in remark
    prepared = bench.prepare()
    copy = Repository(prepared.folder)
    copy.git("config", "filter.lfs.clean", "")
    copy.git("config", "filter.lfs.process", "")
    work_in(prepared.folder, {"big.bin": NEW, "ok.txt": "ok\n"}, commit=commit)
    collected = bench.collect(prepared)
    assert collected.files == ("ok.txt",)
    assert any(reason.startswith("big.bin: ") for reason in collected.refused)


# -- other filters -------------------------------------------------------------------------------------


def filtered(tmp_path: Path, rules: Mapping[str, str]) -> tuple[Bench, Path]:
    """A repository with a filter of the person's own that leaves a trace when it is run."""
    bench = Bench(tmp_path)
    trap = tmp_path / "TRAP"
    script = tmp_path / "rot.sh"
    script.write_text(f"#!/bin/sh\ntouch {trap}\ntr a-z n-za-m\n")
    script.chmod(0o755)
    for key in ("clean", "smudge"):
        bench.repository.git("config", f"filter.rot.{key}", str(script))
    bench.repository.git("config", "filter.rot.required", "true")
    for path, text in rules.items():
        place = bench.repository.root / path
        place.write_text(place.read_text() + text if place.exists() else text)
    bench.repository.commit("Secret", {"a.secret": "hello\n", "b.secret": "world\n"})
    assert bench.repository.show("main:a.secret") == "uryyb"
    trap.unlink()
    return bench, trap


@pytest.mark.parametrize("where", [".gitattributes", ".git/info/attributes"])
@pytest.mark.parametrize("commit", [(), ("By the agent",)])
def test_files_of_another_filter_are_named_and_left_alone(tmp_path: Path, where: str, commit: tuple[str, ...]) -> None:
    bench, trap = filtered(tmp_path, {where: "*.secret filter=rot\n"})
    remarks = bench.forge.preflight("main")
    assert len(remarks) == 1, remarks
    (remark,) = remarks
    assert "`a.secret`, `b.secret`" in remark
    assert "`rot`" in remark
    prepared = bench.prepare()
    work_in(prepared.folder, {"a.secret": "plain\n", "c.secret": "new\n", "ok.txt": "ok\n"}, commit=commit)
    collected = bench.collect(prepared)
    assert collected.files == ("ok.txt",)
    refused = [reason.partition(":")[0] for reason in collected.refused]
    assert {"a.secret", "c.secret"} <= set(refused)
    assert collected.head
    bench.merge(collected.head)
    assert not trap.exists(), "nobody ran the filter"
    assert (bench.repository.root / "a.secret").read_text() == "hello\n"
    assert bench.repository.git("status", "--porcelain") == ""


@pytest.mark.parametrize("rules", ["* filter=evil\n", "*.bin filter=lfs -text\n", ""])
@pytest.mark.parametrize("commit", [(), ("By the agent",)])
def test_for_which_files_a_filter_is_nobody_changes(tmp_path: Path, rules: str, commit: tuple[str, ...]) -> None:
    bench, trap = filtered(tmp_path, {".gitattributes": "*.secret filter=rot\n"})
    prepared = bench.prepare()
    work_in(prepared.folder, {".gitattributes": rules, "ok.txt": "ok\n"}, commit=commit)
    collected = bench.collect(prepared)
    assert collected.files == ("ok.txt",)
    assert any(reason.startswith(".gitattributes: ") for reason in collected.refused)
    assert collected.head
    bench.merge(collected.head)
    assert not trap.exists()
    assert bench.repository.git("status", "--porcelain") == ""


# -- git's own conversions -----------------------------------------------------------------------------


@pytest.mark.parametrize("commit", [(), ("By the agent",)])
def test_gits_own_conversions_leave_the_checkout_clean(tmp_path: Path, commit: tuple[str, ...]) -> None:
    repository = new_repository(tmp_path / "project")
    rules = "* text=auto\n*.bat eol=crlf\n*.u16 text working-tree-encoding=UTF-16\n*.id ident\n"
    first = {"run.bat": "a\r\nb\r\n", "x.u16": "hey\n".encode("utf-16"), "x.id": "$Id$\n", "t.txt": "a\n"}
    repository.commit("Kinds", {".gitattributes": rules, **first})
    forge = LocalForge(a_town(repository.root))
    mirror = forge.mirror(forge.repo)
    prepared = workspace.prepare(mirror, tmp_path / "w/1", base_sha=repository.rev("main"), branch=BRANCH)
    assert (prepared.folder / "run.bat").read_bytes() == b"a\r\nb\r\n"
    second = {"run.bat": "a\r\nc\r\n", "x.u16": "you\n".encode("utf-16"), "x.id": "$Id$\n1\n", "t.txt": "a\r\nb\r\n"}
    work_in(prepared.folder, {**second, "new.bat": "n\r\n"}, commit=commit)
    collected = workspace.collect(prepared, mirror=mirror, ref=f"refs/heads/{BRANCH}", message="Work\n")
    assert collected.head
    change = a_change(collected.head)
    assert forge.merge(forge.repo, change, checked_tree=None, checks=None).status == "merged"
    assert (repository.root / "run.bat").read_bytes() == b"a\r\nc\r\n"
    assert (repository.root / "x.u16").read_bytes().decode("utf-16") == "you\n"
    assert repository.show("main:t.txt") == "a\nb"
    for name in repository.git("ls-files").splitlines():
        os.utime(repository.root / name)
    assert repository.git("status", "--porcelain") == ""


# -- conflicts -----------------------------------------------------------------------------------------


def test_two_contents_of_one_file_are_a_conflict_that_is_named_and_can_be_resolved(bench: Bench) -> None:
    """Neither tinytown's merge nor one by the agent leaves a pointer that holds markers."""
    one = bench.prepare()
    work_in(one.folder, {"big.bin": NEW})
    head = bench.collect(one).head or ""
    work_in(bench.repository.root, {"big.bin": b"\0people\n" * 900}, commit=["People"])
    bench.forge.mirror(bench.forge.repo)
    result = bench.forge.merge(bench.forge.repo, a_change(head), checked_tree=None, checks=None)
    assert (result.status, result.details) == ("conflict", "big.bin")

    base = bench.repository.rev("main")
    fix = workspace.prepare(
        bench.mirror, bench.tmp_path / "w/m/i/fix", base_sha=base, branch=BRANCH, resume=head, heads=[base]
    )
    assert (fix.conflicts, fix.unmarked) == ((), ("big.bin",))
    assert (fix.folder / "big.bin").read_bytes() == NEW
    copy = Repository(fix.folder)
    assert copy.git("status", "--porcelain") == ""
    both = NEW + b"and people's\n"
    work_in(fix.folder, {"big.bin": both})
    fixed = bench.collect(fix)
    assert (fixed.unresolved, fixed.refused) == ((), ())
    bench.merge(fixed.head or "")
    assert (bench.repository.root / "big.bin").read_bytes() == both
    bench.assert_clean()


def test_a_merge_by_an_agent_leaves_one_of_two_contents(bench: Bench) -> None:
    prepared = bench.prepare()
    copy = Repository(prepared.folder)
    copy.git("switch", "-q", "-c", "side")
    copy.commit("Side", {"big.bin": NEW})
    copy.git("switch", "-q", BRANCH)
    copy.commit("Mine", {"big.bin": b"\0mine\n" * 700})
    copy.git("merge", "side", code=1)
    assert (prepared.folder / "big.bin").read_bytes() == b"\0mine\n" * 700
    assert bench.collect(prepared).operation == "a merge half done: big.bin"
