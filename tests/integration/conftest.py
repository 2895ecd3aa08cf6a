"""A repository, its mirror and an agent's clone of it, for the tests of what becomes of that clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.repositories import BRANCH, Repository, a_town, new_repository
from tinytown.forge.local.forge import LocalForge
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.workspace import Prepared


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return new_repository(tmp_path / "project")


@pytest.fixture
def mirror(repository: Repository) -> Path:
    forge = LocalForge(a_town(repository.root))
    return forge.mirror(forge.repo)


@pytest.fixture
def prepared(repository: Repository, mirror: Path, tmp_path: Path) -> Prepared:
    return workspace.prepare(mirror, tmp_path / "w/m/i/1", base_sha=repository.rev("main"), branch=BRANCH, agent="ada")
