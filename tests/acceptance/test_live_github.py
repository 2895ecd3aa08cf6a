"""The central story of a mission on GitHub, on a repository of whoever runs it: see docs/how-to/test-on-your-github.md.

Without ``TINYTOWN_LIVE_REPO`` only the story itself is tested, on a GitHub of the tests' own.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.acceptance.live import LiveRepository
from tests.acceptance.project import TIMING, Place, Project
from tests.fakes.github.hub import GitHub
from tinytown.missions.states import ItemState

# Read before the tests are shut off from the environment of whoever runs them.
REPO = os.environ.get("TINYTOWN_LIVE_REPO", "")
API = os.environ.get("TINYTOWN_LIVE_API", "")
TOKEN = os.environ.get("GH_TOKEN", "")
#: Seconds for a mission on the real GitHub, whose runners may be long in coming.
PATIENCE = 1500

FIRST = "do: work write one.txt 1\ndo: fix write green yes\ndo: fix sh date +%N > one.txt\nverdict: reject-first 1"
SECOND = "do: work wait pushed\ndo: work write two.txt 2\ndo: fix sh date +%N > two.txt"


@pytest.mark.skipif(not REPO, reason="TINYTOWN_LIVE_REPO names no repository")
@pytest.mark.timeout(2 * PATIENCE)
def test_the_story_on_a_repository_of_yours(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert TOKEN, "put a token into GH_TOKEN: see docs/how-to/test-on-your-github.md"
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    monkeypatch.setenv("TINYTOWN_POLICY__WATCH_INTERVAL_SECS", "10")
    tell(project, LiveRepository(tmp_path / "live", REPO, TOKEN, API), monkeypatch)


def test_the_story_on_a_github_of_this_machine(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it works when somebody runs it; it leaves nothing open there, and what was there as it was."""
    github = GitHub(tmp_path / "github")
    github.person("you", "admin")
    github.runs_workflow_files()
    github.issue(1, "Somebody else's")
    before = github.repo.bare.branches()
    token = github.token("you")
    monkeypatch.setenv("GH_TOKEN", token)
    monkeypatch.setenv("TINYTOWN_POLICY__WATCH_INTERVAL_SECS", "1")
    monkeypatch.setenv("TINYTOWN_POLICY__CHECKS_APPEAR_SECS", "0.1")
    with github.running():
        live = LiveRepository(tmp_path / "live", github.repo.name, token, github.base_url)
        tell(project, live, monkeypatch)
        assert github.repo.bare.branches() == before
        assert [number for number, one in github.repo.issues.items() if one.state == "open"] == [1]


def tell(project: Project, live: LiveRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two issues, one after the other: CI fails, a review refuses, a person's push conflicts; all is merged."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(live.gitconfig))
    monkeypatch.setenv("TINYTOWN_POLICY__AUTO_MERGE", "true")
    mission = ""
    try:
        live.begin()
        one = live.open_issue("one", FIRST)
        two = live.open_issue("two", f"Depends on #{one}\n\n{SECOND}")
        project.found_at(
            Place(live.clone_url, live.repo, live.name, live.site.api if live.site.enterprise else ""),
            timing={**TIMING, "tick_secs": 2} if REPO else TIMING,
        )
        project.spawn("worker", "reviewer")
        mission = project.start(one, two)
        project.wait_item(
            mission, one, lambda i: i.state is ItemState.DONE, timeout=PATIENCE, description="the first is done"
        )
        project.wait_runs(mission, 1, purpose="work", item=two)
        live.push({"two.txt": "a person's\n"})
        project.allow("pushed")
        view = project.wait_state(mission, "completed", timeout=PATIENCE)

        assert [item["fix_rounds"] for item in view["items"]] == [2, 1]
        gates = [event.data["gate"] for event in project.events(mission, "fix_requested")]
        assert gates == ["check", "review", "merge"]
        for number in (one, two):
            pull = live.pull(int(project.item(mission, number).change or 0))
            assert pull.merged
            assert live.statuses(pull)["tinytown/review"] == "success"
            assert live.issue(number).state == "closed"
        assert {"one.txt", "two.txt", "green"} <= live.files()
        assert live.branches(mission) == []
    finally:
        live.clean_up(mission)
