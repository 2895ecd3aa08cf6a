"""The commit's own configuration in a review by the vendors' CLIs: a hook, a server of tools, and an instruction file.

What a CLI obeys where nothing is done about it proves that each would be seen.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.model_server import model_server
from tests.fakes.repositories import a_town, new_repository
from tests.vendors.alone import run
from tests.vendors.planted import OBEYED, PLANTS, TRUSTING, WORDS, Trust
from tests.vendors.services import KEY, known_to
from tests.waiting import patience
from tinytown import plugins
from tinytown.forge.local.forge import LocalForge
from tinytown_workers.prepare import agent_configuration
from tinytown_workers.workspace import workspace

#: Those that are told besides, by options and variables of their own, to obey nothing of the repository.
TOLD = ("claude", "codex", "copilot", "opencode")


def seen(cli: str, folder: Path, *, hidden: bool, review: bool, trusting: bool = True) -> set[str]:
    """What the CLI obeys in a clone of a commit that holds its plants."""
    project = new_repository(folder / "project")
    sha = project.commit("Plant", PLANTS[cli])
    forge = LocalForge(a_town(project.root))
    mirror = forge.mirror(forge.repo)
    prepared = workspace.prepare_at(mirror, folder / "work/mission/item/1", sha)
    if hidden:
        assert agent_configuration.hide(prepared, mirror, plugins.configuration({}))
    with model_server(key=KEY, command="true", closing="VERDICT: APPROVE") as model:
        trust = TRUSTING.get(cli, Trust()) if trusting else Trust()
        env = {**known_to(cli, model.url), **trust.variables}
        alone = run(
            cli, env, folder, timeout=patience(150), patience=60, loopback=[model.port], clone=prepared.folder,
            review=review, options=trust.options,
        )  # fmt: skip
        assert model.requests, str(alone)
        text = json.dumps(model.requests)
    found = {"words"} if WORDS in text else set()
    found |= {"hook"} if (prepared.folder / "HOOKED").exists() else set()
    return found | ({"server"} if (prepared.folder / "SERVED").exists() else set())


@pytest.mark.parametrize("cli", PLANTS)
def test_left_alone_it_would_be_obeyed(cli: str, tmp_path: Path) -> None:
    assert seen(cli, tmp_path, hidden=False, review=False) == OBEYED[cli]


@pytest.mark.parametrize("cli", PLANTS)
def test_none_of_it_is_in_force_in_a_review(cli: str, tmp_path: Path) -> None:
    """By what is taken out of the folder alone, whomever its user trusts."""
    assert seen(cli, tmp_path, hidden=True, review=False) == set()


@pytest.mark.parametrize("cli", TOLD)
def test_its_own_options_alone_would_do(cli: str, tmp_path: Path) -> None:
    assert seen(cli, tmp_path, hidden=False, review=True, trusting=False) == set()
