"""tinytown is updated in place under a running town: no item pays for that, and all goes on from the new code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tinytown
import tinytown_beat
import tinytown_workers
from tests.acceptance.project import Project
from tests.waiting import wait_until
from tinytown.host import process_specs


def an_installation(folder: Path) -> Path:
    """A copy of the code, for processes to run from."""
    for package in (tinytown, tinytown_workers, tinytown_beat):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_idle_processes_start_again_and_busy_ones_when_they_are_done(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = an_installation(tmp_path / "code")
    monkeypatch.setenv("PYTHONPATH", str(code))
    project.found({1: "# One\n\ndo: work wait go\n", 2: "# Two\n\nDepends on #1.\n", 3: "# Three\n"})
    project.spawn("worker", "helper")
    mission = project.start(1, 2, options=("--no-reviewer",))
    busy = project.wait_runs(mission, 1, item=1)[0]["agent"]

    def pids() -> dict[str, int | None]:
        return {name: state.pid for name, state in process_specs.read_states(project.town).items() if state.alive}

    before, supervisor = pids(), process_specs.supervisor(project.town)
    assert sorted(before) == ["beat", "checks", "control", "role-worker"]

    def renewed(*names: str) -> bool:
        now = pids()
        return all(name in now and now[name] != before[name] for name in names)

    module = code / "tinytown/errors.py"
    module.write_text(f"{module.read_text(encoding='utf-8')}\n\nNEW = 1\n", encoding="utf-8")
    wait_until(lambda: renewed(*before), timeout=60, description=f"{', '.join(before)} start again")
    log = project.town.logs / "supervisor.log"
    wait_until(
        lambda: "going on from the new code" in log.read_text(), timeout=60, description="so does the supervisor"
    )
    assert process_specs.supervisor(project.town) == supervisor, "it is the same process"
    old = f"role-worker.{before['role-worker']}"
    assert pids()[old] == before["role-worker"], "an agent at work is not disturbed"
    # The idle one has a new process already, which takes what comes.
    second = project.start(3, options=("--no-reviewer",))
    project.wait_state(second, "completed")
    assert project.runs(item=3)[0]["agent"] != busy
    assert old in pids()

    project.allow("go")
    project.wait_state(mission, "completed")
    wait_until(lambda: old not in pids(), timeout=60, description=f"{busy} is served by the new process too")
    wait_until(
        lambda: project.json("list")[0]["state"] == project.json("list")[1]["state"] == "idle", description="both"
    )
    ended = [event.data["outcome"] for event in project.events(mission, "attempt_ended")]
    assert set(ended) == {"succeeded"}
    assert not any(project.item(mission, 1).failures.values())
