"""The folder in which runs find our programs: whatever a run made of it, the next one finds it as it should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tinytown_workers.run.environment import kept_programs, programs_folder


def _add(folder: Path) -> None:
    (folder / "git").write_text("#!/bin/sh\n")


def _replace(folder: Path) -> None:
    (folder / "tt").unlink()
    (folder / "tt").write_text("#!/bin/sh\n")


def _lead_elsewhere(folder: Path) -> None:
    (folder / "tt").unlink()
    (folder / "tt").symlink_to("/bin/false")


def _remove(folder: Path) -> None:
    (folder / "tt").unlink()


def _close(folder: Path) -> None:
    folder.chmod(0o777)


def _link(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(folder.with_name("moved"))


def _file(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.write_text("")


@pytest.mark.parametrize("change", [_add, _replace, _lead_elsewhere, _remove, _close, _link, _file])
def test_a_folder_that_a_run_changed_is_made_anew(tmp_path: Path, change: Callable[[Path], None]) -> None:
    folder = kept_programs(tmp_path / "agent")
    fresh = programs_folder(tmp_path / "fresh")
    change(folder)
    assert kept_programs(folder) == folder
    assert not folder.is_symlink()
    assert folder.stat().st_mode == fresh.stat().st_mode
    assert {p.name: str(p.readlink()) for p in folder.iterdir()} == {p.name: str(p.readlink()) for p in fresh.iterdir()}


def test_a_folder_that_nobody_changed_stays(tmp_path: Path) -> None:
    folder = kept_programs(tmp_path / "agent")
    before = folder.stat().st_ino, (folder / "tt").lstat().st_ino
    kept_programs(folder)
    assert (folder.stat().st_ino, (folder / "tt").lstat().st_ino) == before
