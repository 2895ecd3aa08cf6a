"""A change that edits its own judge: the reviewer is told, the base's checks are asked, and a person decides."""

from __future__ import annotations

from tests.acceptance.project import Project
from tests.waiting import wait_until


def test_who_changes_the_judge_is_told_of_and_waits_for_a_person(project: Project) -> None:
    """A check that says `true` now, a removed test, a CI file: approved at one commit, and a new commit anew."""
    project.found(
        {
            1: "# Weaken\n\ndo: write check.sh true\ndo: write broken.txt 1\n",
            2: "# Workflow\n\ndo: write .github/workflows/ci.yml on: push\n",
            3: "# Harmless\n\ndo: append check.sh # a remark\n",
        },
        checks=["sh check.sh"],
    )
    (project.root / "check.sh").write_text("test ! -e broken.txt\n")
    project.git("add", "check.sh")
    project.git("commit", "-q", "-m", "A check")
    project.spawn("worker", "reviewer")
    mission = project.start(1, 2, base_check=True)
    weak = project.wait_waiting(mission, 1, "approval")
    assert "it changes the checks, and the base's own checks fail: `sh check.sh`" in weak.remedy
    assert f"`tt mission approve {mission[:8]} 1`" in weak.remedy
    ci = project.wait_waiting(mission, 2, "approval")
    assert "it touches protected paths: .github/workflows/ci.yml" in ci.remedy
    wait_until(lambda: "waits (approval)" in project.help(), description="the conductor is asked")
    review = next(run for run in project.runs(purpose="review") if run["item"].endswith("#1"))
    brief = project.brief(mission, 1, review["attempt"])
    first = brief.index("## Look at this first")
    assert first < brief.index("## The issue")
    assert "check.sh: defines what the checks do" in brief
    assert "with the checks as the base defines them: `sh check.sh` failed with exit code 1" in brief
    shown = project.tt("work", "show", "1").stdout
    assert "check.sh: defines what the checks do" in shown
    view = project.json("work", "show", "2")
    assert view["looks"]["protected"] == [".github/workflows/ci.yml"]
    assert project.merges() == []

    project.tt("mission", "merge", mission, "2", code=4)
    assert "is approved at" in project.tt("mission", "approve", mission, "2").stdout
    project.wait_item(mission, 2, lambda i: i.merged, description="#2 is merged")
    assert "is not waiting for approval" in project.tt("mission", "approve", mission, "2", code=4).stderr
    assert project.item(mission, 1).merged is None
    project.tt("mission", "approve", mission, "1")
    project.wait_state(mission, "completed")
    assert project.item(mission, 1).fix_rounds == 0
