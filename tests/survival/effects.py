"""Every effect of a process on the world has a number: writes to the database, changes of refs by git, agents begun.

``Wire`` stands between the process and the database; a program called `git` that stands first on its PATH, and the
agent's command, ask at a socket before and after what they do. So the product has no door for tests. At one number a
fault happens: the process is killed before or after the effect, its answer is lost, or it happens twice.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable
from enum import Enum
from pathlib import Path

import hiredis

from tests.integration.github.boundaries import Database, _hang_up, _name
from tests.waiting import wait_until


class Fault(Enum):
    """What happens at an effect."""

    BEFORE = "killed before"
    AFTER = "killed after"
    LOST = "answer lost"
    TWICE = "done twice"


#: Commands of git that change what others see.
_WRITES = (
    "update-ref",
    "push",
    "fetch",
    "commit",
    "merge",
    "clone",
    "symbolic-ref",
    "read-tree",
    "checkout-index",
    "reset",
)
_PROGRAM = """#!/bin/sh
for word in "$@"; do
  case "$word" in
    {writes}) exec {python} -S {script} {socket} git "$word" {git} "$@";;
    -*|*=*|/*) ;;
  esac
done
exec {git} "$@"
"""
_AGENT = """#!/bin/sh
{python} -S {script} {socket} launch agent true || exit 1
exec {python} -S {agent} "$@"
"""
#: Asks, does it, and says that it is done.
_ASKING = """
import socket, subprocess, sys
path, kind, name, *command = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as peer:
    peer.connect(path)
    lines = peer.makefile()
    peer.sendall(f"{kind} {name}\\n".encode())
    said = lines.readline().strip()
    if said not in ("go", "twice", "lost"):
        sys.exit(137)
    code = subprocess.run(command).returncode
    if said == "twice":
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
    peer.sendall(b"done\\n")
    if not lines.readline():
        sys.exit(137)
    sys.exit(128 if said == "lost" else code)
"""


class Effects:
    """What came by, in order, and what happens where."""

    def __init__(self, folder: Path) -> None:
        #: The process that has the effects, while there is one.
        self.pid: int | None = None
        #: What it did, without what differs from run to run.
        self.met: list[str] = []
        #: At which number what happens.
        self.at: tuple[int, Fault] | None = None
        self.struck: list[str] = []
        self._lock = threading.Lock()
        self._folder = folder
        self._socket = folder / "effects"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._socket))
        self._listener.listen(32)
        threading.Thread(target=self._accept, daemon=True).start()

    def programs(self, agent: Path) -> tuple[Path, Path]:
        """A folder for the PATH, and the agent's command."""
        found = shutil.which("git")
        assert found is not None
        script, folder = self._folder / "asking.py", self._folder / "bin"
        folder.mkdir()
        script.write_text(_ASKING, encoding="utf-8")
        words = {"python": sys.executable, "script": script, "socket": self._socket, "git": found, "agent": agent}
        command = self._folder / "agent"
        for path, text in ((folder / "git", _PROGRAM), (command, _AGENT)):
            path.write_text(text.format(writes="|".join(_WRITES), **words), encoding="utf-8")
            path.chmod(0o755)
        return folder, command

    def close(self) -> None:
        _hang_up(self._listener)
        self._socket.unlink(missing_ok=True)

    def meet(self, what: str) -> Fault | None:
        """One effect comes by; kills whoever is to die before it."""
        with self._lock:
            number = len(self.met)
            self.met.append(what)
            if self.at is None or self.at[0] != number:
                return None
            fault = self.at[1]
            self.struck.append(f"{fault.value} {what}")
        if fault is Fault.BEFORE:
            self.kill()
        return fault

    def kill(self) -> None:
        """The process dies."""
        pid, self.pid = self.pid, None
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not _lives(pid), description=f"process {pid} is dead", pause=0.001)

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer, peer.makefile() as lines:
            fault = self.meet(lines.readline().strip()) if self.pid is not None else Fault.BEFORE
            if fault is Fault.BEFORE:
                return
            words = {Fault.TWICE: b"twice\n", Fault.LOST: b"lost\n"}
            peer.sendall(words.get(fault, b"go\n") if fault is not None else b"go\n")
            lines.readline()
            if fault is Fault.AFTER:
                self.kill()
                return
            peer.sendall(b"well\n")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Wire(Database):
    """The process's way to the database."""

    def __init__(self, url: str, effects: Effects) -> None:
        self._effects = effects
        super().__init__(url, None)  # type: ignore[arg-type]

    def _pass(self, command: list[bytes], peer: socket.socket, server: socket.socket) -> bool:
        what = _name(command)
        if self._effects.pid is None:
            _hang_up(peer)
            return False  # It is dead already, and this is what it had sent before.
        fault = self._effects.meet(what) if what else None
        if fault is Fault.BEFORE:
            _hang_up(peer)
            return False
        answer = _exchange(command, server)
        if fault is Fault.TWICE:
            _exchange(command, server)
        if fault is Fault.AFTER:
            self._effects.kill()
        if fault in (Fault.AFTER, Fault.LOST):
            _hang_up(peer)
            return False
        peer.sendall(answer)
        return True


def _exchange(command: list[bytes], server: socket.socket) -> bytes:
    server.sendall(hiredis.pack_command(tuple(command)))
    reader, answer = hiredis.Reader(), b""
    while reader.gets() is False:
        data = server.recv(1 << 16)
        if not data:
            raise OSError
        reader.feed(data)
        answer += data
    return answer


def kind(what: str) -> str:
    """Database, git or launch."""
    return re.split(r" ", what)[0]


Run = Callable[[int, Fault], None]
