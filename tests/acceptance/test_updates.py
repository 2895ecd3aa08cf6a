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
        # With its byte code: else each process would compile the whole of it where Python may write none.
        shutil.copytree(source, folder / source.name)
    return folder


def test_idle_processes_start_again_and_busy_ones_when_they_are_done(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = an_installation(tmp_path / "code")
    # What is typed later needs no copy.
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(code))
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


def test_a_run_that_stands_still_outlives_an_update(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its old process stays for it, and lets it go on when it is told to; what is killed there ends there."""
    code = an_installation(tmp_path / "code")
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(code))
        project.found({1: "# One\n\ndo: work wait go\n", 2: "# Two\n\ndo: first 1 wait never\n"})
    project.spawn("worker", "helper")
    mission = project.start(1, 2, options=("--no-reviewer", "--max-parallel", "2"))
    project.wait_runs(mission, 2)
    one, two = (project.runs(item=number)[0]["agent"] for number in (1, 2))
    project.tt("interrupt", one)
    project.tt("interrupt", two)
    old = f"role-worker.{project.pid('role-worker')}"
    module = code / "tinytown/errors.py"
    module.write_text(f"{module.read_text(encoding='utf-8')}\n\nNEW = 1\n", encoding="utf-8")

    def leaving() -> bool:
        states = process_specs.read_states(project.town)
        return old in states and states[old].alive and "role-worker" in states and states["role-worker"].alive

    wait_until(leaving, timeout=60, description="a new process stands beside the old one")
    assert {agent["state"] for agent in project.json("list")} == {"paused"}
    project.allow("go")
    project.tt("resume", one)
    project.wait_item(mission, 1, lambda item: item.state == "done", description="#1 is done")
    project.tt("kill", two)
    project.wait_state(mission, "completed")
    assert [run["agent"] for run in project.runs(item=1)] == [one]
    assert [run["agent"] for run in project.runs(item=2)] == [two, one]
    wait_until(
        lambda: old not in process_specs.read_states(project.town), timeout=60, description="the old process has ended"
    )
    wait_until(
        lambda: {a["name"]: a["state"] for a in project.json("list")} == {one: "idle", two: "stopped"},
        timeout=60,
        description="each is as it shall be",
    )
