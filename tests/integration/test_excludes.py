"""Files that a person told their git to leave alone stay out of the change, and the outcome says so."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.repositories import BRANCH, Repository, a_town, new_repository, work_in
from tinytown.forge.local.forge import LocalForge
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.workspace import Collected, Prepared

PATTERNS = "\ufeff# mine\n.DS_Store\r\n.idea/\nvenv/\nlocal.env\n*.log\n!keep.log\n"
LITTER = {".DS_Store": "x", "src/.DS_Store": "x", ".idea/workspace.xml": "x", "venv/bin/python": "x", "local.env": "x"}


def configured(repository: Repository, folder: Path) -> Path:
    path = folder / "my ignores"
    repository.git("config", "core.excludesFile", str(path))
    return path


def of_home(_: Repository, folder: Path) -> Path:
    return folder / "home/.config/git/ignore"


def of_xdg(_: Repository, folder: Path) -> Path:
    return folder / "xdg/git/ignore"


def of_repository(repository: Repository, _: Path) -> Path:
    return repository.root / ".git/info/exclude"


def relative(repository: Repository, _: Path) -> Path:
    repository.git("config", "core.excludesFile", ".git/elsewhere")
    return repository.root / ".git/elsewhere"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return new_repository(tmp_path / "project")


def prepared_from(repository: Repository, folder: Path) -> tuple[Prepared, Path]:
    forge = LocalForge(a_town(repository.root))
    mirror = forge.mirror(forge.repo)
    base = repository.rev("main")
    return workspace.prepare(mirror, folder, base_sha=base, branch=BRANCH, agent="ada"), mirror


def collect(prepared: Prepared, mirror: Path, ref: str = f"refs/heads/{BRANCH}") -> Collected:
    return workspace.collect(prepared, mirror=mirror, ref=ref, message="Work\n")


@pytest.mark.parametrize("where", [configured, of_home, of_xdg, of_repository, relative])
@pytest.mark.parametrize("how", ["left", "added", "forced"])
def test_what_a_person_excludes_is_left_out_and_named(
    repository: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: Callable[[Repository, Path], Path],
    how: str,
) -> None:
    if where is of_xdg:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    path = where(repository, tmp_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PATTERNS, encoding="utf-8")
    prepared, mirror = prepared_from(repository, tmp_path / "w/m/i/1")
    copy = work_in(prepared.folder, {**LITTER, "a.log": "x", "keep.log": "k\n", "work.txt": "w\n"})
    if how != "left":
        copy.git("add", ".", *(["-f"] if how == "forced" else []))
        copy.git("commit", "-q", "-m", "Mine")
    collected = collect(prepared, mirror)
    assert collected.files == ("keep.log", "work.txt")
    assert Repository(mirror).files(collected.head or "") == ["README.md", "keep.log", "src/app.py", "work.txt"]
    added = Repository(mirror).git("log", "--format=", "--name-only", f"{prepared.start_sha}..{collected.head}")
    assert sorted(added.split()) == ["keep.log", "work.txt"], "nor are they in a commit before the last"
    said = [reason for reason in collected.refused if reason.endswith(": your own git excludes name it")]
    assert all(any(name.split("/")[0] in reason for reason in said) for name in LITTER)
    # They are not worth keeping a clone for.
    workspace.remove(prepared.folder)


def test_what_the_base_has_is_edited_as_ever(repository: Repository, tmp_path: Path) -> None:
    repository.commit("Track it", {"local.env": "A=1\n", ".gitignore": "*.tmp\n!venv/\n"})
    of_repository(repository, tmp_path).write_text(PATTERNS, encoding="utf-8")
    prepared, mirror = prepared_from(repository, tmp_path / "1")
    # The repository's own rules win over a person's, and what they leave out is no news.
    work_in(prepared.folder, {"local.env": "A=2\n", "venv/tool.py": "t\n", "x.tmp": "t"})
    collected = collect(prepared, mirror)
    assert (collected.files, collected.refused) == (("local.env", "venv/tool.py"), ())
    work_in(prepared.folder, {"local.env": "A=3\n"}, commit=["Mine"])
    collected = collect(prepared, mirror, "refs/tinytown/attempts/m/i/1")
    assert (collected.files, collected.refused, collected.commits) == (("local.env", "venv/tool.py"), (), 1)


def test_a_change_of_the_excludes_counts_from_the_next_clone_on(repository: Repository, tmp_path: Path) -> None:
    first, mirror = prepared_from(repository, tmp_path / "1")
    path = of_repository(repository, tmp_path)
    path.write_text("*.gen\n")
    second, _ = prepared_from(repository, tmp_path / "2")
    path.unlink()
    third, _ = prepared_from(repository, tmp_path / "3")
    for prepared, files in ((first, ("a.gen",)), (second, ()), (third, ("a.gen",))):
        work_in(prepared.folder, {"a.gen": "g\n"})
        ref = f"refs/tinytown/attempts/m/i/{prepared.folder.name}"
        assert collect(prepared, mirror, ref).files == files


def test_excludes_that_cannot_be_read_exclude_nothing(repository: Repository, tmp_path: Path) -> None:
    repository.git("config", "core.excludesFile", str(tmp_path / "nowhere"))
    path = of_repository(repository, tmp_path)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    prepared, mirror = prepared_from(repository, tmp_path / "1")
    work_in(prepared.folder, {"a.txt": "a\n"})
    assert collect(prepared, mirror).files == ("a.txt",)


def test_very_many_are_counted(repository: Repository, tmp_path: Path) -> None:
    of_repository(repository, tmp_path).write_text("*.gen\n")
    prepared, mirror = prepared_from(repository, tmp_path / "1")
    work_in(prepared.folder, {"work.txt": "w\n", **{f"{number:03}.gen": "g" for number in range(100)}})
    collected = collect(prepared, mirror)
    assert len(collected.refused) == 21
    assert collected.refused[-1] == "80 more: your own git excludes name it"
