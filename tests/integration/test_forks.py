"""What the tests start as forks is what a user's town executes, as far as any other process can tell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import typist
from tests.waiting import wait_until
from tinytown.engine.context import Context
from tinytown.host.lifecycle import processes, stop
from tinytown.host.server import server_url
from tinytown.town import Town

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="nothing is forked without /proc")


def test_a_fork_cannot_be_told_from_an_executed_program(tt: Any, town: Town) -> None:
    tt("start", cwd=town.root)
    forked = _looks(town)
    stop(town)
    program = Path(sys.executable).with_name("tt")
    subprocess.run([program, "start"], cwd=town.root, env=dict(os.environ), check=True, capture_output=True)
    executed = _looks(town)
    told = [(name, what, look, executed[name][what]) for name in forked for what, look in forked[name].items()]
    assert [difference for difference in told if difference[2] != difference[3]] == []
    assert sorted(forked) == sorted(executed) == ["beat", "checks", "control", "supervisor"]


def test_what_one_test_changes_in_its_environment_slows_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is the first to type: the typist starts in the environment of the session."""
    everybodys = dict(os.environ)
    monkeypatch.setenv("PYTHONPATH", "/no/such/folder")
    first = typist.Typist()
    first.close()
    assert first.can_type(everybodys)
    assert not first.can_type(os.environ)


def test_the_end_of_a_fork_is_noticed_with_its_exit_code(tt: Any, town: Town) -> None:
    tt("start", cwd=town.root)
    pid = next(status.pid for status in processes(town) if status.name == "beat")
    assert pid is not None
    os.kill(pid, 9)
    again = wait_until(
        lambda: next((s for s in processes(town) if s.name == "beat" and s.pid not in (None, pid)), None),
        description="beat is started again",
    )
    assert again.last_exit == -9
    assert _parent(again.pid or 0) == next(s.pid for s in processes(town) if s.name == "supervisor")


def _looks(town: Town) -> dict[str, dict[str, object]]:
    """How each process of the town looks, once it is at work."""
    crew = Context(town, server_url(town), retries=20).crew
    wait_until(lambda: "checks" in crew.alive(), timeout=60, description="the checks worker is there")
    found = {status.name: status.pid for status in processes(town) if status.name != "server"}
    for name, pid in found.items():
        wait_until(lambda pid=pid: _catches(pid, signal.SIGTERM), timeout=60, description=f"{name} is ready")
    looks: list[dict[str, dict[str, object]]] = []

    def settled() -> bool:
        looks.append({name: _look(pid or 0) for name, pid in found.items()})
        return looks[-2:-1] == looks[-1:]

    wait_until(settled, description="nothing about them changes any more", pause=0.5)
    return looks[-1]


def _look(pid: int) -> dict[str, object]:
    process, folder = psutil.Process(pid), Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
    return {
        "environment": process.environ(),
        "words": [word for word in process.cmdline() if word],
        "folder": process.cwd(),
        "leads a session": os.getsid(pid) == pid,
        "signals": [status[name] for name in ("SigBlk", "SigIgn", "SigCgt")],
        "umask": status["Umask"],
        "streams": [str((folder / "fd" / number).readlink()) for number in "012"],
        "locks": sorted(file.path for file in process.open_files() if file.path.endswith(".lock")),
    }


def _catches(pid: int, number: signal.Signals) -> bool:
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << (number - 1))


def _parent(pid: int) -> int:
    return psutil.Process(pid).ppid()
