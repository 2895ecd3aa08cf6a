"""`tt towns`: all of the user's towns, whatever has become of them, and nothing is started for it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tinytown.engine.context import Context
from tinytown.host import lifecycle as life
from tinytown.host import place
from tinytown.host.init import init
from tinytown.host.server import Server, server_process, server_url
from tinytown.missions.records.agent import Agent
from tinytown.town import Identity, Town, open_to_stop, open_town

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user without towns; what runs in those that a test makes is stopped."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield tmp_path
    for folder in tmp_path.iterdir():
        if (folder / ".tt" / "town.json").exists():
            life.stop(open_to_stop(folder))


def found(user: Path, name: str) -> Path:
    """A town of this name, in which nothing runs."""
    root = user / name
    root.mkdir()
    for argv in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "Begin"]):
        subprocess.run(["git", *argv], cwd=root, check=True)
    init(root)
    return root


def listed(typed: Typed, cwd: Path, **env: str) -> dict[str, dict[str, object]]:
    code, said, _ = typed("towns", "--json", cwd=cwd, env=env)
    assert code == 0
    return {one["name"]: one for one in json.loads(said)}


def test_every_town_is_listed_as_it_stands(typed: Typed, user: Path) -> None:
    """Running, stopped, broken and gone; from anywhere, and without starting any."""
    assert typed("towns", cwd=user) == (0, "No towns yet; `tt init` in a git repository makes one.\n", "")
    up, down, wrong, lost, replaced = (found(user, name) for name in ("up", "down", "wrong", "lost", "replaced"))
    life.start(open_town(up))
    context = Context(open_town(up), server_url(open_town(up)))
    context.crew.put(None, Agent(name="ann", role="worker", cli="fake", spawned_at=1.0))
    (wrong / "tinytown.toml").write_text("max_agents = 0\n")
    shutil.rmtree(lost)
    shutil.rmtree(replaced / ".tt")

    towns = listed(typed, user)
    assert {name: one["state"] for name, one in towns.items()} == {
        "up": "running", "down": "stopped", "wrong": "broken", "lost": "gone", "replaced": "gone",
    }  # fmt: skip
    assert (towns["up"]["agents"], towns["up"]["working"], towns["up"]["missions"]) == (1, 0, 0)
    assert towns["down"]["agents"] is None
    assert towns["down"]["root"] == str(down)
    assert server_process(open_town(down)) is None

    code, said, notes = typed("towns", cwd=user)
    lines = said.splitlines()
    assert code == 0
    assert lines[0].split() == ["TOWN", "STATE", "AGENTS", "MISSIONS", "FOLDER"]
    assert lines[1].split() == ["🚀", "up", "running", "1", "0", str(up)]
    assert lines[2].split() == ["⬛", "down", "stopped", "-", "-", str(down)]
    assert "note: wrong: " in notes
    assert "`max_agents`: input should be greater than or equal to 1" in notes
    state = user / "state" / "tinytown" / str(towns["lost"]["id"])
    assert f"note: lost: there is no such town any more; move it back, or remove {state} if" in notes
    shutil.rmtree(state)
    assert "lost" not in listed(typed, user)


def test_a_folder_that_joined_is_listed_as_that_host(typed: Typed, user: Path) -> None:
    """Stopped, broken and gone, whatever the host is called; beside its town's home."""
    found(user, "home")
    home = open_town(user / "home")
    for name in ("barn", "a-host-of-thirty-two-characters-x"[:32], "lost"):
        root = user / name
        (root / ".tt").mkdir(parents=True)
        identity = Identity(home.id, "e", 1.0, initialised=True, root=str(root), host=name, folder=name)
        (root / ".tt" / "town.json").write_text(json.dumps(asdict(identity)))
        (root / ".tt" / "settings.json").write_text(json.dumps({"values": {"name": "apples"}, "variables": {}}))
        place.record(Town(root, home.id, home.settings, host=name), str(root))
    (user / "barn" / "tinytown.toml").write_text("[policy]\nmax_attempts = 1\n")
    shutil.rmtree(user / "lost")
    code, said, _ = typed("towns", "--json", cwd=user)
    assert code == 0
    towns = {one["host"]: one for one in json.loads(said)}
    assert {host: one["state"] for host, one in towns.items()} == {
        "": "stopped", "barn": "broken", "a-host-of-thirty-two-characters-": "stopped", "lost": "gone",
    }  # fmt: skip
    assert {one["id"] for one in towns.values()} == {home.id}
    assert towns["a-host-of-thirty-two-characters-"]["name"] == "apples"
    assert "is decided by the town's home" in towns["barn"]["problem"]
    assert f"{home.id}-lost" in towns["lost"]["remedy"]


def test_a_town_is_asked_at_the_server_that_it_uses(typed: Typed, user: Path, server: Server) -> None:
    """This shell's REDIS_URL is not said to the others; who was started with one is asked where it is known."""
    own, given = found(user, "own"), found(user, "given")
    life.start(open_town(own))
    with pytest.MonkeyPatch.context() as shell:
        shell.setenv("REDIS_URL", server.url)
        life.start(open_town(given))
    towns = listed(typed, user, REDIS_URL=server.url)
    assert (towns["own"]["missions"], towns["given"]["missions"]) == (0, 0)
    towns = listed(typed, user)
    assert (towns["own"]["missions"], towns["given"]["missions"]) == (0, None)
    assert "which is not known here" in str(towns["given"]["problem"])
    with pytest.MonkeyPatch.context() as shell:
        shell.setenv("REDIS_URL", server.url)
        life.stop(open_town(given))
