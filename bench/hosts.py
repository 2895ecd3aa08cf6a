"""A hand-off from one host of a town to another: two hosts on this machine, that share a server and a hub."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from unittest import mock

from bench import missions, places
from bench.meter import Run
from bench.shapes import chain
from tinytown.engine.context import Context
from tinytown.errors import TinytownError
from tinytown.host import lifecycle as towns
from tinytown.host.server import server_url
from tinytown.host.server_binary import choose
from tinytown.state.hosts import towns_in
from tinytown.town import open_town

#: Roles that take turns in a chain: both at home, and one of them on the other host.
HERE, ACROSS = "backend/frontend", "tester/docs"
#: First issues of the chains.
_FIRST = {HERE: 50_000, ACROSS: 60_000}
_WARM_UP = {HERE: 70_000, ACROSS: 80_000}

Workspace = Literal["clone", "none"]


@dataclass
class Across:
    """The runs of a chain whose items take turns between two hosts, and of the same on one host."""

    across: list[Run] = field(default_factory=list)
    here: list[Run] = field(default_factory=list)


def measure(folder: Path, *, size: int, rounds: int) -> dict[Workspace, Across]:
    """Chains of so many items, with git work and without a folder."""
    found: dict[Workspace, Across] = {"none": Across(), "clone": Across()}
    graphs = {first: (chain(size), roles) for roles, first in _FIRST.items()}
    graphs |= {first: (chain(2), roles) for roles, first in _WARM_UP.items()}
    with _server(folder / "server") as url, mock.patch.dict(os.environ, {"REDIS_URL": url}):
        hub = folder / "hub.git"
        subprocess.run(["git", "init", "-q", "--bare", str(hub)], check=True)
        root = places.project(folder, graphs, "none", hub=str(hub))
        with _running(root, folder / "other") as context:
            for first in _WARM_UP.values():  # everybody has imported everything, and has a mirror, from now on
                missions.run(context, chain(2), first=first, workspace="clone")
            for number in range(rounds):
                for workspace, runs in found.items():
                    sides = [(HERE, runs.here), (ACROSS, runs.across)]
                    # Whoever comes second finds a warmer machine, or a busier one: nobody always does.
                    for roles, side in sides if number % 2 == 0 else sides[::-1]:
                        side.append(missions.run(context, chain(size), first=_FIRST[roles], workspace=workspace))
    return found


@contextlib.contextmanager
def _running(root: Path, other: Path) -> Iterator[Context]:
    """The town and its other host, with an agent of each role; both are stopped at the end."""
    town = open_town(root)
    place = {"XDG_STATE_HOME": str(other / "state"), "XDG_RUNTIME_DIR": str(other / "run")}
    for name in ("town", "state", "run"):
        (other / name).mkdir(mode=0o700, parents=True)
    try:
        places.tt(root, "start")
        with mock.patch.dict(os.environ, place):
            places.tt(other / "town", "join", "--name", "other")
        names = []
        for roles, host in ((HERE, ""), (ACROSS, "other")):
            for role, where in zip(roles.split("/"), ("", host), strict=True):
                names.append(f"a-{role}")
                there = ["--host", where] if where else []
                places.tt(root, "spawn", names[-1], "--cli", "writer", "--role", role, *there)
        context = Context(town, server_url(town), retries=20)
        places.wait(lambda: context.crew.alive() >= {*names, "checks"}, 60, "the agents are there")
        yield context
    finally:
        if (other / "town" / ".tt" / "town.json").exists():
            with mock.patch.dict(os.environ, place):
                towns.stop(open_town(other / "town"))
        towns.stop(town)


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[str]:
    """A server on a port of this machine that writes to its disk and asks for a password; gives its address."""
    folder.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    password = secrets.token_hex(8)
    words = ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", password, "--dir", str(folder)]
    words += ["--save", "", "--appendonly", "yes"]
    url = f"redis://:{password}@127.0.0.1:{port}/0"

    def answers() -> bool:
        with contextlib.suppress(TinytownError):
            return towns_in(url) == {}
        return False

    program = str(choose(folder / "none").path)
    with places.process([program, *words], cwd=folder, log=folder / "log"):
        places.wait(answers, 20, "the server answers")
        yield url
