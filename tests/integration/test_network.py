"""What a sandboxed program reaches by the network, and what not. Real processes, real bubblewrap, real servers."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_sandbox import Place
from tinytown.hostnames import Address
from tinytown_workers import dialing, sandbox
from tinytown_workers.dialing import UnreachableHostError
from tinytown_workers.egress import Policy
from tinytown_workers.network import Door
from tinytown_workers.runner import Ended, Runner, RunSpec

pytestmark = [
    pytest.mark.skipif(
        sandbox.detect("auto").kind != "bwrap", reason=f"no sandbox here: {sandbox.detect('auto').reason}"
    ),
    pytest.mark.skipif(bool(sandbox.try_network()), reason=f"no network of its own: {sandbox.try_network()}"),
]

#: A public address of nobody's: what stands there in these tests is a server of this machine.
PUBLIC = ipaddress.ip_address("93.184.215.14")


class Handler(BaseHTTPRequestHandler):
    """Says what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(b"")

    def do_POST(self) -> None:
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["content-length"]))
        self._say(body)

    def _say(self, body: bytes) -> None:
        headers = {name.lower(): text for name, text in self.headers.items()}
        said = json.dumps({"path": self.path, "headers": headers, "body": body.decode()}).encode()
        self.send_response(302 if self.path == "/away" else 200)
        if self.path == "/away":
            self.send_header("location", "http://169.254.169.254/latest/meta-data/")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """The port of a server on this machine's loopback."""
    with serving("127.0.0.1") as port:
        yield port


@contextlib.contextmanager
def serving(address: str) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = type("Server", (ThreadingHTTPServer,), {"address_family": family})((address, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    runner = Runner()
    yield Place(tmp_path, runner)
    runner.close()


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections to ``PUBLIC`` end at this machine."""
    opened = dialing._open

    async def open_here(host: str, port: int, context: Any = None) -> Any:
        return await opened("127.0.0.1" if host == str(PUBLIC) else host, port, context)

    monkeypatch.setattr(dialing, "_open", open_here)


def names(**known: str) -> Callable[[str, int], Any]:
    """A resolver that knows these names, with ``_`` for the dots."""

    async def resolve(name: str, port: int) -> Sequence[Address]:
        text = known.get(name.replace(".", "_"))
        if text is None:
            raise UnreachableHostError("its name cannot be resolved")
        return [ipaddress.ip_address(text)]

    return resolve


def run(
    place: Place, *argv: str, policy: Policy | None = None, door: Door | None = None, environ: Any = None
) -> tuple[Ended, Door]:
    """Run something in a sandbox with a network of its own."""
    env = place.env()
    door = door or Door(policy or Policy(), environ or {}, log_file=place.root / "network.log")
    with door:
        env |= door.variables(env)
        command = sandbox.detect("bwrap").wrap(
            argv, env=env, clone=place.clone, home=place.stand_in, tmp=place.tmp, shared_network=False
        )
        spec = RunSpec(
            id="m/box/1", argv=command.argv, files=command.files, env=env, cwd=place.clone, logs=place.root / "logs",
            wrapped=True, door=door, timeout=60,
        )  # fmt: skip
        ended = place.runner.run(spec, on_started=lambda _: None, renew=lambda: True, stop=threading.Event())
    assert door.failure == ""
    return ended, door


#: Asks for each address, by way of the proxy where that is what the variables say.
ASK = """
import json, sys, urllib.request, urllib.error
for url in sys.argv[1:]:
    try:
        print(json.dumps({"url": url, "said": urllib.request.urlopen(url, timeout=20).read().decode()}))
    except urllib.error.HTTPError as error:
        print(json.dumps({"url": url, "status": error.code, "said": error.read().decode()}))
    except OSError as error:
        print(json.dumps({"url": url, "failed": str(error)}))
"""


def ask(place: Place, *urls: str, **how: Any) -> tuple[list[dict[str, Any]], Door]:
    ended, door = run(place, sys.executable, "-c", ASK, *urls, **how)
    assert ended.exit_code == 0, ended
    return [json.loads(line) for line in ended.stdout.splitlines()], door
