"""Missions on GitHub: from issues to merged pull requests, by a town's real processes and a GitHub of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.fakes.github.hub import GitHub
from tests.fakes.github.rules.workflows import JobPlan, Outcome, Reader
from tinytown.missions.states import ItemState

#: What the agent writes at first, and in each round that mends it.
ISSUE = """do: work write one.txt 1
do: fix sh date +%N > one.txt
do: fix write green yes
verdict: reject-first 1
"""


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    made = GitHub(tmp_path / "github")
    with made.running():
        made.person("tinytown", "write")
        made.person("ann", "write")
        monkeypatch.setenv("GH_ENTERPRISE_TOKEN", made.token("tinytown"))
        monkeypatch.setenv("TINYTOWN_POLICY__AUTO_MERGE", "true")
        monkeypatch.setenv("TINYTOWN_POLICY__WATCH_INTERVAL_SECS", "1")
        monkeypatch.setenv("TINYTOWN_POLICY__CHECKS_APPEAR_SECS", "0.1")
        monkeypatch.setenv("TINYTOWN_POLICY__MAX_FIX_ROUNDS", "9")
        yield made


def green(read: Reader) -> Outcome:
    return "success" if read("green") is not None else "failure"


def test_from_issues_to_merged_pull_requests(project: Project, github: GitHub) -> None:
    """CI fails once, a bot, tinytown's reviewer and a person refuse it once, and it conflicts once."""
    github.issue(1, "One", ISSUE, author="ann")
    github.issue(2, "Two", "Depends on #1\n\ndo: write two.txt 2", author="ann")
    github.workflow("CI", {"test": JobPlan(green)})
    project.found_at(github)
    project.spawn("worker", "reviewer")
    mission = project.start(1, 2)

    def rounds(count: int, said: str) -> None:
        item = project.wait_item(mission, 1, lambda i: i.fix_rounds >= count, description=f"fix round {count}")
        assert item.fix is None or said in f"{item.fix.summary} {item.fix.details}"

    rounds(1, "test")
    pull = github.pull(3)
    assert "Closes #1" in (pull.body or "")
    rounds(2, "not good enough")
    project.wait_item(mission, 1, lambda i: i.approved == i.head, description="its reviewer approves it")
    github.review("ann", "CHANGES_REQUESTED", "Say why", pull=3)
    rounds(3, "Say why")
    # Her word stands until she takes it back.
    waits = project.wait_item(
        mission, 1, lambda i: i.state is ItemState.IN_REVIEW and i.waiting and "ann" in i.waiting.remedy,
        description="ann is asked to look again",
    )  # fmt: skip
    assert waits.merged is None
    assert "⏳ PR #3 review: waiting (for ann" in project.tt("mission", "status", "--watch").stdout
    github.check("Cursor Bugbot", "neutral", app="cursor", summary="BUGBOT_BUG_ID: found 1 potential issue", pull=3)
    github.thread("cursor[bot]", "one.txt", 1, "Off by one", pull=3)
    rounds(4, "Off by one")
    github.push_by("ann", "main", {"one.txt": "another\n"})
    github.review("ann", "APPROVED", pull=3)
    rounds(5, "conflict")
    project.wait_state(mission, "completed")
    assert pull.merged is not None
    assert github.pull(4).merged is not None
    assert {github.repo.issues[number].state for number in (1, 2)} == {"closed"}
    # One pull request an issue, and each thing is said once.
    assert len(github.writes("POST", "/repos/*/pulls")) == 2
    bodies = [request.json.get("body", "") for request in github.writes("POST", "/repos/*/reviews")]
    assert len(bodies) == len(set(bodies))
