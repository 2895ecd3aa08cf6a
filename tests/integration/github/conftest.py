"""A GitHub on this machine, and a town whose token is in the environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.github.descriptions.rest import violations
from tests.fakes.github.hub import GitHub
from tests.integration.github.bench import Bench
from tests.integration.github.town import MakeTown, Town
from tinytown.forge.github import client, limits
from tinytown.host.server import Server


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    made = GitHub(tmp_path / "github")
    made.person("tinytown", "write")
    made.issue(1, "Add a page")
    monkeypatch.setenv("GH_TOKEN", made.token("tinytown"))
    # The pace that GitHub wants is tested alone.
    monkeypatch.setattr(limits, "CREATE_EVERY", 0.0)
    monkeypatch.setattr(client, "PAUSE", 0.0)
    with made.running():
        yield made
        assert violations(made.seen) == []


@pytest.fixture
def bench(tmp_path: Path, github: GitHub) -> Bench:
    return Bench(tmp_path, github)


@pytest.fixture
def a_town(server: Server, tmp_path: Path, github: GitHub) -> Iterator[MakeTown]:
    """Makes towns with a policy each, in which missions run on this GitHub."""
    towns: list[Town] = []

    def make(**policy: object) -> Town:
        towns.append(Town(server.url, tmp_path / f"town{len(towns)}", github, **policy))
        return towns[-1]

    yield make
    for town in towns:
        town.close()
