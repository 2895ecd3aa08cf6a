"""The mission-mode tutorial, typed as written, with a scripted agent in place of the vendors' CLIs."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.project import TT, Project
from tests.waiting import wait_until
from tinytown.state import duties

ISSUES = {
    1: "# Design auth API\n\nDesign the authentication API schema.\n\n- Define login/logout endpoints\n"
    "- Document token format\n- Specify error responses\n",
    2: "# Implement auth endpoints\n\nImplement the authentication endpoints.\n\nDepends on #1.\n\n"
    "- Implement login endpoint\n- Implement logout endpoint\n- Add token validation\n",
    3: "# Write auth tests\n\nWrite comprehensive tests for auth API.\n\nAfter #2.\n\n"
    "- Unit tests for token validation\n- Integration tests for login flow\n- Error case coverage\n",
}

#: What a start prints, word for word.
STARTED = (
    r"🚀 Mission started: [0-9a-f-]{36}\n"
    r"📋 Objectives: 3 issues\n"
    r"📦 Work items: 3\n"
    r"   ⏳ Issue #1: Design auth API\n"
    r"   ⏳ Issue #2: Implement auth endpoints\n"
    r"   ⏳ Issue #3: Write auth tests\n"
)


@pytest.mark.parametrize("reviewer", [True, False], ids=["with a reviewer", "with the tutorial's team of three"])
def test_the_tutorial_runs_as_it_is_written(project: Project, reviewer: bool) -> None:
    """Steps 2 to 5 and 7: the team, the printed block, the dispatcher's lines, pause and resume, completion."""
    project.found(ISSUES, clis=("claude", "auggie", "codex-mini"), checks=["true"])
    project.tt("spawn", "designer", "--cli", "claude")
    project.tt("spawn", "backend", "--cli", "auggie")
    project.tt("spawn", "tester", "--cli", "codex-mini")
    if reviewer:
        project.tt("spawn", "reviewer", "--cli", "claude")

    block = project.tt("mission", "start", "--issue", "1", "--issue", "2", "--issue", "3").stdout
    assert re.fullmatch(STARTED, block)
    mission = block.split()[3]

    assert f"Mission paused: {mission}" in project.tt("mission", "stop", mission[:6]).stdout
    assert project.status(mission)["state"] == "paused"
    assert f"Mission resumed: {mission}" in project.tt("mission", "resume", mission[:6]).stdout

    told = project.tt("mission", "dispatch", "--run", mission[:6], timeout=150).stdout
    lines = [re.sub(r"^Round \d+: ", "", line) for line in told.splitlines()]
    assert all(re.match(r"Round \d+: ", line) for line in told.splitlines())
    assert any(line.startswith("Issue #1 → ready") for line in lines)
    assert "assigned to designer" in told
    assert "Issue #1 done → Issue #2 ready → assigned to backend" in lines
    assert "Issue #2 done → Issue #3 ready → assigned to tester" in lines
    assert lines[-1] == "All done → Mission completed"

    view = project.status(mission)
    assert [i["agent"] for i in view["items"]] == ["designer", "backend", "tester"]
    approvers = {i["approved_by"] for i in view["items"]}
    if reviewer:
        assert approvers == {"reviewer"}
    else:
        assert all(i["approved_by"] != i["agent"] for i in view["items"])
    assert len(project.merges()) == 3
    assert "completed" in project.tt("mission", "status", "--run", mission, "--work", "--watch", "--dispatcher").stdout
    assert project.tt("inbox", "conductor").stdout.startswith("No new messages")


def test_a_dependent_starts_within_a_second_of_its_dependency(project: Project) -> None:
    """The hand-off is an event, not the next tick: here a tick comes only every 30 s."""
    from tests.acceptance.project import TIMING

    project.found(ISSUES, timing={**TIMING, "tick_secs": 30})
    project.spawn("designer", "backend", "tester")
    mission = project.start(1, 2, 3, options=("--no-reviewer",))
    view = project.wait_state(mission, "completed")
    settled = {i["number"]: i["settled_at"] for i in view["items"]}
    started = {i["number"]: i["started_at"] for i in view["items"]}
    assert started[2] - settled[1] < 1.0
    assert started[3] - settled[2] < 1.0
    assert len(project.runs(purpose="work")) == 3


def test_the_dispatcher_tells_a_mission_that_is_over_at_once(project: Project, tmp_path: Path) -> None:
    """Step 4 as it is typed, without a mission: it goes on, and tells of each whatever its pace."""
    project.found({1: "# One\n"})
    project.spawn("worker")
    told = tmp_path / "told"
    with told.open("w") as file:
        dispatcher = subprocess.Popen([str(TT), "mission", "dispatch"], cwd=project.root, stdout=file)
        try:
            wait_until(lambda: duties.ticks(project.context().store).get("dispatch"), description="it is there")
            mission = project.start(1, options=("--no-reviewer",))
            project.wait_state(mission, "completed")
            wait_until(lambda: "Mission completed" in told.read_text(), timeout=20, description="the end is told")
        finally:
            dispatcher.terminate()
            dispatcher.wait()
    lines = [re.sub(r"^Round \d+: ", "", line) for line in told.read_text().splitlines()]
    assert lines[0] == "Issue #1 → ready → assigned to worker"
    assert lines[-1] == "All done → Mission completed"
    assert len(lines) == len(set(lines))


def test_max_parallel_and_no_reviewer(project: Project) -> None:
    """`--max-parallel 1` runs one item at a time, `--no-reviewer` asks nobody."""
    project.found({n: f"# Thing {n}\n\ndo: sleep 0.3\n" for n in (1, 2, 3)})
    project.spawn("worker", "helper")
    mission = project.start(1, 2, 3, options=("--no-reviewer", "--max-parallel", "1"))
    project.wait_state(mission, "completed")
    spans = sorted((r["at"], e["at"]) for r, e in zip(project.runs(), project.runs("end"), strict=True))
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
    assert not project.runs(purpose="review")
