"""Whatever dies, and whenever: nothing is lost, nothing is merged twice, and the mission ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests.acceptance.project import TIMING, TT, Project, tree_of_run
from tests.waiting import wait_until
from tinytown import app
from tinytown.cli.main import run
from tinytown.host import process_specs
from tinytown.host.lifecycle import processes


def begin(project: Project, step: str = "sleep 2") -> str:
    """A mission whose first agent is at work, as long as that step takes."""
    first = f"# First\n\ndo: children\ndo: bill 0.25\ndo: {step}\ndo: write one.txt 1\n"
    project.found({1: first, 2: "# Second\n\nDepends on #1.\n"})
    project.spawn("worker")
    mission = project.start(1, 2, options=("--no-reviewer",))
    wait_until(lambda: project.runs(item=1), timeout=60, description="the first agent runs")
    return mission


def run_of(row: dict[str, Any]) -> str:
    """The marker of a run, from its line in the journal."""
    return f"{row['mission']}/{row['item']}/{row['attempt']}"


def complete(project: Project, mission: str) -> None:
    """The mission completes, and each issue was merged exactly once."""
    project.wait_state(mission, "completed", timeout=150)
    assert Counter(project.merges()) == {
        "Merge local/project#1: First": 1,
        "Merge local/project#2: Second": 1,
    }


@pytest.mark.parametrize("victim", ["role-worker", "control", "checks", "beat", "server", "supervisor"])
def test_kill_9_of_a_process_of_the_town(project: Project, victim: str) -> None:
    """The supervisor starts it again, the item runs again if need be, and the mission completes."""
    mission = begin(project)
    run = run_of(project.runs(item=1)[0])
    assert tree_of_run(run)
    project.kill(victim)
    if victim == "role-worker":
        wait_until(lambda: not tree_of_run(run), timeout=20, description="the whole tree of the first run is gone")
    complete(project, mission)
    numbers = [e.data["number"] for e in project.events(mission, "attempt_started") if e.item.endswith("#1")]
    assert numbers == sorted(set(numbers))
    if victim == "role-worker":
        assert len(project.runs(item=1)) == 2
        view = project.status(mission)
        assert view["items"][0]["attempts"] == 2
        wait_until(
            lambda: project.status(mission)["spent_usd"] == pytest.approx(0.5),
            timeout=30,
            description="what the dead worker's agent said at its end is counted too",
        )
        wait_until(lambda: not list((project.town.state / "bills").glob("*")), description="no bill is left open")
    elif victim != "checks":
        assert len(project.runs(item=1)) == 1


def test_a_killed_supervisor_is_brought_back_without_a_command(project: Project) -> None:
    """By what it left at work; so whatever is killed next comes back too, and a stopped town stays stopped."""
    project.found({1: "# One\n"})
    town = project.town
    first = {name: project.pid(name) for name in ("supervisor", "beat", "control", "checks")}
    os.kill(first["supervisor"], signal.SIGKILL)
    os.kill(first["beat"], signal.SIGKILL)

    def both_back() -> bool:
        supervisor, beat = process_specs.supervisor(town), process_specs.read_states(town)["beat"]
        return supervisor is not None and supervisor.pid != first["supervisor"] and beat.alive

    wait_until(both_back, timeout=30, description="supervisor and beat are back")
    assert (project.pid("control"), project.pid("checks")) == (first["control"], first["checks"])
    project.kill("supervisor")
    project.tt("stop")
    assert [process.name for process in processes(town) if process.pid] == []


def test_kill_9_of_an_agent(project: Project) -> None:
    """It counts as a failure of the attempt; its tree is gone and the next attempt does the work."""
    mission = begin(project)
    run = run_of(project.runs(item=1)[0])
    os.kill(project.runs(item=1)[0]["pid"], signal.SIGKILL)
    wait_until(lambda: not tree_of_run(run), timeout=20, description="nothing of the run is left")
    complete(project, mission)
    outcomes = [e.data["outcome"] for e in project.events(mission, "attempt_ended") if e.data["purpose"] == "work"]
    assert outcomes[0] == "failed"


def test_a_worker_frozen_beyond_its_lease_is_refused(project: Project) -> None:
    """SIGSTOP, the lease runs out, another worker takes over; on SIGCONT the old attempt leaves nothing."""
    mission = begin(project, "first 1 wait never")
    run = run_of(project.runs(item=1)[0])
    # In a process of its own: those whom one process serves are frozen with it.
    words = [str(TT), "spawn", "other", "--cli", "fake", "--role", "worker", "--foreground"]
    other = subprocess.Popen(words, cwd=project.root, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        crew = project.context().crew
        wait_until(lambda: "other" in crew.alive(), timeout=60, description="the other worker is there")
        frozen = project.kill("role-worker", signal.SIGSTOP)
        try:
            wait_until(lambda: len(project.runs(item=1)) == 2, timeout=90, description="the item runs again elsewhere")
            assert project.runs(item=1)[1]["agent"] == "other"
            wait_until(lambda: not tree_of_run(run), timeout=30, description="the frozen worker's agent is gone")
        finally:
            os.kill(frozen, signal.SIGCONT)
        complete(project, mission)
    finally:
        os.killpg(other.pid, signal.SIGTERM)  # As a terminal does: the command and the worker that it runs.
        other.wait(30)
    ended = [e.data["number"] for e in project.events(mission, "attempt_ended") if e.item.endswith("#1")]
    assert len(ended) == len(set(ended))


def test_two_beats_and_two_dispatchers_do_no_harm(project: Project) -> None:
    """A second clock and a dispatcher in the foreground beside the town's own change nothing."""
    project.found(
        {n: f"# Thing {n}\n\ndo: sleep 0.2\n" + (f"\nDepends on #{n - 1}.\n" if n > 1 else "") for n in range(1, 6)}
    )
    project.spawn("worker", "helper")
    env = {**os.environ, "TINYTOWN_TOWN": str(project.root)}
    beats = [
        subprocess.Popen(
            [sys.executable, "-m", "tinytown_beat"], cwd=project.root.parent, env=env, stderr=subprocess.DEVNULL
        ),
        subprocess.Popen(
            [str(TT), "mission", "dispatch"],
            cwd=project.root,
            env=os.environ.copy(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ),
    ]
    try:
        mission = project.start(*range(1, 6), options=("--no-reviewer",))
        project.wait_state(mission, "completed")
    finally:
        for beat in beats:
            beat.terminate()  # Not SIGINT: whoever runs the tests in the background has it ignored, and so have they.
        for beat in beats:
            beat.wait(30)
    assert Counter(r["item"] for r in project.runs(purpose="work")) == {f"local/project#{n}": 1 for n in range(1, 6)}
    assert len(project.merges()) == 5


def test_every_message_lost_once_or_delivered_twice(project: Project) -> None:
    """A thief empties the queues again and again for a while, then a copier doubles what it finds."""
    timing = {**TIMING, "unclaimed_secs": 2}
    project.found(
        {n: f"# Thing {n}\n" + (f"\nDepends on #{n - 1}.\n" if n > 1 else "") for n in range(1, 5)}, timing=timing
    )
    project.spawn("worker")
    store = project.context().store
    prefix = project.town.prefix
    mission = project.start(1, 2, 3, 4, options=("--no-reviewer",))
    stolen: set[str] = set()
    copied: set[str] = set()

    def meddle() -> bool:
        for queue in ("control", "role.worker", "agent.worker", "checks"):
            key = f"{prefix}{queue}"
            for message in store.client.lrange(key, 0, -1):
                name = message[:400]
                if name not in stolen and len(stolen) < 6:
                    stolen.add(name)
                    store.client.lrem(key, 1, message)
                elif name not in copied:
                    copied.add(name)
                    store.client.lpush(key, message)
        return store.mission(mission).record.state.value == "completed"

    wait_until(meddle, timeout=150, description="the mission completes", pause=0.001)
    assert Counter(r["item"] for r in project.runs(purpose="work")) == {f"local/project#{n}": 1 for n in range(1, 5)}
    assert len(project.merges()) == 4


def test_kill_ends_an_agent_at_work_and_keeps_what_it_wrote(project: Project) -> None:
    """`tt kill` gives the item back; another agent goes on from the salvaged work."""
    project.found({1: "# One\n\ndo: write kept.txt yes\ndo: sleep 12\n"})
    project.spawn("worker")
    mission = project.start(1, options=("--no-reviewer",))
    wait_until(lambda: project.runs(item=1), timeout=60, description="the agent runs")
    wait_until(lambda: list(project.town.work.glob("*/*/*/kept.txt")), description="it wrote something")
    project.tt("kill", "worker")
    assert [agent["why"] for agent in project.json("list")] == ["killed"]
    wait_until(lambda: project.events(mission, "attempt_ended"), timeout=30, description="its run was given back")
    assert project.events(mission, "attempt_ended")[0].data["outcome"] == "cancelled"
    project.spawn("helper", "worker2")
    project.tt("mission", "note", mission[:8], "redirect 1 to helper")
    project.wait_state(mission, "completed")
    item = project.status(mission)["items"][0]
    assert item["agent"] == "helper"
    assert len(project.runs(item=1)) == 2
    assert project.git("show", "main:kept.txt") == "yes"


def test_an_agent_that_is_sent_away_is_paid_and_remembered(project: Project) -> None:
    """A redirected run counts in what was spent; whoever wrote before is an author, and no reviewer of it."""
    issue = "# One\n\ndo: bill 0.25 swept\ndo: write half.txt yes\ndo: first 1 wait never\n"
    project.found({1: issue}, timing={**TIMING, "kill_grace_secs": 60})
    project.spawn("worker", "helper", "reviewer")
    mission = project.start(1)
    wait_until(lambda: list(project.town.work.glob("*/*/*/half.txt")), timeout=60, description="somebody wrote")
    first = project.runs(item=1)[0]["agent"]
    second = {"worker": "helper", "helper": "worker"}[first]
    project.tt("mission", "note", mission[:8], f"redirect 1 to {second}")
    # The run that was sent away winds down, and no other worker's sweeper takes it for a stray meanwhile.
    project.wait_duty("sweep", 2)
    project.allow("swept")
    project.wait_state(mission, "completed")
    wait_until(lambda: project.status(mission)["spent_usd"] >= 0.5, timeout=60, description="both runs are paid")
    store = project.context().store
    item = store.item(mission, "local/project#1").record
    assert (item.authors, item.approved_by) == ((first, second), "reviewer")
    works = [a for a in store.finished_attempts(mission, item.key) if a.purpose == "work"]
    assert [(a.agent, a.report.outcome, a.report.cost_usd) for a in works] == [
        (first, "cancelled", 0.25), (second, "succeeded", 0.25),
    ]  # fmt: skip
    assert project.status(mission)["spent_usd"] == pytest.approx(0.5)


def test_a_broker_that_dies_between_commit_and_send(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The command says that the mission is saved, in one sentence; a tick sends what is missing."""
    project.found({1: "# One\n\ndo: write one.txt 1\n"})
    project.spawn("worker")
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(app, "celery_url", lambda _: f"redis+socket://{project.root}/none.sock?virtual_host=0")
    capfd.readouterr()
    assert run(["mission", "start", "--issue", "1", "--no-reviewer"]) == 5
    mission = project.status(project.json("mission", "list", "--all")[0]["id"])["id"]
    assert capfd.readouterr().err == (
        f"error: mission {mission[:8]} is saved and continues by itself as soon as possible: the town's database does "
        "not answer\n  run `tt start`\n"
    )
    project.wait_state(mission, "completed")
    assert len(project.runs(purpose="work")) == 1
