"""A workspace is cleaned up or set aside by name; what is mounted in it is nobody's to take or to delete."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.repositories import BRANCH, Repository, a_town, new_repository, work_in
from tinytown import set_aside
from tinytown.engine.doctor import machine
from tinytown.errors import NotFoundError
from tinytown.forge.local.forge import LocalForge
from tinytown.git import repository
from tinytown.git.repository import GitError
from tinytown.town import Town
from tinytown_workers.attempt import earlier_work
from tinytown_workers.clone import mounts, remove_tree
from tinytown_workers.clone.remove_tree import remove_folder
from tinytown_workers.collect import content_policy
from tinytown_workers.limits import isolated
from tinytown_workers.workspace import retire, workspace
from tinytown_workers.workspace.workspace import Prepared

REF = f"refs/heads/{BRANCH}"


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return a_town(new_repository(tmp_path / "project").root)


@pytest.fixture
def mirror(town: Town) -> Path:
    forge = LocalForge(town)
    return forge.mirror(forge.repo)


@pytest.fixture
def prepared(town: Town, mirror: Path) -> Prepared:
    base = Repository(town.root).rev("main")
    return workspace.prepare(mirror, town.work / "m/i/1", base_sha=base, branch=BRANCH)


@pytest.fixture
def stuck(prepared: Prepared) -> Iterator[Path]:
    """A file that not even root may remove."""
    path = prepared.folder / "build/stuck"
    path.parent.mkdir()
    path.touch()
    if (
        not shutil.which("chattr")
        or subprocess.run(["chattr", "+i", path], capture_output=True, check=False).returncode
    ):
        pytest.skip("files cannot be made immutable here: that needs root, and a file system that knows of it")
    yield path
    for place in (path, prepared.folder.parents[2] / "left/m-i-1/clone/build/stuck"):
        subprocess.run(["chattr", "-i", place], capture_output=True, check=False)


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is brought in by this very process, in which a test can change things."""
    monkeypatch.setattr(isolated, "call", lambda _, function, *args, **words: function(*args, **words))


# -- who dies while it goes --------------------------------------------------------------------------------


@pytest.mark.usefixtures("at_hand")
def test_what_is_left_of_a_clone_whose_remover_died_is_nobodys_work(
    prepared: Prepared, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next one would salvage that all files were deleted, and an item would go on from there."""
    own = Repository(mirror)
    before = own.git("for-each-ref")

    def dies(path: Path) -> None:
        next(one for one in path.iterdir() if one.is_file()).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(retire, "remove_folder", dies)
        with pytest.raises(KeyboardInterrupt):
            earlier_work.save(prepared.folder, mirror)
    assert prepared.folder.exists()
    earlier_work.save(prepared.folder, mirror)
    assert not workspace.exists(prepared.folder)
    assert own.git("for-each-ref") == before, "it held no work"


# -- what cannot go -----------------------------------------------------------------------------------------


def test_what_cannot_be_removed_is_set_aside_and_said(
    town: Town, prepared: Prepared, mirror: Path, stuck: Path
) -> None:
    work_in(prepared.folder, {"work.txt": "work\n"})
    workspace.collect(prepared, mirror=mirror, ref=REF, message="Work\n")
    workspace.remove(prepared.folder)
    assert not workspace.exists(prepared.folder)
    (left,) = set_aside.entries(town.work)
    assert left.place == town.work / "left/m-i-1"
    assert "build/stuck: Operation not permitted" in left.why
    # All else is gone, and nobody tries again.
    assert {path.name for path in left.place.rglob("*")} == {"why.json", "clone", "build", "stuck"}
    assert workspace.folders(town.work) == []
    (finding,) = machine.left(town)
    assert (finding.status, str(left.place) in finding.detail) == ("warn", True)
    subprocess.run(["chattr", "-i", left.place / "clone/build/stuck"], check=True)
    shutil.rmtree(left.place)
    assert list(machine.left(town)) == []


@pytest.mark.usefixtures("at_hand")
def test_work_that_cannot_be_taken_is_set_aside_at_once(
    town: Town, prepared: Prepared, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More names than git may say: the next sweep would fail as this one does."""
    work_in(prepared.folder, {f"{number:03}-{'x' * 200}": "" for number in range(100)})
    monkeypatch.setattr(repository, "OUTPUT_LIMIT", 10_000)
    earlier_work.save(prepared.folder, mirror)
    assert workspace.folders(town.work) == []
    (left,) = set_aside.entries(town.work)
    assert "its work could not be taken" in left.why
    assert len(list((left.place / "clone").glob("*xxx"))) == 100
    assert (left.place / "ledger/tinytown.json").exists()


@pytest.mark.usefixtures("at_hand")
def test_other_failures_are_tried_a_few_times(
    town: Town, prepared: Prepared, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_in(prepared.folder, {"work.txt": "work\n"})

    def fail(*_: object, **__: object) -> None:
        raise GitError("fetch", 128, "fatal: something")

    with monkeypatch.context() as patch:
        patch.setattr(workspace, "salvage", fail)
        earlier_work.save(prepared.folder, mirror)
        earlier_work.save(prepared.folder, mirror)
        assert workspace.folders(town.work) == [prepared.folder]
        earlier_work.save(prepared.folder, mirror)
    assert workspace.folders(town.work) == []
    assert [left.place for left in set_aside.entries(town.work)] == [town.work / "left/m-i-1"]
    with pytest.raises(NotFoundError):
        workspace.collect(prepared, mirror=mirror, ref=REF, message="Work\n")


def test_more_files_than_anybody_brings_at_once_are_left_out_by_number(
    prepared: Prepared, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_policy, "FILES_LIMIT", 10)
    work_in(prepared.folder, {f"many/{number:03}": f"{number}\n" for number in range(100)})
    collected = workspace.collect(prepared, mirror=mirror, ref=REF, message="Work\n")
    # As many as there were may change besides.
    assert len(collected.files) == 12
    assert collected.refused == ("88 more files: more than 12 files at once",)


# -- what goes -------------------------------------------------------------------------------------------------


def test_deep_and_closed_folders_go_whatever_their_names(tmp_path: Path) -> None:
    """Deeper than a path can be, than Python's recursion, and than a process may have open files."""
    root = tmp_path / "N"
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir(b"a long name \xff\n", dir_fd=here)
        inner = os.open(b"a long name \xff\n", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    (root / "closed/inner").mkdir(parents=True)
    (root / "closed/inner").chmod(0)
    (root / "closed").chmod(0o500)
    (root / "outside").symlink_to(tmp_path)
    remove_folder(root)
    assert list(tmp_path.iterdir()) == []
    remove_folder(root)


def test_a_folder_full_of_names_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remove_tree, "DEPTH", 1)
    for number in range(3000):
        (tmp_path / f"N/{number % 30}/{number % 60}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"N/{number % 30}/{number % 60}/{number}").touch()
    remove_folder(tmp_path / "N")
    assert not (tmp_path / "N").exists()


def test_a_link_or_a_file_in_the_place_of_a_folder_goes_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "N").symlink_to(tmp_path / "kept")
    remove_folder(tmp_path / "N")
    assert (tmp_path / "kept").is_dir()
    (tmp_path / "file").touch()
    remove_folder(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


# -- other file systems ----------------------------------------------------------------------------------------

#: Run in a mount namespace of its own, so that nothing is mounted for anybody else.
MOUNTED = """
import json, subprocess, sys
from pathlib import Path
from tinytown import set_aside
from tinytown_workers.clone import mounts
from tinytown_workers.workspace import workspace
folder, mirror, origin, asks = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4] == "kernel"
mounts._Kernel.asks = asks
for place in sys.argv[5:]:
    target = folder / place
    source = origin if target.is_dir() else origin / "precious"
    subprocess.run(["mount", "--bind", source, target], check=True)
prepared = workspace.load(folder)
said = {}
try:
    collected = workspace.collect(prepared, mirror=mirror, ref="refs/heads/tt/abcdef12/x", message="Work\\n")
    said = {"files": collected.files, "refused": collected.refused}
except Exception as error:
    said = {"error": str(error)}
workspace.discard(folder)
said["left"] = [[str(one.place), one.why] for one in set_aside.entries(folder.parents[2])]
print(json.dumps(said))
"""


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A folder of somebody else's, on the same disk."""
    for name in ("deep/er/file", "precious", "pack/pack-x.pack"):
        path = tmp_path / "origin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious\n")
    os.mkfifo(tmp_path / "origin/deep/pipe")
    new_repository(tmp_path / "origin/repository")
    return tmp_path / "origin"


def mounted(prepared: Prepared, mirror: Path, origin: Path, *places: str, asks: str = "kernel") -> dict[str, Any]:
    """Collect and remove with the origin mounted at these places; the origin must be as it was."""
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("mounting something needs root")
    before = sorted(str(path) for path in origin.rglob("*"))
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", MOUNTED, prepared.folder, mirror, origin, asks, *places],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert sorted(str(path) for path in origin.rglob("*")) == before
    assert (origin / "precious").read_text() == "precious\n"
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("asks", ["kernel", "descriptors"])
def test_what_is_mounted_in_a_clone_is_neither_taken_nor_deleted(
    prepared: Prepared, mirror: Path, origin: Path, asks: str
) -> None:
    (prepared.folder / "with [odd] na me").mkdir()
    work_in(prepared.folder, {"work.txt": "work\n", "mounted.txt": "mine\n"})
    said = mounted(prepared, mirror, origin, "with [odd] na me", "src", "mounted.txt", "README.md", asks=asks)
    assert said["files"] == ["work.txt"]
    why = "another file system is mounted there: it was left as it is"
    assert said["refused"] == [f"{path}: {why}" for path in ("README.md", "mounted.txt", "src", "with [odd] na me")]
    # Its branch still has what was there before.
    assert Repository(mirror).show("refs/heads/tt/abcdef12/x:src/app.py")
    ((place, why),) = said["left"]
    assert "something is mounted there" in why
    assert "left/m-i-1" in place


@pytest.mark.parametrize("place", [".git", ".git/objects", ".git/objects/pack", ".git/refs", ".git/HEAD"])
def test_what_is_mounted_in_the_git_directory_is_not_read(
    prepared: Prepared, mirror: Path, origin: Path, place: str
) -> None:
    Repository(prepared.folder).commit("Mine", {"mine.txt": "mine\n"})
    work_in(prepared.folder, {"work.txt": "work\n"})
    said = mounted(prepared, mirror, origin, place)
    # Without a HEAD nobody knows which branch the files belong to: they are kept beside it.
    assert said["files"] == ["mine.txt", *(["work.txt"] if place != ".git/HEAD" else [])]
    assert said["left"]


def test_a_folder_that_is_mounted_over_is_no_work_of_its_agent(prepared: Prepared, mirror: Path, origin: Path) -> None:
    said = mounted(prepared, mirror, origin, ".")
    assert "something is mounted on" in said["error"]
    ((place, _),) = said["left"]
    assert place == str(prepared.folder)


def test_a_work_tree_elsewhere_that_is_mounted_is_not_looked_into(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert mounts.is_folder(tmp_path, ("a", "b"))
    assert not mounts.is_folder(tmp_path, ("link", "b"))
    assert not mounts.is_folder(Path("/"), ("proc",))
    assert "proc" in mounts.below(Path("/"))
