"""`tt history` and `tt events`: each step once, with from, to, why, who and when."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
from collections import defaultdict
from typing import Any

from tests.acceptance.project import TT, Project
from tests.waiting import wait_until
from tinytown.missions.states import ItemState, MissionState


def chains(lines: list[dict[str, Any]], about: str) -> dict[str, list[tuple[str, str]]]:
    """The steps of each item, mission or agent, in order."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in lines:
        if line["to"] and line[about] and (about != "mission" or not line["item"]):
            found[line[about]].append((line["from"], line["to"]))
    return found


def unbroken(steps: list[tuple[str, str]]) -> bool:
    return all(before[1] == after[0] for before, after in itertools.pairwise(steps))


def test_every_step_is_told_once_with_who_and_why(project: Project) -> None:
    """Through success, failure, a fix round, a retry, a pause, a cancelled item: none is left out, none invented."""
    project.found(
        {
            1: "# One\n\nverdict: reject-first 1\n",
            2: "# Two\n\nDepends on #1.\n\ndo: first 3 fail\n",
            3: "# Three\n\ndo: first 1 wait never\n",
            4: "# Four\n\nDepends on #2.\n",
        }
    )
    project.spawn("worker", "helper", "reviewer")
    mission = project.start(1, 2, 3, 4, options=("--max-parallel", "3"))
    project.wait_item(mission, 1, lambda i: i.state == "done", description="#1 is done")
    project.wait_runs(mission, 1, item=3)
    project.tt("mission", "stop", mission[:8])
    project.tt("mission", "note", mission[:8], "cancel 3 not wanted")
    project.tt("mission", "resume", mission[:8])
    project.wait_item(mission, 2, lambda i: i.state == "failed", description="#2 failed", timeout=120)
    project.tt("mission", "retry", mission[:8], "2")
    project.wait_item(mission, 4, lambda i: i.state == "done", description="#4 is done", timeout=120)
    project.tt("mission", "stop", mission[:8], "--force")
    project.tt("kill", "helper")

    lines = project.json("history", "--limit", "10000")
    places = [tuple(map(int, line["id"].split("-"))) for line in lines]
    assert places == sorted(places)
    assert [line for line in lines if line["to"] and not (line["by"] and line["why"] and line["at"])] == []
    items = chains(lines, "item")
    ends = {v.record.key: v.record.state for v in project.context().store.items(mission).values()}
    assert items.keys() == ends.keys()
    for key, steps in items.items():
        assert unbroken(steps), (key, steps)
        assert steps[0][0] == ItemState.PENDING
        assert steps[-1][1] == ends[key]
    heads = chains(lines, "mission")[mission]
    assert unbroken(heads), heads
    assert heads[-1][1] == MissionState.CANCELLED
    assert ("running", "paused") in heads or ("blocked", "paused") in heads
    by = {(line["item"][-1:], line["from"], line["to"]): line for line in lines if line["item"] and line["to"]}
    assert by["1", "ready", "assigned"]["by"] == "town"
    assert by["1", "assigned", "running"]["by"] in ("worker", "helper")
    assert by["1", "in_review", "fixing"]["by"] == "reviewer"
    assert by["2", "failed", "pending"]["by"] == "operator"
    agents = [line for line in lines if line["kind"] == "agent_state_changed" and line["agent"] == "helper"]
    assert [(line["from"], line["to"], line["why"], line["by"]) for line in agents] == [
        ("starting", "idle", "its worker is there", "town"), ("idle", "stopped", "killed", "operator"),
    ]  # fmt: skip

    # The newest, the oldest of them first; filters count what they let through.
    assert project.json("history", "-n", "3") == lines[-3:]
    assert project.json("events", "-c", "3") == lines[-3:]
    mine = [line for line in lines if "reviewer" in json.dumps([line["agent"], line["by"], line["data"]])]
    assert project.json("history", "-n", "2", "--agent", "reviewer") == mine[-2:]
    label = next(a["label"] for a in project.json("list") if a["name"] == "reviewer")
    assert project.json("events", "-c", "2", "--agent", label) == mine[-2:]
    of_mission = project.json("events", "-c", "1000", "--mission", mission[:8])
    assert {line["mission"] for line in of_mission} == {mission}
    said = project.tt("history", "-n", "1").stdout
    assert said.endswith("helper  idle → stopped: killed, by operator\n")
    assert "[agent_state_changed]" in project.tt("events", "-c", "1").stdout
    assert project.tt("events", "--mission", "ffff", code=3).stderr.startswith("error: no mission begins with")
    # One that is gone still has a past.
    project.tt("prune")
    assert project.json("history", "--agent", "helper")[-1]["kind"] == "agent_pruned"


def test_events_are_followed_as_they_come(project: Project) -> None:
    """Each once, those before the start of it too, across a restart of the server."""
    project.found({1: "# One\n", 2: "# Two\n"})
    project.spawn("worker")
    path = project.root.parent / "followed.jsonl"
    with path.open("w") as out:
        follower = subprocess.Popen(
            [str(TT), "events", "-f", "--json", "-c", "2"], cwd=project.root, env=os.environ, stdout=out,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def seen() -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text().splitlines()]

    wait_until(lambda: len(seen()) == 2, timeout=60, description="what was there before is shown")
    first = project.start(1, options=("--no-reviewer",))
    project.wait_state(first, "completed")
    project.kill("server")
    second = project.start(2, options=("--no-reviewer",)) if _answers(project) else ""
    project.wait_state(second, "completed")
    wait_until(
        lambda: [line["mission"] for line in seen() if line["kind"] == "mission_completed"] == [first, second],
        timeout=60,
        description="all of it is shown",
    )
    follower.send_signal(signal.SIGINT)
    _, err = follower.communicate(timeout=60)
    assert follower.returncode == 130
    assert "Traceback" not in err
    everything = project.json("history", "--limit", "10000")
    shown = seen()
    assert shown == everything[-len(everything) :][len(everything) - len(shown) :]


def _answers(project: Project) -> bool:
    def there() -> bool:
        return project.tt("list", code=None).returncode == 0

    return wait_until(there, timeout=60, description="the server is there again")
