"""Another machine of a town, as far as its folders go: it has the server and the hub, and shares nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.project import Project
from tests.waiting import wait_until
from tinytown.host.server import server_url
from tinytown.missions.records.agent import Agent
from tinytown.state.agents import CrewStore


@dataclass
class Host:
    """A state folder of its own, and a town folder without a repository."""

    root: Path
    environ: dict[str, str]
    crew: CrewStore
    agents: tuple[str, ...]
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, agent: str) -> None:
        with (self.root.parent / f"{agent}.log").open("ab") as log:
            self.workers[agent] = subprocess.Popen(
                [sys.executable, "-P", "-m", "tinytown_workers", "--agent", agent],
                cwd=self.root, env=self.environ, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self, agent: str, number: int = signal.SIGKILL) -> None:
        worker = self.workers.pop(agent)
        worker.send_signal(number)
        worker.wait(60)

    def log(self, agent: str) -> str:
        return (self.root.parent / f"{agent}.log").read_text(errors="replace")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """All of its agents, until the end."""
        try:
            for agent in self.agents:
                self.run(agent)
            wait_until(lambda: self.crew.alive() >= {*self.agents}, timeout=20, description="its agents are there")
            yield
        finally:
            for agent in list(self.workers):
                self.kill(agent, signal.SIGTERM)

    @property
    def state(self) -> Path:
        """Its state folder of the town."""
        about = json.loads((self.root / ".tt" / "town.json").read_text())
        return Path(self.environ["XDG_STATE_HOME"]) / "tinytown" / f"{about['id']}-{about['host']}"


def a_host(home: Project, folder: Path, **roles: str) -> Host:
    """Agents with their roles, which only this machine serves."""
    root = folder / "town"
    for name in (".tt/logs", ".tt/run/agents"):
        (root / name).mkdir(mode=0o700, parents=True)
    shutil.copy(home.root / "tinytown.toml", root)
    about = json.loads((home.town.folder / "town.json").read_text())
    about |= {"host": "barn", "root": str(root), "server": "", "server_run": ""}
    (root / ".tt" / "town.json").write_text(json.dumps(about))
    crew, now = home.context().crew, home.context().store.now()
    for name, role in roles.items():
        crew.put(None, Agent(name=name, role=role, cli="fake", spawned_at=now))
    # Its sockets are where this machine's are: their folder has its name, and in a deeper one they would have no room.
    environ = {
        **os.environ,
        "REDIS_URL": server_url(home.town),
        "TINYTOWN_TOWN": str(root),
        "XDG_STATE_HOME": str(folder / "state"),
        "PYTHONSAFEPATH": "1",
    }
    return Host(root, environ, crew, tuple(roles))
