"""Agents without work stop themselves, and are there again as soon as there is some."""

from __future__ import annotations

import time

import pytest

from tests.acceptance.project import TIMING, Project
from tests.acceptance.test_lives import agents_of, steps
from tests.acceptance.test_role_workers import workers
from tests.waiting import wait_until
from tinytown.host import seats
from tinytown.missions.states import AgentState


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> float:
    """They are idle for a second at most."""
    monkeypatch.setenv("TINYTOWN_AGENT__IDLE_TIMEOUT_SECS", "1")
    return 1.0


def wait_cold(project: Project, *names: str) -> None:
    def cold() -> bool:
        found = agents_of(project)
        return all(found[name]["state"] == "cold" and found[name]["returns"] for name in names)

    wait_until(cold, timeout=60, description=f"{', '.join(names)} are cold")


@pytest.mark.usefixtures("quick")
def test_idle_agents_go_cold_and_come_back_for_work(project: Project) -> None:
    """Without any process left for them; a mission may begin, be reviewed and redirected all the same."""
    # A lost wake would take a tick, and what is sent to nobody would be sent again: both show in the time.
    timing = {**TIMING, "tick_secs": 60, "unclaimed_secs": 60}
    project.found(
        {1: "# One\n", 2: "# Two\n\nDepends on #1.\n", 3: "# Three\n\ndo: first 1 wait never\n"}, timing=timing
    )
    project.spawn("worker", "helper", "reviewer")
    wait_cold(project, "worker", "helper", "reviewer")
    wait_until(lambda: workers(project) == [], timeout=30, description="no process is left for them")
    assert seats.processes(project.town) == {}
    assert "starts again when there is work for it" in project.tt("list").stdout
    assert project.json("prune", "--dry-run") == []

    began = time.monotonic()
    started = project.tt("mission", "start", "--issue", "1", "--issue", "2", "--no-base-check")
    assert "no running" not in started.stdout + started.stderr
    mission = project.json("mission", "list", "--all")[0]["id"]
    view = project.wait_state(mission, "completed")
    assert time.monotonic() - began < 45
    assert {item["approved_by"] for item in view["items"]} == {"reviewer"}
    assert not project.events(mission, "help_asked")
    assert not project.events(mission, "attempt_withdrawn")

    wait_cold(project, "worker", "helper", "reviewer")
    third = project.start(3, options=("--no-reviewer",))
    first = project.wait_runs(third, 1, item=3)[0]["agent"]
    other = {"worker": "helper", "helper": "worker"}[first]
    wait_cold(project, other)
    project.tt("mission", "note", third[:8], f"redirect 3 to {other}")
    project.wait_state(third, "completed")
    assert project.runs(item=3)[-1]["agent"] == other
    assert ("idle", "cold", "") in steps(project, other)
    assert ("cold", "starting", "") in steps(project, other) or ("cold", "starting", "operator") in steps(
        project, other
    )

    # A closed one is not woken; whoever wants it back says so.
    wait_cold(project, "worker", "helper")
    project.tt("restart", "worker")
    project.tt("close", "worker")
    project.tt("wait", "worker", "--timeout", "30")
    assert not agents_of(project)["worker"]["returns"]
    project.tt("kill", "helper")
    assert [agent["name"] for agent in project.json("prune")] == ["worker", "helper"]
    assert [agent["name"] for agent in project.json("prune", "--all")] == ["reviewer"]
    assert agents_of(project) == {}


@pytest.mark.usefixtures("quick")
def test_work_that_comes_while_an_agent_goes_cold_is_done_at_once(project: Project) -> None:
    """Again and again at about that moment: nothing is sent to somebody who has just gone."""
    timing = {**TIMING, "tick_secs": 60, "unclaimed_secs": 60}
    project.found({number: f"# {number}\n" for number in range(1, 9)}, timing=timing)
    project.spawn("worker")
    for number in range(1, 9):
        began = time.monotonic()
        mission = project.start(number, options=("--no-reviewer",))
        project.wait_state(mission, "completed")
        assert time.monotonic() - began < 45
        assert not project.events(mission, "attempt_withdrawn")
        _pause(0.7 + 0.1 * number)


def _pause(seconds: float) -> None:
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, description="it is about to go cold")


def test_a_wake_that_was_interrupted_is_made_up_for(project: Project) -> None:
    """Between the record and the seat; a tick sees it."""
    project.found({1: "# One\n"})
    project.spawn("worker")
    project.tt("close", "worker")
    project.tt("wait", "worker", "--timeout", "30")
    context = project.context()
    old = context.crew.agent("worker")
    change = context.store.change()
    woken = old.record.evolve(state=AgentState.STARTING, returns=True)
    change.put_agent(old, woken, why="there is work for it", at=context.store.now() - 60)
    change.commit()
    wait_until(lambda: agents_of(project)["worker"]["state"] == "idle", timeout=60, description="it is there")
    assert not agents_of(project)["worker"]["returns"]


def test_nobody_stops_who_shall_not(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one at work, nor one that is interrupted, whatever became of its run."""
    monkeypatch.setenv("TINYTOWN_AGENT__IDLE_TIMEOUT_SECS", "0.5")
    project.found({1: "# One\n\ndo: wait go\n", 2: "# Two\n\ndo: wait never\n"})
    # They may be cold before the next command is typed, and no two of them need be there at once: work wakes them.
    for name in ("worker", "ann"):
        project.tt("spawn", name, "--cli", "fake")
    mission, other = (project.start(number, options=("--no-reviewer",)) for number in (1, 2))
    at_work = project.wait_runs(mission, 1, item=1)[0]["agent"]
    held = project.wait_runs(other, 1, item=2)[0]["agent"]
    project.tt("interrupt", held)
    project.tt("mission", "stop", other[:8], "--force")
    wait_until(lambda: project.events(other, "attempt_ended"), timeout=60, description="the run of the held one ended")
    since = time.monotonic()
    wait_until(lambda: time.monotonic() - since > 3, description="longer than they may be idle")
    assert {name: agent["state"] for name, agent in agents_of(project).items()} == {at_work: "working", held: "paused"}
    project.allow("go")
    project.wait_state(mission, "completed")
    wait_cold(project, at_work)
