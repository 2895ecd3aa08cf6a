"""Fixtures of the tests that type ``tt``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import Project
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
