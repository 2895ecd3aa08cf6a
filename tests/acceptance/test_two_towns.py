"""Two towns of one user, on one machine and on one server: whatever is done in one, nothing of the other moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import Project, tree_of_run
from tests.acceptance.test_lives import agents_of, run_of
from tests.acceptance.test_recovery import everything
from tests.waiting import wait_until
from tinytown.host.lifecycle import stop
from tinytown.host.server import Server

ISSUES = {1: "# One\n\ndo: children\ndo: wait go\n", 2: "# Two\n\ndo: wait go\n"}


@pytest.fixture(params=["a server each", "one server"])
def towns(
    request: pytest.FixtureRequest, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Project, Project]]:
    """With the same names for all that can be named, and a mission under way in each."""
    if request.param == "one server":
        monkeypatch.setenv("REDIS_URL", server.url)
    # A folder's agents leave files beside it, by which they are told to go on.
    pair = Project(tmp_path / "a" / "project"), Project(tmp_path / "b" / "project")
    for project in pair:
        project.found(ISSUES)
        project.spawn("worker", "helper")
    yield pair
    for project in pair:
        stop(project.town)


def processes(project: Project) -> dict[str, int]:
    found = json.loads(project.tt("status", "--json").stdout)["processes"]
    # On a server that somebody else runs, there is none of the town's own.
    return {process["name"]: process["pid"] for process in found}


def test_nothing_that_is_done_in_one_reaches_the_other(towns: tuple[Project, Project]) -> None:
    here, there = towns
    missions = [project.start(1, 2, options=("--no-reviewer", "--max-parallel", "2")) for project in towns]
    for project, mission in zip(towns, missions, strict=True):
        project.wait_runs(mission, 2)
    runs = [run_of(run) for run in there.runs()]
    there.tt("send", "worker", "stay as you are", "--info")
    pids, before = processes(there), everything(there)
    trees = {run: sorted(tree_of_run(run)) for run in runs}

    here.tt("interrupt", "worker")
    here.tt("resume", "worker")
    here.tt("close", "helper")
    here.tt("recover")
    here.tt("send", "helper", "unread", "--info")
    here.tt("kill", "helper")
    here.tt("reclaim", "--to", "worker")
    here.tt("prune", "--all")
    here.wait_duty("sweep", 1)
    assert {line["mission"] for line in here.json("history", "-n", "1000")} == {"", missions[0]}
    here.tt("mission", "stop", missions[0][:8], "--force")
    here.tt("doctor", code=None)
    here.tt("kill", "worker")
    here.tt("prune")
    here.tt("stop")

    assert everything(there) == before
    assert processes(there) == pids
    assert {run: sorted(tree_of_run(run)) for run in runs} == trees
    assert {name: agent["state"] for name, agent in agents_of(there).items()} == {
        "worker": "working", "helper": "working",
    }  # fmt: skip

    # Back again, with a mission on the same issues, while the other one's goes on.
    here.tt("start")
    here.spawn("worker")
    again = here.start(1, 2, options=("--no-reviewer", "--max-parallel", "2"))
    here.allow("go")
    here.wait_state(again, "completed")
    assert everything(there) == before
    there.allow("go")
    there.wait_state(missions[1], "completed")
    assert len(there.runs()) == 2
    said = {str(f["name"]): f["status"] for f in json.loads(there.tt("doctor", "--json", code=None).stdout)}
    assert {status for name, status in said.items() if name.startswith("worker ")} == {"ok"}
    wait_until(lambda: there.json("inbox", "worker"), description="its message is still unread")
    assert agents_of(here).keys() == {"worker"}
