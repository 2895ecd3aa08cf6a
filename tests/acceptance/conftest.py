"""Fixtures of the tests that type ``tt``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import TIMING, Project
from tests.acceptance.two_hosts import Home, Other, a_server, hosts
from tinytown.host.lifecycle import stop


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project that the test founds; whatever runs in it is stopped, and nothing may be left."""
    made = Project(tmp_path / "project")
    yield made
    if (made.root / ".tt" / "town.json").exists():
        town = made.town
        stop(town)
        assert not town.runtime.exists()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with a_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, url: str) -> Iterator[Home]:
    made = Home(tmp_path_factory.mktemp("home") / "project", url)
    issues = {
        1: "# Backend: one\n\ndo: write one.txt 1\n",
        2: "# Tester: two\n\ndo: write two.txt 2\ndo: sleep 5\n",
        3: "# Docs: three\n\ndo: write three.txt 3\ndo: wait go\n",
        4: "# Docs: four\n\ndo: write four.txt 4\ndo: wait ashore\n",
    }
    made.found(issues, timing={**TIMING, "heartbeat_secs": 1, "lease_secs": 4})
    yield made
    stop(made.town)


@pytest.fixture(scope="module")
def barn(tmp_path_factory: pytest.TempPathFactory, home: Home, url: str) -> Iterator[Other]:
    made = Other(tmp_path_factory.mktemp("barn") / "barn", url)
    try:
        made.tt("join", "--name", "barn", "--max-agents", "3")
        yield made
    finally:
        made.end()


@pytest.fixture
def other(tmp_path: Path, home: Home, url: str) -> Iterator[Other]:
    made = Other(tmp_path / "other", url)
    yield made
    made.end()
    for name, host in hosts(home).items():
        if host["root"] == str(made.root):  # Where the test failed.
            home.tt("leave", name, "--gone", code=None)
