"""The agents of a role are in the care of one worker process: they come, go, work and end each on its own."""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.acceptance.project import Project, tree_of_run
from tests.waiting import wait_until
from tinytown import files
from tinytown.host import process_specs, seats
from tinytown.missions.records.agent import Agent


def agents_of(project: Project) -> dict[str, dict[str, Any]]:
    """Those that were not killed."""
    return {agent["name"]: agent for agent in project.json("list") if agent["why"] != "killed"}


def workers(project: Project) -> list[str]:
    """The town's processes that serve agents, while they live."""
    states = process_specs.read_states(project.town)
    return sorted(name for name, state in states.items() if state.alive and state.kind == "agent")


def wait_idle(project: Project, *names: str) -> None:
    def there() -> bool:
        found = agents_of(project)
        return found.keys() == set(names) and all(agent["state"] == "idle" for agent in found.values())

    wait_until(there, timeout=60, description=f"{', '.join(names)} are idle, and nobody else is there")


def test_several_agents_work_in_one_process(project: Project) -> None:
    """Each at an item of its own; one is killed, one is spawned with another CLI, and the others go on."""
    project.found(
        {
            1: "# One\n\ndo: write one.txt 1\ndo: wait go\n",
            2: "# Two\n\ndo: write two.txt 2\ndo: first 1 wait never\n",
            3: "# Three\n\ndo: wait go\n",
            4: "# Four\n\ndo: first 1 wait never\ndo: write four.txt 4\n",
        },
        clis=("fake", "other"),
    )
    said = project.tt("spawn", "worker", "--count", "3", "--cli", "fake").stdout
    assert said.splitlines() == [f"🤖 {name}: worker with fake" for name in ("worker", "worker-2", "worker-3")]
    wait_idle(project, "worker", "worker-2", "worker-3")
    assert workers(project) == ["role-worker"]
    pid = project.pid("role-worker")
    assert project.tt("spawn", "worker", "--count", "2", "--cli", "fake").stdout.count("(already here)") == 2

    mission = project.start(1, 2, 3, options=("--no-reviewer", "--max-parallel", "3"))
    project.wait_runs(mission, 3)
    who = {run["item"][-1]: run["agent"] for run in project.runs()}
    assert sorted(who.values()) == ["worker", "worker-2", "worker-3"]
    assert {agent["state"] for agent in agents_of(project).values()} == {"working"}

    # One of them goes, with its run; its work is kept, and goes to one who comes.
    run = next(run for run in project.runs() if run["item"].endswith("#2"))
    wait_until(lambda: list(project.town.work.glob("*/*/*/two.txt")), description="it wrote something")
    project.tt("kill", who["2"])
    wait_until(lambda: not tree_of_run(f"{mission}/{run['item']}/{run['attempt']}"), description="its run is gone")
    project.tt("spawn", "ann", "--role", "worker", "--cli", "other")
    project.wait_item(mission, 2, lambda item: item.state == "done", description="#2 is done")
    assert [run["agent"] for run in project.runs(item=2)] == [who["2"], "ann"]
    assert project.git("show", "main:two.txt") == "2"

    project.allow("go")
    project.wait_state(mission, "completed")
    assert len(project.runs(item=1)) == len(project.runs(item=3)) == 1, "nobody else was disturbed"
    assert project.pid("role-worker") == pid
    outcomes = {e.data["outcome"] for e in project.events(mission, "attempt_ended") if e.item.endswith("#2")}
    assert outcomes == {"cancelled", "succeeded"}
    assert f"{who['1']} is served: worker with fake" in project.tt("logs", who["1"]).stdout
    assert "succeeded" in project.tt("logs", who["1"]).stdout
    assert {f["status"] for f in json.loads(project.tt("doctor", "--json", code=None).stdout)
            if f["name"].startswith("worker ")} == {"ok"}  # fmt: skip

    # What is meant for one of them goes to that one, whoever is idle.
    second = project.start(4, options=("--no-reviewer",))
    first = project.wait_runs(second, 1, item=4)[0]["agent"]
    chosen = next(name for name in agents_of(project) if name != first)
    project.tt("mission", "note", second[:8], f"redirect 4 to {chosen}")
    project.wait_state(second, "completed")
    assert [run["agent"] for run in project.runs(item=4)] == [first, chosen]

    # With the last of them goes the process.
    for name in agents_of(project):
        project.tt("kill", name)
    wait_until(lambda: workers(project) == [], timeout=30, description="the process has ended")


def test_one_that_is_killed_and_spawned_again_is_another(project: Project) -> None:
    """At once, while its run still winds down: nothing of it goes on as the new one's."""
    project.found({1: "# One\n\ndo: first 1 children\ndo: first 1 hang\ndo: write one.txt 1\n"})
    project.spawn("worker", "helper")
    mission = project.start(1, options=("--no-reviewer",))
    run = project.wait_runs(mission, 1)[0]
    project.tt("kill", run["agent"])
    project.tt("spawn", run["agent"], "--cli", "fake")
    project.wait_state(mission, "completed")
    assert not tree_of_run(f"{mission}/{run['item']}/{run['attempt']}")
    assert len(project.runs()) == 2
    wait_idle(project, "worker", "helper")


def test_agents_with_processes_of_their_own_move_into_that_of_their_role(project: Project) -> None:
    """Towns had one for each agent, held ones too: their files are carried over, and nothing is run twice."""
    project.found({n: f"# Thing {n}\n\ndo: sleep 0.2\n" for n in range(1, 5)})
    project.tt("stop")
    town = project.town
    for folder, names in (("wishes", ("worker", "helper", "backend")), ("held", ("late",))):
        files.private_folder(town.run / folder)
        for name in names:
            argv = [sys.executable, "-m", "tinytown_workers", "--agent", name]
            spec = {"argv": argv, "kind": "agent", "env": {"TINYTOWN_CLI_FOLDER": "/opt/clis"}}
            (town.run / folder / f"agent-{name}.json").write_text(json.dumps(spec))
    project.tt("start", "--no-agents")
    crew, now = project.context().crew, project.context().store.now()
    for name in ("worker", "helper", "backend", "late"):
        crew.put(None, Agent(name=name, role="backend" if name == "backend" else "worker", cli="fake", spawned_at=now))
    project.tt("start")
    wait_until(lambda: workers(project) == ["role-backend", "role-worker"], timeout=60, description="two processes")
    wait_until(lambda: crew.alive() >= {"worker", "helper", "backend", "late"}, timeout=60, description="all are there")
    specs = process_specs.read_specs(town)
    assert {name: sorted(spec.agents) for name, spec in specs.items() if spec.kind == "agent"} == {
        "role-backend": ["backend"],
        "role-worker": ["helper", "late", "worker"],
    }
    assert {seat.cli_folder for seat in specs["role-worker"].agents.values()} == {"/opt/clis"}
    assert seats.held(town) == []
    mission = project.start(1, 2, 3, 4, options=("--no-reviewer", "--max-parallel", "4"))
    project.wait_state(mission, "completed")
    assert sorted(run["item"][-1] for run in project.runs(purpose="work")) == ["1", "2", "3", "4"]
