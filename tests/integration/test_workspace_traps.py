"""Whatever an agent plants in its clone is text to tinytown: nothing of it runs, nothing of others is taken.

Each trap is first shown to work on somebody who uses plain git there, so that the test could fail.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.repositories import BRANCH, Repository, a_town, new_repository
from tinytown.forge.local.forge import LocalForge
from tinytown.git.repository import Git
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.workspace import Collected, Prepared

REF = f"refs/heads/{BRANCH}"
ASK_PASSWORD = "printf 'protocol=https\\nhost=x\\n\\n' | git credential fill"


@dataclass
class Bench:
    """A clone that an agent has, the mirror it came from, and the file that a sprung trap leaves."""

    repository: Repository
    mirror: Path
    prepared: Prepared
    trap: Path

    @property
    def clone(self) -> Repository:
        return Repository(self.prepared.folder)

    def collect(self) -> Collected:
        return workspace.collect(self.prepared, mirror=self.mirror, ref=REF, message="Work\n")

    def script(self, body: str = "") -> str:
        """A program that springs the trap."""
        path = self.trap.with_name("evil.sh")
        path.write_text(f"#!/bin/sh\ntouch {self.trap}\n{body}\n")
        path.chmod(0o755)
        return str(path)

    def file(self, name: str) -> str:
        return Repository(self.mirror).show(f"{REF}:{name}")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    repository = new_repository(tmp_path / "project")
    repository.commit("More", {"sub/keep.txt": "keep\n", "data.bin": b"\0\1"})
    forge = LocalForge(a_town(repository.root))
    mirror = forge.mirror(forge.repo)
    prepared = workspace.prepare(mirror, tmp_path / "w/i/1", base_sha=repository.rev("main"), branch=BRANCH)
    return Bench(repository, mirror, prepared, tmp_path / "TRAP")


def _config(key: str, body: str = "", value: str = "{script}") -> Callable[[Bench], None]:
    def plant(bench: Bench) -> None:
        bench.clone.git("config", key, value.format(script=bench.script(body)))

    return plant


def _filtered(key: str, attribute: str) -> Callable[[Bench], None]:
    def plant(bench: Bench) -> None:
        bench.clone.git("config", key, bench.script("cat"))
        bench.clone.write({".gitattributes": f"* {attribute}\n", "README.md": "changed\n"})

    return plant


def _hooks(bench: Bench) -> None:
    names = ["pre-commit", "post-commit", "reference-transaction", "post-index-change", "post-checkout", "update"]
    for name in [*names, "pre-receive", "post-receive", "pre-auto-gc", "fsmonitor-watchman", "proc-receive"]:
        (bench.prepared.folder / ".git/hooks").mkdir(exist_ok=True)
        shutil.copy(bench.script(), bench.prepared.folder / ".git/hooks" / name)


def _include(bench: Bench) -> None:
    bench.clone.write({"inc.cfg": f"[core]\n\tfsmonitor = {bench.script()}\n"})
    bench.clone.git("config", "include.path", "../inc.cfg")


def _promisor(bench: Bench) -> None:
    for key, value in {
        "core.repositoryformatversion": "1", "extensions.partialClone": "evil", "protocol.ext.allow": "always",
        "remote.evil.promisor": "true", "remote.evil.url": f"ext::{bench.script()}",
    }.items():  # fmt: skip
        bench.clone.git("config", key, value)


def _nested(bench: Bench) -> None:
    inner = new_repository(bench.prepared.folder / "vendor")
    inner.git("config", "core.fsmonitor", bench.script())
    inner.git("config", "remote.origin.url", "/nowhere")


def _submodule(bench: Bench) -> None:
    inner = new_repository(bench.prepared.folder / "vendor")
    inner.git("config", "core.fsmonitor", bench.script())
    bench.clone.git("-c", "advice.addEmbeddedRepo=false", "add", "vendor")
    bench.clone.git("commit", "-q", "-m", "A repository inside")
    (inner.root / "README.md").write_text("dirty\n")
    bench.trap.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("plant", "spring"),
    [
        pytest.param(_hooks, ["git commit -q --allow-empty -m x"], id="hooks"),
        pytest.param(_config("core.fsmonitor"), ["git status"], id="fsmonitor"),
        pytest.param(_config("core.hooksPath", value="."), None, id="hooksPath"),
        pytest.param(_filtered("filter.evil.clean", "filter=evil"), ["git add -A"], id="clean filter"),
        pytest.param(_filtered("filter.evil.process", "filter=evil"), ["git add -A"], id="filter process"),
        pytest.param(_filtered("filter.evil.smudge", "filter=evil"), ["git checkout -f"], id="smudge filter"),
        pytest.param(_filtered("diff.evil.textconv", "diff=evil"), ["git diff"], id="textconv"),
        pytest.param(_filtered("diff.evil.command", "diff=evil"), ["git diff"], id="diff driver"),
        pytest.param(_config("diff.external"), ["echo x >> README.md; git diff"], id="diff.external"),
        pytest.param(_config("core.sshCommand"), ["git fetch ssh://localhost/x"], id="sshCommand"),
        pytest.param(_config("alias.st", value="!{script}"), ["git st"], id="alias"),
        pytest.param(_include, ["git status"], id="include"),
        pytest.param(_config("core.editor"), ["git commit --allow-empty"], id="editor"),
        pytest.param(_config("gpg.program"), ["git commit -S --allow-empty -m x"], id="gpg"),
        pytest.param(
            _config("credential.helper"),
            ["printf 'protocol=https\\nhost=x\\n\\n' | git credential fill"],
            id="credential helper",
        ),
        pytest.param(_config("uploadpack.packObjectsHook"), None, id="packObjectsHook"),
        pytest.param(_config("core.pager"), None, id="pager"),
        pytest.param(_config("core.alternateRefsCommand"), None, id="alternateRefsCommand"),
        pytest.param(_promisor, ["git cat-file -p 1111111111111111111111111111111111111111"], id="promisor remote"),
        pytest.param(_nested, ["cd vendor && git status"], id="nested repository"),
        pytest.param(_submodule, ["git status"], id="submodule"),
    ],
)
def test_nothing_planted_runs(bench: Bench, plant: Callable[[Bench], None], spring: list[str] | None) -> None:
    plant(bench)
    bench.clone.write({"work.txt": "work\n"})
    if spring:
        # On a copy, so that the clone stays as it was planted.
        copy = bench.prepared.folder.with_name("copy")
        shutil.copytree(bench.prepared.folder, copy, symlinks=True)
        subprocess.run(["sh", "-c", spring[0]], cwd=copy, capture_output=True, timeout=30, check=False)
        assert bench.trap.exists(), "the trap does not work on plain git, so this test could not fail"
        bench.trap.unlink()
    collected = bench.collect()
    assert collected.changed
    assert bench.file("work.txt") == "work"
    assert collected.head
    workspace.diff(bench.mirror, bench.prepared.start_sha, collected.head)
    workspace.salvage(bench.prepared, mirror=bench.mirror, attempt="m/local/project#1/1")
    workspace.remove(bench.prepared.folder, force=True)
    assert not bench.trap.exists()


def test_a_committed_trap_stays_asleep_in_the_next_clone(bench: Bench, tmp_path: Path) -> None:
    """Attributes travel with the work; the programs they name do not."""
    _filtered("filter.evil.smudge", "filter=evil diff=evil merge=evil")(bench)
    collected = bench.collect()
    assert collected.head
    fresh = workspace.prepare_at(bench.mirror, tmp_path / "check", collected.head)
    Repository(fresh.folder).git("status")
    other = workspace.prepare(
        bench.mirror, tmp_path / "next", base_sha=bench.prepared.start_sha, branch=BRANCH, heads=[collected.head]
    )
    assert Repository(other.folder).rev("HEAD^2") == collected.head
    assert not bench.trap.exists()


# -- a git directory that is not what it was -----------------------------------------------------------


@pytest.fixture
def secret(tmp_path: Path) -> Repository:
    """A repository of the user's that an agent has no business in."""
    repository = new_repository(tmp_path / "secret")
    repository.commit("Private", {"password.txt": "hunter2\n"})
    return repository


def assert_only_the_tree(bench: Bench, secret: Repository) -> Collected:
    bench.clone.write({"work.txt": "work\n"})
    collected = bench.collect()
    assert collected.changed
    assert collected.files == ("work.txt",)
    assert Repository(bench.mirror).git("rev-list", "--parents", "-1", REF).split()[1:] == [bench.prepared.start_sha]
    assert Git.own(bench.mirror).commit(secret.rev("main")) is None
    assert not bench.trap.exists()
    return collected


def replace_git(bench: Bench) -> Path:
    git_dir = bench.prepared.folder / ".git"
    shutil.rmtree(git_dir)
    return git_dir


@pytest.mark.parametrize("how", ["deleted", "link", "file", "empty", "pipe"])
def test_without_its_git_directory_the_files_are_taken(bench: Bench, secret: Repository, how: str) -> None:
    secret.git("config", "core.fsmonitor", bench.script())
    git_dir = replace_git(bench)
    match how:
        case "link":
            git_dir.symlink_to(secret.root / ".git")
        case "file":
            git_dir.write_text(f"gitdir: {secret.root}/.git\n")
        case "empty":
            git_dir.mkdir()
        case "pipe":
            os.mkfifo(git_dir)
    collected = assert_only_the_tree(bench, secret)
    assert any("collected as one commit" in reason for reason in collected.refused)
    assert (secret.root / "password.txt").exists()


@pytest.mark.parametrize("how", ["pack", "fan", "loose", "alternates"])
def test_objects_from_elsewhere_are_not_taken(bench: Bench, secret: Repository, how: str) -> None:
    """The agent commits a tree that it has never seen, and points git to where its parts are."""
    git_dir = bench.prepared.folder / ".git"
    target = secret.root / ".git/objects"
    private = [path.relative_to(target) for path in target.glob("??/*")]
    tree = secret.rev("main^{tree}")
    if how == "pack":
        secret.git("gc", "-q")
        for path in (target / "pack").glob("pack-*"):
            (git_dir / "objects/pack" / path.name).symlink_to(path)
    elif how == "alternates":
        (git_dir / "objects/info/alternates").write_text(f"{target}\n")
    for path in private:
        if how == "fan" and not (git_dir / "objects" / path.parent).exists():
            (git_dir / "objects" / path.parent).symlink_to(target / path.parent)
        elif how == "loose":
            (git_dir / "objects" / path.parent).mkdir(exist_ok=True)
            (git_dir / "objects" / path).symlink_to(target / path)
    copy = Repository(bench.prepared.folder)
    copy.git("update-ref", REF, copy.git("commit-tree", "-p", bench.prepared.start_sha, "-m", "Mine", tree))
    copy.git("reset", "-q", bench.prepared.start_sha, "--", ".")
    assert copy.show(f"{REF}:password.txt") == "hunter2"
    collected = assert_only_the_tree(bench, secret)
    assert any("cannot be read" in reason for reason in collected.refused)


@pytest.mark.parametrize("how", ["objects", "commondir"])
def test_a_git_directory_that_borrows_another_is_none(bench: Bench, secret: Repository, how: str) -> None:
    git_dir = bench.prepared.folder / ".git"
    if how == "objects":
        shutil.rmtree(git_dir / "objects")
        (git_dir / "objects").symlink_to(secret.root / ".git/objects")
    else:
        (git_dir / "commondir").write_text(f"{secret.root}/.git\n")
    (git_dir / REF).write_text(f"{secret.rev('main')}\n")
    assert_only_the_tree(bench, secret)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ["HEAD", REF, "packed-refs", "objects/17", "config", "index"])
def test_pipes_in_the_git_directory_do_not_hold_us(bench: Bench, secret: Repository, name: str) -> None:
    path = bench.prepared.folder / ".git" / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert_only_the_tree(bench, secret)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "name", [".gitignore", ".gitattributes", "sub/.gitignore", "x/.git/HEAD", "x/.git", "README.md"]
)
def test_pipes_among_the_files_do_not_hold_us(bench: Bench, name: str) -> None:
    path = bench.prepared.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    bench.clone.write({"work.txt": "work\n"})
    assert "work.txt" in bench.collect().files


@pytest.mark.parametrize("text", ["garbage", "ref: ../../../secret", "ref: refs/heads/nowhere", "", "\0" * 10_000])
def test_a_head_that_makes_no_sense_means_only_the_files(bench: Bench, secret: Repository, text: str) -> None:
    (bench.prepared.folder / ".git/HEAD").write_text(text)
    assert_only_the_tree(bench, secret)


def test_broken_objects_mean_only_the_files(bench: Bench, secret: Repository) -> None:
    before = {path for path in (bench.prepared.folder / ".git/objects").rglob("*") if path.is_file()}
    bench.clone.commit("Mine", {"mine.txt": "mine\n"})
    (bench.prepared.folder / "mine.txt").unlink()
    for path in (bench.prepared.folder / ".git/objects").rglob("*"):
        if path.is_file() and path not in before:
            path.chmod(0o600)
            path.write_bytes(b"broken")
    assert_only_the_tree(bench, secret)


def test_a_pack_in_the_place_of_a_known_one_is_not_believed(bench: Bench) -> None:
    for path in (bench.prepared.folder / ".git/objects/pack").iterdir():
        path.chmod(0o600)
        path.write_bytes(b"broken")
    bench.clone.write({"work.txt": "work\n"})
    assert bench.collect().files == ("work.txt",)
    Repository(bench.mirror).git("fsck", "--strict")


def test_malformed_commits_travel_as_their_files(bench: Bench) -> None:
    tree = bench.clone.git("write-tree")
    text = f"tree {tree}\nparent {bench.prepared.start_sha}\nauthor no email 1 +0000\ncommitter x <x> 1 +0000\n\nx\n"
    bad = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--literally", "--stdin"], cwd=bench.prepared.folder,
        input=text, text=True, capture_output=True, check=True,
    ).stdout.strip()  # fmt: skip
    bench.clone.git("update-ref", REF, bad)
    bench.clone.write({"work.txt": "work\n"})
    collected = bench.collect()
    assert collected.files == ("work.txt",)
    assert collected.commits == 1
    assert Git.own(bench.mirror).commit(bad) is None


def test_only_the_one_ref_moves_and_other_branches_stay_behind(bench: Bench) -> None:
    mirror = Git.own(bench.mirror)
    before = mirror.refs("refs")
    bench.clone.commit("Mine", {"mine.txt": "mine\n"})
    bench.clone.git("branch", "main", "HEAD")
    bench.clone.git("branch", "tt/abcdef12/local-project-2", "HEAD")
    bench.clone.git("tag", "v1")
    other = bench.clone.git("commit-tree", "-m", "Elsewhere", "HEAD^{tree}")
    bench.clone.git("update-ref", "refs/heads/other", other)
    collected = bench.collect()
    assert collected.head
    # What no branch of the item holds is kept, in a place of its own.
    kept = {one.ref: one.sha for one in collected.kept}
    assert list(kept.values()) == [other]
    assert all(ref.startswith("refs/tinytown/elsewhere/") for ref in kept)
    assert mirror.refs("refs") == {**before, REF: collected.head, **kept}


# -- removal -------------------------------------------------------------------------------------------


def test_removal_follows_no_link_and_opens_what_is_closed(bench: Bench, secret: Repository) -> None:
    folder = bench.prepared.folder
    (folder / "link").symlink_to(secret.root)
    (folder / "closed/inner").mkdir(parents=True)
    (folder / "closed/inner/file").touch()
    (folder / "closed/inner").chmod(0o000)
    (folder / "closed").chmod(0o500)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
    bench.collect()
    workspace.remove(folder, force=True)
    assert not folder.exists()
    assert not bench.prepared.ledger.exists()
    assert (secret.root / "password.txt").exists()


def test_very_deep_folders_can_be_removed(bench: Bench) -> None:
    folder = bench.prepared.folder
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deep", dir_fd=here)
        inner = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    bench.collect()
    workspace.remove(folder)
    assert not folder.exists()


# -- more than anybody could want ------------------------------------------------------------------------


def tree(bench: Bench, *entries: str) -> str:
    return subprocess.run(
        ["git", "mktree"], cwd=bench.prepared.folder, input="".join(f"{entry}\n" for entry in entries), text=True,
        capture_output=True, check=True,
    ).stdout.strip()  # fmt: skip


def blob(bench: Bench, content: bytes) -> str:
    return subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=bench.prepared.folder, input=content, capture_output=True,
        check=True,
    ).stdout.decode().strip()  # fmt: skip


def commit_tree(bench: Bench, tree: str, message: str = "Mine") -> None:
    path = bench.trap.with_name("message")
    path.write_text(message)
    parent = bench.prepared.start_sha
    bench.clone.git("update-ref", REF, bench.clone.git("commit-tree", "-p", parent, "-F", str(path), tree))


def ten_billion_files(bench: Bench) -> None:
    inner = tree(bench, *(f"100644 blob {blob(bench, b'boom')}\tf{n}" for n in range(10)))
    for _ in range(9):
        inner = tree(bench, *(f"040000 tree {inner}\td{n}" for n in range(10)))
    commit_tree(bench, inner)


def ten_billion_folders(bench: Bench) -> None:
    inner = tree(bench)
    for _ in range(10):
        inner = tree(bench, *(f"040000 tree {inner}\td{n}" for n in range(10)))
    commit_tree(bench, inner)
    # Elsewhere than where it is looked for first.
    (bench.prepared.folder / ".git/HEAD").write_text(f"{bench.prepared.start_sha}\n")


def a_thousand_times_the_same(bench: Bench) -> None:
    large = blob(bench, bytes(2 << 20))
    commit_tree(bench, tree(bench, *(f"100644 blob {large}\tf{n:04}" for n in range(1000))))


def a_message_without_end(bench: Bench) -> None:
    commit_tree(bench, bench.clone.git("rev-parse", "HEAD^{tree}"), "x" * (2 << 20))


def a_very_long_link(bench: Bench) -> None:
    commit_tree(bench, tree(bench, f"120000 blob {blob(bench, b'x' * 10_000)}\tlink"))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("grow", "why"),
    [
        (ten_billion_files, "it holds too many files"),
        (ten_billion_folders, "it holds too many files"),
        (a_thousand_times_the_same, "all files together are larger than 1024 MB"),
        (a_message_without_end, "a commit is larger than 1 MB"),
        (a_very_long_link, "a broken link"),
    ],
)
def test_small_objects_that_grow_large_stay_behind(
    bench: Bench, secret: Repository, grow: Callable[[Bench], None], why: str
) -> None:
    """Objects of a few bytes that would fill the disk, or take hours to list, wherever the commit is used next."""
    grow(bench)
    collected = assert_only_the_tree(bench, secret)
    assert any(why in reason for reason in collected.refused)


def test_files_that_are_larger_together_than_anybody_takes(bench: Bench) -> None:
    """They are sparse: they cost the agent nothing, and us an hour."""
    for number in range(12):
        with (bench.prepared.folder / f"sparse-{number:02}").open("wb") as file:
            file.truncate(99 << 20)
    bench.clone.write({"work.txt": "work\n"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinytown_workers.collect.content_policy.TOTAL_LIMIT", 100 << 20)
        collected = bench.collect()
    assert collected.files == ("sparse-00", "work.txt")
    assert len([reason for reason in collected.refused if "all files together are larger" in reason]) == 11


@pytest.mark.parametrize("name", ["tinytown.toml", ".tt/town.json", ".TT/x", "Tinytown.toml"])
@pytest.mark.parametrize("committed", [False, True])
def test_the_towns_own_files_stay_as_they_are(bench: Bench, name: str, committed: bool) -> None:
    """Merged, they would choose the programs that the town runs, outside of every sandbox."""
    if committed:
        bench.clone.commit("Mine", {name: "[sandbox]\nkind = 'none'\n", "work.txt": "work\n"})
    else:
        bench.clone.write({name: "[sandbox]\nkind = 'none'\n", "work.txt": "work\n"})
    collected = bench.collect()
    assert collected.files == ("work.txt",)
    assert any("tinytown's own files are for people to change" in reason for reason in collected.refused)
    assert "work.txt" in Repository(bench.mirror).git("ls-tree", "-r", "--name-only", REF)


def test_work_on_an_orphan_branch_is_taken_as_its_files(bench: Bench) -> None:
    """The branch of the item stays where it was; what the agent did is all on another that began anew."""
    bench.clone.write({"work.txt": "work\n"})
    bench.clone.git("checkout", "-q", "--orphan", "elsewhere")
    bench.clone.git("add", "-A")
    bench.clone.git("commit", "-q", "-m", "There was never anything else")
    collected = bench.collect()
    assert collected.files == ("work.txt",)
    assert collected.refused == ("history: it was rewritten; its files were collected as one commit",)
    assert bench.file("README.md")
    workspace.remove(bench.prepared.folder)


def test_a_tag_where_a_commit_should_be_means_only_the_files(bench: Bench, secret: Repository) -> None:
    bench.clone.commit("Mine", {"mine.txt": "mine\n"})
    bench.clone.git("tag", "-a", "-m", "Tag", "v1")
    tag = bench.clone.git("rev-parse", "v1")
    (bench.prepared.folder / "mine.txt").unlink()
    for name in ("HEAD", REF):
        (bench.prepared.folder / ".git" / name).write_text(f"{tag}\n")
    (bench.prepared.folder / "work.txt").write_text("work\n")
    assert "work.txt" in bench.collect().files
