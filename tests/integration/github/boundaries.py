"""Where a process can die: before and after each write that it sends to GitHub, to git's server and to the database.

``Database`` stands between the process and the server, and passes one command after another; GitHub has hooks of its
own. ``Boundaries`` counts what comes by and kills the process where a test wants that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hiredis

from tests.fakes.github.requests import Request
from tests.waiting import wait_until

#: A number, what is written, and whether it was done by then.
Kill = Callable[[int, str, bool], bool]
#: Commands that change nothing that others see.
_READS = frozenset(
    b"AUTH CLIENT COMMAND ECHO EXISTS GET HELLO HGET HGETALL HLEN HMGET HEXISTS INFO LRANGE MGET MULTI PING SCARD"
    b" SCRIPT SELECT SISMEMBER SMEMBERS SRANDMEMBER SSCAN TIME TTL TYPE XLEN XRANGE XREVRANGE ZCARD ZCOUNT ZMSCORE"
    b" ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZSCORE".split()
)
_OWN = re.compile(r"[0-9a-f]{40}|\b\d{4,}\b")


def _script(name: str) -> bytes:
    text = (resources.files("tinytown.state") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode()


_VIEW = _script("view")
_NAMES = {_script(name): name for name in ("commit", "renew", "replace", "set_aside", "snapshot")}


class Boundaries:
    """What came by, in order, and who dies where."""

    def __init__(self) -> None:
        #: The process that is to die, while there is one.
        self.pid: int | None = None
        #: What was written, each twice: before it and after it.
        self.met: list[str] = []
        #: Where it died.
        self.deaths: list[str] = []
        self.kill: Kill = lambda number, what, done: False
        self._lock = threading.Lock()

    def pass_by(self, what: str, *, done: bool) -> bool:
        """One boundary; whether it may be passed. If not, the process is dead by now."""
        with self._lock:
            if self.pid is None:
                return False  # It is dead already, and this is what it had sent before.
            number, name = len(self.met), f"{'after' if done else 'before'} {what}"
            self.met.append(name)
            if not self.kill(number, what, done):
                return True
            pid, self.pid = self.pid, None
            self.deaths.append(name)
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _lives(pid), description=f"process {pid} is dead", pause=0.001)
        return False

    # -- GitHub ----------------------------------------------------------------------------------

    def before_write(self, request: Request) -> bool:
        """As a hook of GitHub."""
        return self.pass_by(named(request), done=False)

    def after_write(self, request: Request) -> None:
        self.pass_by(named(request), done=True)


def named(request: Request) -> str:
    """What a request writes, without what differs from mission to mission."""
    if request.path == "/api/graphql":
        found = re.search(r"\bmutation\b\W*(?:\w+\W*)?(?:\([^)]*\))?\s*\{\s*(\w+)", request.json["query"])
        return f"GraphQL {found[1] if found else 'mutation'}"
    return f"{request.method} {_OWN.sub('…', request.place)}"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Database:
    """A way to the server that the boundaries are on."""

    def __init__(self, url: str, boundaries: Boundaries) -> None:
        self._server = urlsplit(url)
        assert self._server.scheme == "unix"
        self._boundaries = boundaries
        # A port could be one that git of a dead process still looks for.
        self._folder = Path(tempfile.mkdtemp(prefix="tt-door-", dir="/tmp"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / "s"))
        self._listener.listen(16)
        #: Its address, for the process.
        self.url = f"unix://{self._folder / 's'}{f'?{query}' if (query := self._server.query) else ''}"
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._begin(self._accept)

    def _begin(self, run: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        for one in (self._listener, *self._open):
            _hang_up(one)
        for thread in self._threads:
            thread.join()
        (self._folder / "s").unlink()
        self._folder.rmdir()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server.path)
            self._open += [peer, server]
            self._begin(self._serve, peer, server)

    def _serve(self, peer: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            commands = hiredis.Reader()
            while data := peer.recv(1 << 16):
                commands.feed(data)
                while (command := commands.gets()) is not False:
                    if not self._pass(command, peer, server):
                        break
        for one in (peer, server):
            _hang_up(one)

    def _pass(self, command: list[bytes], peer: socket.socket, server: socket.socket) -> bool:
        """Pass one command and its answer; gives whether the process still lives."""
        writes = _name(command)
        if writes and not self._boundaries.pass_by(writes, done=False):
            _hang_up(peer)
            return False
        server.sendall(hiredis.pack_command(tuple(command)))
        reader, answer = hiredis.Reader(), b""
        while reader.gets() is False:
            data = server.recv(1 << 16)
            if not data:
                raise OSError
            reader.feed(data)
            answer += data
        if writes and not self._boundaries.pass_by(writes, done=True):
            _hang_up(peer)
            return False
        peer.sendall(answer)
        return True


def _name(command: list[bytes]) -> str:
    """What a command writes; empty if it writes nothing."""
    word = command[0].upper()
    if word in _READS or (word == b"EVALSHA" and command[1] == _VIEW):
        return ""
    if word == b"EVALSHA":
        return f"database {_NAMES.get(command[1], 'script')}"
    return f"database {word.decode()}"


def _hang_up(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
