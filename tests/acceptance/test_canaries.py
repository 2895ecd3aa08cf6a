"""Secrets in every place that a user has, and an agent that looks for all of them: in the sandbox it finds none."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import canaries
from tests.acceptance.project import TIMING, Project
from tests.fakes.repositories import new_repository
from tests.waiting import wait_until
from tinytown.host import server_binary
from tinytown.state.database import connect
from tinytown_workers import sandbox

AGENT = Path(__file__).parents[1] / "fakes" / "looting_agent.py"
needs_bwrap = pytest.mark.skipif(
    sandbox.detect("auto").kind != "bwrap", reason=f"no sandbox here: {sandbox.detect('auto').reason}"
)


class Nest:
    """Plants the secrets; ``look`` is what the agent is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tokens = {one.name: f"canary-{one.name}-{secrets.token_hex(6)}" for one in canaries.CANARIES}
        self.look: dict[str, list[object]] = {"walk": [], "read": [], "tcp": [], "sockets": [], "abstract": []}

    def file(self, name: str, path: Path) -> None:
        """Plant one in a file, beside what is there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"# {self.tokens[name]}\n")
        self.look["read"].append(str(path))


@pytest.fixture
def nest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nest]:
    """A user's machine full of secrets: a home that is reached through a link, a shell, processes, servers."""
    made = Nest(tmp_path)
    real, home = tmp_path / "volumes" / "people", tmp_path / "home"
    real.mkdir(parents=True)
    home.symlink_to(real)
    for number, name in enumerate(canaries.HOME):
        made.file(f"home-{number}", home / name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ".local" / "state"))
    for number, name in enumerate(canaries.VARIABLES):
        monkeypatch.setenv(name, made.tokens[f"variable-{number}"])
    made.file("temporary", tmp_path / "notes.txt")
    with contextlib.ExitStack() as stack:
        _process(made, stack)
        _servers(made, stack)
        yield made


def _process(nest: Nest, stack: contextlib.ExitStack) -> None:
    """Another program of the user's, with secrets on its command line and in its environment."""
    words = [sys.executable, "-S", "-c", "import time; time.sleep(600)", nest.tokens["arguments"]]
    process = subprocess.Popen(words, env={"KEY": nest.tokens["environment"]})
    stack.callback(process.wait)
    stack.callback(process.kill)


def _servers(nest: Nest, stack: contextlib.ExitStack) -> None:
    redis = _free_port()
    program = server_binary.choose(nest.folder).path
    words = f"port {redis}\nbind 127.0.0.1\nsave ''\ndir {nest.folder}\n"
    server = subprocess.Popen([str(program), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={})
    stack.callback(server.wait)
    stack.callback(server.kill)
    assert server.stdin is not None
    server.stdin.write(words.encode())
    server.stdin.close()
    client = connect(f"redis://127.0.0.1:{redis}/0")
    wait_until(lambda: client.set("secret", nest.tokens["loopback-redis"]), description="the server answers")
    client.close()
    nest.look["tcp"].append(["127.0.0.1", redis])
    for name, host in (("loopback-http", "127.0.0.1"), ("address", _own_address())):
        listener = socket.create_server((host, 0))
        _serve(listener, nest.tokens[name], stack)
        nest.look["tcp"].append([host, listener.getsockname()[1]])
    for name, path in (("socket", str(nest.folder / "docker.sock")), ("abstract", f"\0tt-{secrets.token_hex(8)}")):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        _serve(listener, nest.tokens[name], stack)
        nest.look["abstract" if path.startswith("\0") else "sockets"].append(path.strip("\0"))


def _serve(listener: socket.socket, token: str, stack: contextlib.ExitStack) -> None:
    """Give the token to whoever calls."""

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with peer, contextlib.suppress(OSError):
                    peer.settimeout(2)
                    peer.recv(4096)
                    peer.sendall(f"HTTP/1.0 200 OK\r\n\r\n{token}\n".encode())

    def close() -> None:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()

    threading.Thread(target=answer, daemon=True).start()
    stack.callback(close)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _own_address() -> str:
    """An address of this machine that others could reach it by; the loopback's where it has none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        address: str = probe.getsockname()[0]
        return address
    return "127.0.0.1"


@pytest.fixture(params=["none", pytest.param("bwrap", marks=needs_bwrap), "container"])
def kind(request: pytest.FixtureRequest) -> str:
    """What contains the agent."""
    if request.param == "container":
        request.getfixturevalue("thorough")
    return str(request.param)


def test_an_agent_that_looks_for_secrets(
    nest: Nest, project: Project, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Inside the sandbox none is found; without it, those that the documentation names and no other."""
    tools = Path(os.environ["HOME"]) / "bin"
    tools.mkdir()
    program = shutil.copy(AGENT, tools / "agent.py")
    nest.file("beside", tools / ".env")
    other, foreign = (new_repository(nest.folder / name).root for name in ("other", "foreign"))
    nest.file("other-repository", other / ".env")
    nest.file("foreign-repository", foreign / ".env")
    state = Path(os.environ["XDG_STATE_HOME"])
    nest.look["walk"] += [str(nest.folder), "/"] if kind != "none" else [str(nest.folder)]
    nest.look["walk"].append(str(state))
    project.found(
        {1: f"# Look\n\nlook: {json.dumps(nest.look)}\n"},
        clis=(),
        sandbox=kind,
        # It is the first run that is looked at.
        timing={**TIMING, "lease_secs": 60},
        extra=(
            '\n[forge.local.repos]\nother = { path = "../other" }\n'
            f'\n[agent_clis.thief]\ncommand = "{sys.executable} -S {program}"\ntimeout = 240\n'
            f'\n[agent_clis.claude]\nenv = {{ KEY = "{nest.tokens["settings"]}" }}\n'
        ),
    )
    town = project.town
    nest.file("checkout", project.root / ".env")
    nest.file("town", project.root / ".tt" / "notes")
    nest.file("brief", town.attempts / "11111111" / "local-project-9" / "1" / "brief.md")
    nest.file("clone", town.work / "11111111" / "local-project-9" / "1" / "work.txt")
    project.tt("send", "conductor", nest.tokens["database"])
    project.spawn("worker", "reviewer", cli="thief")
    mission = project.start(1)
    project.wait_state(mission, "completed", timeout=90)

    log = (town.attempts / mission[:8] / "local-project-1" / "1" / "stdout.log").read_text()
    told = re.search(r"^LOOT (.*)$", log, re.MULTILINE)
    assert told, log
    names = {token: name for name, token in nest.tokens.items()} | {one.name: one.name for one in canaries.POWERS}
    # Others may have left something alike on this machine.
    found = {names[token] for token in json.loads(told[1]) if token in names}
    with capsys.disabled():
        sys.stdout.write(f"\n{kind}: an agent found {len(found)} of {len(canaries.ALL)} secrets\n")
    if kind != "none":
        assert found == set()
    else:
        # What needs root, or a folder that this machine does not have, may be out of reach without a sandbox too.
        kept = {one.name for one in canaries.ALL if one.without}
        missed = {one.name for one in canaries.CANARIES} - found - kept
        assert (found & kept, missed) == (set(), set())
