"""Where an agent's and a check's programs come from: the user's places, not the environment of a tinytown checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tinytown_workers.run import environment


def a_program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)
    return folder


def path_of(environ: dict[str, str], program: str = "") -> list[str]:
    env = environment.for_agent(
        environ, programs=Path("/ours"), tmp=Path("/tmp"), program=program, cli_env={}, driver_env={}, marks={}
    )
    first, *rest = env["PATH"].split(os.pathsep)
    assert first == "/ours"
    return rest


def test_a_checkouts_own_environment_is_not_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pip and pytest would be a project's; the one exception is a CLI that is nowhere else, last of all places."""
    own, other = a_program(tmp_path / "own", "pytest"), a_program(tmp_path / "other", "scribe")
    a_program(own, "aider")
    monkeypatch.setattr(environment, "_own_environment", lambda: frozenset({own}))
    environ = {"PATH": f"{own}:{other}:/usr/bin"}
    assert path_of(environ) == [str(other), "/usr/bin"]
    assert path_of(environ, "scribe") == [str(other), "/usr/bin"]
    assert path_of(environ, "aider") == [str(other), "/usr/bin", str(own)]
    assert path_of(environ, "nowhere") == [str(other), "/usr/bin"]
    assert path_of({"PATH": str(own)}) == environment.DEFAULT_PATH.split(":")


def test_only_an_environment_inside_the_checkout_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever installs tinytown into an environment of their own keeps that on the path."""
    checkout = Path(__file__).resolve().parents[2]
    for folder, own in ((checkout / ".venv/bin", True), (tmp_path / "venv/bin", False)):
        monkeypatch.setattr(environment, "_script_folders", lambda folder=folder: (folder,))
        environment._own_environment.cache_clear()
        assert (folder in environment._own_environment()) is own
    environment._own_environment.cache_clear()
