"""Which host of a town a folder is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinytown.town import Identity, amend_identity, open_to_stop, open_town, read_identity, write_identity


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tinytown.toml").write_text('name = "apples"\n', encoding="utf-8")
    (tmp_path / ".tt").mkdir()
    write_identity(tmp_path, Identity(id="ab" * 16, epoch="e", created=1.0))
    return tmp_path


def test_a_folder_is_home_unless_it_names_its_host(root: Path) -> None:
    assert open_town(root).home
    amend_identity(root, host="barn")
    for town in (open_town(root), open_to_stop(root)):
        assert (town.host, town.home) == ("barn", False)


def test_an_identity_of_an_earlier_release_is_that_of_home(root: Path) -> None:
    path = root / ".tt" / "town.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    del values["host"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert read_identity(root).host == ""


def test_a_host_whose_settings_cannot_be_read_is_that_host(root: Path) -> None:
    amend_identity(root, host="barn")
    (root / "tinytown.toml").write_text("name = \n", encoding="utf-8")
    assert open_to_stop(root).host == "barn"
