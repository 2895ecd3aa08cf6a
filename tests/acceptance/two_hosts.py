"""Two hosts of one town on this machine that share no folder: only a server with a password is common to them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import redis

import tinytown
from tests.acceptance.project import TT, Project
from tests.waiting import patience, wait_until
from tinytown.engine.operate.present import AgentView, agent_views
from tinytown.host.lifecycle import stop
from tinytown.host.server_binary import choose

PASSWORD = "pears"


class Home(Project):
    """A project whose town uses a server on the network, and a hub."""

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root)
        self.url = url
        self.hub = root.parent / "hub.git"

    def _configure(self, *changes: tuple[str, str], **rest: Any) -> None:
        subprocess.run(["git", "init", "-q", "--bare", str(self.hub)], check=True)
        redis_url, hub_url = f'[redis]\nurl = "{self.url}"\n', f'[hub]\nurl = "{self.hub}"\n'
        super()._configure(*changes, ("[redis]\n", redis_url), ("[hub]\n", hub_url), **rest)


class Other(Project):
    """Another host's folder; its state and runtime folders are its own."""

    def __init__(self, root: Path, url: str, *, variables: Mapping[str, str] | None = None) -> None:
        super().__init__(root)
        root.mkdir(parents=True, exist_ok=True)
        self.places = Path(tempfile.mkdtemp(prefix="tt-", dir="/tmp"))
        for name in ("state", "run"):
            (self.places / name).mkdir(mode=0o700)
        self.env = {
            "XDG_STATE_HOME": str(self.places / "state"),
            "XDG_RUNTIME_DIR": str(self.places / "run"),
            "REDIS_URL": url,
            "JOURNAL": str(self.journal),
            **(variables or {}),
        }

    def tt(self, *words: str, code: int | None = 0, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        """As everywhere; where something is loaded into all processes, these are no forks of others."""
        if "PYTHONPATH" not in self.env:
            return super().tt(*words, code=code, timeout=timeout)
        env = {**os.environ, **self.env}
        done = subprocess.run(
            [str(TT), *words],
            cwd=self.root,
            env=env,
            timeout=patience(timeout),
            capture_output=True,
            text=True,
            check=False,
        )
        assert code is None or done.returncode == code, f"tt {' '.join(words)}: {done.stdout}{done.stderr}"
        return done

    def end(self) -> None:
        """Stop what runs here, and remove the folders that are not the test's."""
        own = {name: self.env[name] for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR", "REDIS_URL")}
        with mock.patch.dict(os.environ, own):
            if (self.root / ".tt" / "town.json").exists():
                stop(self.town)
        shutil.rmtree(self.places, ignore_errors=True)


def two_hours_off(folder: Path) -> Mapping[str, str]:
    """Variables with which Python's clock is two hours ahead, in all of a host's processes."""
    folder.mkdir()
    text = "import time\n_time = time.time\ntime.time = lambda: _time() + 7200.0\n"
    (folder / "sitecustomize.py").write_text(text, encoding="utf-8")
    ours = Path(tinytown.__file__).parents[1]
    return {"PYTHONPATH": os.pathsep.join(map(str, (ours, folder)))}


@contextlib.contextmanager
def a_server(folder: Path) -> Iterator[str]:
    """A server on a port of this machine that asks for a password; gives its address."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = choose(folder / "none").path
    words = ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--dir", str(folder), "--save", ""]
    process = subprocess.Popen([str(program), *words, "--appendonly", "yes"], stdout=subprocess.DEVNULL)
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    try:
        client = redis.Redis.from_url(url)

        def answers() -> bool:
            with contextlib.suppress(redis.RedisError):
                return bool(client.ping())
            return False

        wait_until(answers, description="the server answers")
        client.close()
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def hosts(project: Project) -> dict[str, dict[str, Any]]:
    return {host["name"]: host for host in project.json("hosts")}


def agents(project: Project) -> dict[str, AgentView]:
    return {agent.name: agent for agent in agent_views(project.context())}


def wait_agent(project: Project, name: str, state: str, *, host: str | None = None) -> None:
    def is_so() -> bool:
        agent = agents(project).get(name)
        return agent is not None and agent.state == state and host in (None, agent.host)

    wait_until(is_so, timeout=60, description=f"{name} is {state}")


def at_once(*calls: Callable[[], subprocess.CompletedProcess[str]]) -> list[subprocess.CompletedProcess[str]]:
    """What each said that were begun at one moment."""
    together = threading.Barrier(len(calls))

    def call(one: Callable[[], subprocess.CompletedProcess[str]]) -> subprocess.CompletedProcess[str]:
        together.wait()
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))
