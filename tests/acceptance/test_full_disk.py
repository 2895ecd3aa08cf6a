"""The disk of the town itself is full: its database, its logs, its records of processes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.waiting import wait_until
from tinytown.engine.doctor import examine
from tinytown.host.server import persistence

FULL = "error: the disk of the town's database is full\n  free some space: saved work continues by itself\n"
NO_ROOM = re.compile(r"error: no space left on the disk for \S+\n  free some space, then retry\n$")
#: Of the folder, in megabytes.
SIZE = 64
PAGE = 4096


@pytest.fixture
def cramped(project: Project) -> Iterator[Callable[[], Path]]:
    """Put the folder `.tt` of a town that is stopped on a small disk of its own."""
    mounted: list[Path] = []

    def mount() -> Path:
        folder = project.root / ".tt"
        kept = folder.rename(project.root / ".kept")
        folder.mkdir(mode=0o700)
        options = f"size={SIZE}m,mode=700"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            folder.rmdir()
            kept.rename(folder)
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        return folder

    yield mount
    for folder in mounted:
        (folder / "ballast").unlink(missing_ok=True)
        project.tt("stop")
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no page free, whoever else writes meanwhile."""
    path = folder / "ballast"
    with path.open("wb") as file:
        size, chunk = 0, SIZE << 20
        while chunk >= PAGE:
            try:
                os.posix_fallocate(file.fileno(), size, chunk)
                size += chunk
            except OSError:
                chunk //= 2
    return path


def test_a_full_disk_of_the_town(
    project: Project, cramped: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command says so in a sentence; what runs goes on, is handed in when there is room, and counts once."""
    # No lease can be renewed meanwhile.
    monkeypatch.setenv("TINYTOWN_TIMING__LEASE_SECS", "120")
    # And nobody notices in time that there is little room.
    monkeypatch.setenv("TINYTOWN_LIMITS__DISK_FREE", "0")
    project.found({1: "# One\n\ndo: wait go\ndo: write one.txt 1\n", 2: "# Two\n\ndo: write two.txt 2\n"})
    project.tt("stop")
    folder = cramped()
    project.spawn("worker")
    mission = project.start(1, options=("--no-reviewer",))
    project.wait_runs(mission, 1, item=1)
    ballast = fill(folder)
    wait_until(lambda: persistence(project.town), timeout=60, description="the server cannot save")

    start = ("mission", "start", "--issue", "2", "--no-reviewer")
    for words in (start, ("mission", "status"), ("mission", "note", mission[:8], "hello"), ("start",)):
        said = project.tt(*words, code=1).stderr
        # Whichever needs room first, the database or a file of the town's own.
        assert said.endswith(FULL) or NO_ROOM.search(said), said
    failed = {finding.name: finding for finding in examine(project.root) if finding.status == "fail"}
    assert {"server", "database", "disk"} <= failed.keys()
    assert all("free some space" in failed[name].remedy for name in ("server", "database", "disk"))

    # The agent ends while nothing can be recorded of it.
    project.allow("go")
    wait_until(lambda: project.runs("end"), timeout=30, description="the agent ended")
    ballast.unlink()
    wait_until(lambda: not persistence(project.town), timeout=30, description="the server saves again")
    project.wait_state(mission, "completed")
    assert len(project.runs()) == 1
    second = project.start(2, options=("--no-reviewer",))
    project.wait_state(second, "completed")
