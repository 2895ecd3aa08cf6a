"""A town on GitHub whose agents are on another machine: only home speaks to GitHub, only the hub to the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.hosts import a_host
from tests.acceptance.project import Place, Project
from tests.fakes.github.hub import GitHub
from tests.fakes.github.rules.workflows import JobPlan
from tests.fakes.repositories import Repository
from tests.integration.hub.bench import a_hub


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    made = GitHub(tmp_path / "github")
    with made.running():
        made.person("tinytown", "write")
        made.person("ann", "write")
        monkeypatch.setenv("GH_ENTERPRISE_TOKEN", made.token("tinytown"))
        monkeypatch.setenv("TINYTOWN_POLICY__AUTO_MERGE", "true")
        monkeypatch.setenv("TINYTOWN_POLICY__WATCH_INTERVAL_SECS", "0.3")
        monkeypatch.setenv("TINYTOWN_POLICY__CHECKS_APPEAR_SECS", "0.1")
        yield made


def test_pull_requests_hold_what_another_machine_made(
    project: Project, github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its agent begins with the base as GitHub has it, and goes on from what was merged there."""
    github.issue(1, "First", "do: append far.txt 1\n", author="ann")
    github.issue(2, "Second", "Depends on #1.\n\ndo: show far.txt\ndo: append far.txt 2\n", author="ann")
    github.workflow("CI", {"test": JobPlan(lambda _: "success")})
    hub = a_hub(tmp_path / "hub.git")
    monkeypatch.setenv("TINYTOWN_HUB__URL", str(hub.root))
    project.found_at(Place.on(github))
    host = a_host(project, tmp_path / "elsewhere", far="worker", critic="reviewer")
    del host.environ["GH_ENTERPRISE_TOKEN"]
    with host.running():
        mission = project.start(1, 2)
        project.wait_state(mission, "completed", timeout=60)
    assert [run["agent"] for run in project.runs(purpose="work")] == ["far", "far"]
    assert [row["text"] for row in project.runs("show")] == ["1\n"]
    assert Repository(github.repo.bare.path).show("main:far.txt") == "1\n2"
    name = github.repo.name.replace("/", "+")
    assert [path.name for path in (host.state / "mirrors").glob("*.git")] == [f"{name}.git"]
    refs = hub.git("for-each-ref", "--format=%(refname)").splitlines()
    assert all(ref.startswith(f"refs/tinytown/{project.town.id}/{github.repo.name.lower()}/") for ref in refs)
