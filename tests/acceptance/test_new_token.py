"""A token that was changed is used from the next `tt start` on, and only the process that needs it begins anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import Place, Project
from tests.fakes.github.hub import GitHub
from tests.waiting import wait_until
from tinytown.host import process_specs


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    made = GitHub(tmp_path / "github")
    with made.running():
        made.person("tinytown", "write")
        monkeypatch.setenv("GH_ENTERPRISE_TOKEN", made.token("tinytown"))
        yield made


def pids(project: Project) -> dict[str, int]:
    states = process_specs.read_states(project.town)
    return {name: state.pid for name, state in states.items() if state.alive and state.pid is not None}


def test_only_the_forge_begins_anew_with_a_new_token(
    project: Project, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.found_at(Place.on(github))
    before = pids(project)
    assert project.tt("start").stdout.endswith("is running already\n")
    assert pids(project) == before

    new = github.token("tinytown")
    monkeypatch.setenv("GH_ENTERPRISE_TOKEN", new)
    said = project.tt("start")
    assert "forge" in said.stdout + said.stderr
    after = pids(project)
    assert [name for name in before if after[name] != before[name]] == ["forge"]
    # Whoever has none at hand does not take it away.
    monkeypatch.delenv("GH_ENTERPRISE_TOKEN")
    project.tt("start")
    assert pids(project) == after
    project.kill("forge")
    wait_until(lambda: pids(project).get("forge") not in (None, after["forge"]), description="the next forge")
    states = process_specs.read_states(project.town)
    assert states["forge"].tokens == process_specs.fingerprint(project.town, {"GH_ENTERPRISE_TOKEN": new})
    assert {state.tokens for name, state in states.items() if name != "forge"} == {""}
