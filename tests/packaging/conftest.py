"""The wheel of this tree, and an environment that it is installed in; both once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.installing import ROOT, a_wheel, an_environment


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree with the build backend that is installed."""
    return a_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel in it."""
    return an_environment(wheel, tmp_path_factory.mktemp("env"))
