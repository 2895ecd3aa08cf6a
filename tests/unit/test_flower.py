"""Flower runs a Python file of its folder, so nobody else may have made that folder."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.fakes.repositories import a_town
from tinytown.cli import session
from tinytown.cli.flower import flower
from tinytown.errors import StateError


def test_it_starts_in_no_folder_that_somebody_else_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In /tmp anybody could have, before a town whose server is elsewhere made its own."""
    monkeypatch.chdir(tmp_path)
    town = a_town(tmp_path / "repository")
    began: list[Path] = []
    app = SimpleNamespace(start=lambda **_: began.append(Path.cwd()))
    monkeypatch.setattr(session, "here", lambda: town)
    monkeypatch.setattr(session, "reach_started", lambda: SimpleNamespace(town=town, app=app))
    monkeypatch.setattr(type(town), "runtime", tmp_path / "shared" / "own")
    with socket.create_server(("127.0.0.1", 0)) as free:
        words = ["--port", str(free.getsockname()[1])]
    flower.main(words, standalone_mode=False)
    assert list(began[0].iterdir()) == []
    assert [folder.stat().st_mode & 0o777 for folder in (began[0], town.runtime)] == [0o700, 0o700]
    (tmp_path / "theirs").mkdir()
    town.runtime.rename(tmp_path / "moved")
    town.runtime.symlink_to(tmp_path / "theirs")
    with pytest.raises(StateError, match="belongs to another user"):
        flower.main(words, standalone_mode=False)
    assert len(began) == 1
