"""The lives of agents: interrupted, resumed, closed, killed, restarted and forgotten, while their neighbours go on."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any

import psutil
import pytest

from tests.acceptance.project import TIMING, TT, Project, tree_of_run
from tests.waiting import patience, wait_until
from tinytown.host import process_specs, seats
from tinytown_workers.run import standstill


def agents_of(project: Project) -> dict[str, dict[str, Any]]:
    return {agent["name"]: agent for agent in project.json("list")}


def state_of(project: Project, name: str) -> str:
    state: str = agents_of(project)[name]["state"]
    return state


def wait_state(project: Project, name: str, state: str) -> None:
    wait_until(lambda: state_of(project, name) == state, timeout=60, description=f"{name} is {state}")


def run_of(run: dict[str, Any]) -> str:
    return f"{run['mission']}/{run['item']}/{run['attempt']}"


def standing(run: str) -> set[str]:
    return {standstill.state(pid) for pid in tree_of_run(run)}


def steps(project: Project, name: str) -> list[tuple[str, str, str]]:
    """From where to where an agent went, and who did that."""
    events = [event for _, event in project.context().store.events(count=10_000)]
    mine = [e for e in events if e.data.get("agent") == name and e.kind in ("agent_spawned", "agent_state_changed")]
    return [(e.data["from"], e.data["to"], e.data.get("by", "")) for e in mine]


def test_an_interrupted_agent_stands_still_and_its_neighbour_goes_on(project: Project) -> None:
    """Longer than its lease, its limits of time and every tick; then it goes on where it was."""
    text = "# {n}\n\ndo: children\ndo: write {n}.txt begun\ndo: say begun\ndo: wait go-{n}\ndo: append {n}.txt ended\n"
    project.found(
        {n: text.format(n=n) for n in (1, 2)},
        timing={**TIMING, "no_output_secs": 4},
        extra="timeout = 12\n",
    )
    project.spawn("worker", "helper")
    mission = project.start(1, 2, options=("--no-reviewer", "--max-parallel", "2"))
    runs = {run["agent"]: run for run in project.wait_runs(mission, 2)}
    wait_until(lambda: len(list(project.town.work.glob("*/*/*/[12].txt"))) == 2, description="both wrote something")
    held, free = runs["worker"], runs["helper"]

    began = time.monotonic()
    said = project.json("interrupt", "worker")
    assert time.monotonic() - began < patience(5)
    assert (said["state"], said["item"]) == ("paused", held["item"])
    assert len(tree_of_run(run_of(held))) > 2
    assert standing(run_of(held)) == {"T"}
    assert state_of(project, "worker") == "paused"
    assert state_of(project, "helper") == "working"
    project.allow(f"go-{free['item'][-1]}")
    project.wait_item(
        mission, int(free["item"][-1]), lambda item: item.state == "done", description="the other is done"
    )
    project.allow(f"go-{held['item'][-1]}")
    since = time.monotonic()
    wait_until(lambda: time.monotonic() - since > 14, timeout=60, description="longer than lease and limits")
    assert standing(run_of(held)) == {"T"}
    assert project.item(mission, int(held["item"][-1])).state == "running"
    assert "interrupted: `tt resume worker`" in project.tt("mission", "status", "--work").stdout
    assert project.status(mission)["interrupted"] == ["worker"]
    assert state_of(project, "worker") == "paused"

    assert project.json("resume", "worker")["state"] == "working"
    project.wait_state(mission, "completed")
    assert len(project.runs()) == 2, "nobody began anew"
    number = held["item"][-1]
    assert project.git("show", f"main:{number}.txt").split() == ["begun", "ended"]
    assert steps(project, "worker") == [
        ("", "starting", "operator"), ("starting", "idle", ""), ("idle", "paused", "operator"),
        ("paused", "idle", "operator"),
    ]  # fmt: skip


def test_an_idle_agent_that_is_interrupted_takes_nothing(project: Project) -> None:
    project.found({1: "# One\n"})
    project.spawn("worker")
    before = seats.told(project.town)
    assert "worker is interrupted" in project.tt("interrupt", "worker").stdout
    assert seats.told(project.town) != before, "whoever serves it looks at once"
    project.tt("interrupt", "worker")
    mission = project.start(1, options=("--no-reviewer",))
    waiting = project.wait_waiting(mission, 1, "no_worker")
    assert waiting.remedy == "worker is interrupted: run `tt resume worker`"
    project.wait_duty("dispatch", 2)
    assert project.runs() == []
    # It stays so when the town comes back, here for a message that is to be delivered.
    project.tt("stop")
    assert "started agent-worker" in project.tt("send", "worker", "--info", "a word").stderr
    wait_until(lambda: project.context().crew.alive() >= {"worker"}, timeout=60, description="it is there")
    assert state_of(project, "worker") == "paused"
    project.tt("resume", "worker")
    project.wait_state(mission, "completed")
    refused = project.tt("resume", "worker", code=4).stderr
    assert "is not interrupted" in refused
    assert project.tt("interrupt", "nobody", code=3).stderr.splitlines() == [
        "error: there is no agent `nobody`", "  see `tt list`",
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["kill", "worker dies", "stop", "cancel"])
def test_what_stands_still_is_not_lost_when_it_is_ended(project: Project, how: str) -> None:
    """Killed, with its worker, with the town, with its mission: what it wrote is there for the next one."""
    project.found({1: "# One\n\ndo: children\ndo: write kept.txt yes\ndo: first 1 wait never\n"})
    project.spawn("worker", "helper")
    mission = project.start(1, options=("--no-reviewer",))
    run = project.wait_runs(mission, 1)[0]
    wait_until(lambda: list(project.town.work.glob("*/*/*/kept.txt")), description="it wrote something")
    held = run["agent"]
    other = {"worker": "helper", "helper": "worker"}[held]
    project.tt("interrupt", held)
    if how == "kill":
        project.tt("kill", held)
    elif how == "worker dies":
        project.kill("role-worker")
    elif how == "stop":
        project.tt("stop")
        assert tree_of_run(run_of(run)) == []
        project.tt("start")
    else:
        project.tt("mission", "stop", mission[:8], "--force")
    wait_until(lambda: tree_of_run(run_of(run)) == [], timeout=30, description="nobody of it is left")
    wait_until(lambda: project.events(mission, "attempt_ended"), timeout=60, description="its end is on record")
    if how == "cancel":
        mirror = str(next(project.town.mirrors.glob("*.git")))
        refs = ("for-each-ref", "--format=%(refname)", f"refs/tinytown/attempts/{mission[:8]}")
        ref = wait_until(lambda: project.git("--git-dir", mirror, *refs), description="the work is kept")
        assert project.git("--git-dir", mirror, "show", f"{ref}:kept.txt") == "yes"
        assert state_of(project, held) == "paused"
        return
    project.wait_state(mission, "completed")
    assert [r["agent"] for r in project.runs(item=1)] == [held, other]
    assert project.git("show", "main:kept.txt") == "yes"
    assert state_of(project, held) == ("stopped" if how == "kill" else "paused")


def test_close_lets_a_run_end_and_disturbs_nobody(project: Project) -> None:
    """The closed one takes nothing more, though there is work; then it is cold, and comes back when it is told to."""
    project.found({n: f"# {n}\n\ndo: wait go-{n}\n" for n in (1, 2, 3)})
    project.spawn("worker", "helper")
    mission = project.start(1, 2, 3, options=("--no-reviewer", "--max-parallel", "3"))
    runs = {run["agent"]: run for run in project.wait_runs(mission, 2)}
    pid = project.pid("role-worker")
    closed, other = runs["worker"]["item"][-1], runs["helper"]["item"][-1]
    said = project.tt("close", "worker").stdout
    assert f"stops once it has finished work local/project#{closed}" in said
    assert state_of(project, "worker") == "draining"
    assert "is still draining" in project.tt("wait", "worker", "--timeout", "0.5", code=1).stderr
    assert "being closed" in project.tt("interrupt", "worker", code=4).stderr
    project.allow(f"go-{closed}")
    ended = project.json("wait", "worker", "--timeout", "60")
    assert (ended["state"], ended["why"], ended["returns"]) == ("cold", "closed", False)
    assert len(project.runs()) == 2, "it took nothing more"
    assert state_of(project, "helper") == "working"
    assert project.pid("role-worker") == pid
    assert "worker" not in seats.processes(project.town)

    project.tt("restart", "worker")
    project.wait_runs(mission, 3)
    assert project.runs()[-1]["agent"] == "worker"
    for number in (1, 2, 3):
        project.allow(f"go-{number}")
    project.wait_state(mission, "completed")
    assert project.pid("role-worker") == pid
    assert project.runs(item=int(other))[0]["agent"] == "helper"
    assert "has not ended" in project.tt("restart", "helper", code=4).stderr


def test_one_that_was_killed_stays_listed_until_it_is_pruned(project: Project) -> None:
    project.found({1: "# One\n\ndo: hang\n"}, timing={**TIMING, "kill_grace_secs": 4})
    project.spawn("worker", "helper", "ann")
    mission = project.start(1, options=("--no-reviewer",))
    name = project.wait_runs(mission, 1)[0]["agent"]
    project.tt("mission", "stop", mission[:8])
    assert project.json("kill", name)["ran"]
    # Not before its run is gone.
    assert state_of(project, name) == "draining"
    wait_state(project, name, "stopped")
    assert not tree_of_run(run_of(project.runs()[0]))
    assert not project.json("kill", name)["ran"]
    before = project.tt("list").stdout
    assert "killed" in before
    rest = sorted({"worker", "helper", "ann"} - {name})
    assert [agent["name"] for agent in project.json("prune", "--dry-run")] == [name]
    assert project.tt("list").stdout == before
    assert f"{name} removed" in project.tt("prune").stdout
    assert sorted(agents_of(project)) == rest
    assert "nothing to remove" in project.tt("prune", "--all").stdout
    assert sorted(agents_of(project)) == rest
    # Killed and pruned at once, or killed and restarted at once: none of it is left, or twice there.
    project.tt("kill", rest[0])
    project.tt("kill", rest[1])
    project.tt("restart", rest[1])
    project.tt("prune")
    wait_state(project, rest[1], "idle")
    assert list(agents_of(project)) == [rest[1]]
    specs = process_specs.read_specs(project.town)
    assert [sorted(spec.agents) for spec in specs.values() if spec.kind == "agent"] == [[rest[1]]]


def test_an_agent_stops_after_its_last_run(project: Project) -> None:
    """And is sent nothing more; another one goes on at once."""
    project.found({n: f"# {n}\n" for n in range(1, 6)}, timing={**TIMING, "unclaimed_secs": 60})
    project.tt("spawn", "worker", "-c", "fake", "--max-rounds", "2")
    mission = project.start(1, 2, 3, 4, 5, options=("--no-reviewer", "--max-parallel", "5"))
    wait_state(project, "worker", "stopped")
    agent = agents_of(project)["worker"]
    assert (agent["rounds"], agent["max_rounds"]) == (2, 2)
    assert len(project.runs()) == 2
    assert "2 of 2 runs" in project.tt("list").stdout
    project.spawn("helper")
    wait_until(lambda: len(project.runs()) == 5, timeout=60, description="the other did the rest")
    project.wait_state(mission, "completed")
    project.tt("restart", "worker", "--rounds", "1")
    wait_state(project, "worker", "idle")
    assert agents_of(project)["worker"]["rounds"] == 0


def test_agents_have_labels_by_which_commands_find_them(project: Project) -> None:
    project.found({1: "# One\n"})
    made = json.loads(project.tt("spawn", "backend", "--count", "2", "-c", "fake", "--json").stdout)
    assert [one["name"] for one in made] == ["backend", "backend-2"]
    first, second = (one["nickname"] for one in made)
    assert first
    assert second
    assert first != second
    project.tt("spawn", "helper", "-c", "fake", "--parent", first.lower(), "--nickname", "Rob")
    agents = agents_of(project)
    assert agents["helper"]["parent"] == "backend"
    assert agents["helper"]["label"] == "Rob [worker]"
    assert "child of backend" in project.tt("list").stdout
    assert f"{first} [backend]" in project.tt("status").stdout
    assert project.json("kill", f"{second} [backend]")["name"] == "backend-2"
    assert project.json("interrupt", "rob")["name"] == "helper"
    project.tt("send", "Rob [worker]", "hello", "--info")
    assert [message["text"] for message in project.json("inbox", "rob")] == ["hello"]
    assert [message["text"] for message in project.json("inbox", "helper")] == ["hello"], "it is one mailbox"
    assert "helper is served" in project.tt("logs", "rob").stdout
    assert (
        "there is no agent `nobody`" in project.tt("spawn", "late", "-c", "fake", "--parent", "nobody", code=3).stderr
    )
    assert "late" not in agents_of(project)


def test_an_agent_in_a_terminal_obeys_as_well(project: Project) -> None:
    """Interrupted, resumed and closed from another one; then its terminal is free again."""
    project.found({1: "# One\n\ndo: wait go\n", 2: "# Two\n\ndo: wait never\n"})

    def terminal(*words: str) -> subprocess.Popen[str]:
        argv = [str(TT), *words, "--foreground"]
        opened = subprocess.Popen(argv, cwd=project.root, env=os.environ, stdout=subprocess.PIPE, text=True)
        crew = project.context().crew
        wait_until(lambda: "worker" in crew.alive(), timeout=60, description="the agent is there")
        return opened

    spawned = terminal("spawn", "worker", "--cli", "fake")
    mission = project.start(1, options=("--no-reviewer",))
    run = project.wait_runs(mission, 1)[0]
    project.tt("interrupt", "worker")
    assert standing(run_of(run)) == {"T"}
    pids = [child.pid for child in psutil.Process(spawned.pid).children()]
    assert [f"in a terminal, pid {pid}" in project.tt("status", "--deep").stdout for pid in pids] == [True]
    project.tt("resume", "worker")
    project.tt("close", "worker")
    project.allow("go")
    assert spawned.wait(60) == 0
    assert state_of(project, "worker") == "cold"
    project.wait_state(mission, "completed")
    assert spawned.stdout is not None
    spawned.stdout.close()

    again = terminal("restart", "worker")
    second = project.start(2, options=("--no-reviewer",))
    run = project.wait_runs(second, 1, item=2)[0]
    project.tt("kill", "worker")
    assert again.wait(60) == 0
    assert tree_of_run(run_of(run)) == []
    assert state_of(project, "worker") == "stopped"
    assert again.stdout is not None
    again.stdout.close()
