"""Where programs of tinytown's own come from, and where they never do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinytown import contract, processes, programs
from tinytown.processes import ProgramMissingError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home and no closed folder yet."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(programs, "_closed", set())
    monkeypatch.setattr(programs, "_work", set())
    return tmp_path


def tool(path: Path, name: str = "tool", says: str = "") -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(f"#!/bin/sh\necho {says or path.name}\n")
    (path / name).chmod(0o755)
    return path


def repository(path: Path, *, worktree: bool = False) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    if worktree:
        (path / ".git").write_text("gitdir: /nowhere\n")
    else:
        (path / ".git").mkdir()
        (path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return path


def test_no_entry_of_a_path_leads_into_a_repository(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative, empty, unexpanded, inside a clone, a worktree, or one of these by a link."""
    good = tool(place / "good")
    inside = tool(repository(place / "clone") / "node_modules" / ".bin")
    linked = place / "linked"
    linked.symlink_to(inside)
    through = f"{place}/good/../clone/node_modules/.bin"
    worktree = tool(repository(place / "tree", worktree=True) / "bin")
    bad = ["", ".", "./bin", "bin", "~/bin", "$HOME/bin", str(inside), str(linked), through, str(worktree)]
    monkeypatch.setenv("PATH", os.pathsep.join([*bad, str(good), "/bin"]))
    assert programs.trusted_path() == f"{good}{os.pathsep}/bin"
    assert list(programs.dropped()) == bad
    assert programs.find("tool") == good / "tool"
    assert processes.environment()["PATH"] == programs.trusted_path()


def test_a_program_that_is_a_link_into_a_repository_is_not_taken(place: Path) -> None:
    first, second = place / "first", tool(place / "second")
    first.mkdir()
    (first / "tool").symlink_to(tool(repository(place / "clone") / "bin") / "tool")
    assert programs.find("tool", f"{first}:{second}") == second / "tool"
    assert programs.find("tool", str(first)) is None


def test_the_town_its_repositories_and_its_work_are_closed_whatever_they_look_like(place: Path) -> None:
    """Also where the home is a repository, which closes nothing by itself."""
    home = repository(place / "home")
    mine, theirs, work = tool(home / "bin"), tool(home / "town" / "bin"), tool(home / ".local/state/tinytown/x/bin")
    path = os.pathsep.join(map(str, (mine, theirs, work)))
    assert programs.trusted_path(path) == path
    programs.keep_out(home / "town", work=home / ".local/state/tinytown/x")
    assert programs.trusted_path(path) == str(mine)
    # What the user chose may come from the town, but from no folder that a run writes into.
    assert programs.absolute_path(f"./x:{path}") == os.pathsep.join(map(str, (mine, theirs)))
    assert programs.agents_path(f"{theirs}:{work}:{mine}") == f"{mine}:{theirs}"


def test_package_managers_that_are_repositories_are_not_closed(place: Path) -> None:
    for name in (".nvm", ".pyenv", ".asdf"):
        folder = tool(repository(place / "home" / name) / "versions" / "bin")
        assert programs.trusted_path(str(folder)) == str(folder)


def test_programs_are_started_by_the_place_where_they_were_found(place: Path) -> None:
    """A PATH that leads to the working folder does not count, nor one that the caller gives."""
    clone = repository(place / "clone")
    tool(clone / "bin", says="planted")
    good = tool(place / "good")
    for path in (f"./bin:{good}", f"bin::{clone}/bin:{good}"):
        done = processes.run(["tool"], cwd=clone, env={"PATH": path}, timeout=10)
        assert done.stdout == "good\n"
    with pytest.raises(ProgramMissingError, match=r"is only there as .*/clone/bin/tool, inside a repository") as error:
        processes.run(["tool"], cwd="/", env={"PATH": f"{clone}/bin"}, timeout=10)
    assert "install it outside" in error.value.remedy
    with pytest.raises(ProgramMissingError, match="`no-such-tool` is not installed"):
        processes.run(["no-such-tool"], cwd=clone, env={"PATH": f"./bin:{good}"}, timeout=10)


def test_what_was_found_once_is_looked_for_again_when_it_is_gone(place: Path) -> None:
    first, second = tool(place / "first"), tool(place / "second")
    path = f"{first}:{second}"
    assert programs.find("tool", path) == first / "tool"
    (first / "tool").unlink()
    assert programs.find("tool", path) == second / "tool"


def test_modules_come_from_no_repository(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tinytown itself is found by PYTHONPATH, only its own entry and those outside stay."""
    home = str(Path(contract.__file__).resolve().parents[1])
    clone, plain = repository(place / "clone"), place / "plain"
    plain.mkdir()
    entries = os.pathsep.join(("", ".", str(clone), str(plain), home))
    monkeypatch.chdir(clone)
    kept = contract.for_processes({"PYTHONPATH": entries, "PATH": "/bin"})["PYTHONPATH"]
    assert kept == f"{plain}{os.pathsep}{home}"
    assert "PYTHONPATH" not in contract.for_processes({"PYTHONPATH": f".:{plain}"})
    monkeypatch.setenv("PYTHONPATH", entries)
    monkeypatch.setattr(sys, "path", [str(clone), str(plain), home, *sys.path])
    programs.forget_modules()
    assert str(clone) not in sys.path
    assert {str(plain), home} <= set(sys.path)
