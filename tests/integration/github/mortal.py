"""The process that speaks to a forge, as one that can be killed: it takes attempts and looks, as the town's own does.

``Hatchery`` starts such processes as forks of one that has loaded all of it. Each lives from its first order to its
death, and is told over a socket what to do next; the engine's own functions do it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinytown import settings
from tinytown.canvases.canvas import Canvas
from tinytown.engine.context import Context
from tinytown.engine.dispatch import attempts
from tinytown.engine.dispatch.advance import advance_all
from tinytown.engine.watch import outside
from tinytown.errors import UnreachableError
from tinytown.forge.github import client, limits
from tinytown.host import process_identity
from tinytown.missions.crew import FORGE_ROLE
from tinytown.missions.records.attempt import Attempt
from tinytown.town import Town
from tinytown_workers.pipeline import Attempts
from tinytown_workers.serve.slots import Slot, Slots

#: Seconds between two looks whether the tests' own process is still there.
_PARENT_SECS = 2.0


class Hatchery:
    """The process whose forks they are."""

    def __init__(self, module: str = __name__) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tt-mortal-", dir="/tmp"))
        self._socket = self._folder / "s"
        root = Path(__file__).resolve().parents[3]
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(self._socket)], cwd=root, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def close(self) -> None:
        """End it, by its pid."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._socket.unlink(missing_ok=True)
        self._folder.rmdir()

    def hatch(self, town: Town, values: dict[str, Any], url: str) -> Mortal:
        """Start one; ``values`` are the town's settings, and ``url`` is the server that it uses."""
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(self._socket))
        order = {"root": str(town.root), "id": town.id, "settings": values, "url": url, "environ": dict(os.environ)}
        return Mortal(peer, order)


class Mortal:
    """One that lives; ``ask`` has it do something."""

    def __init__(self, peer: socket.socket, order: dict[str, Any]) -> None:
        self._peer = peer
        self._lines = peer.makefile()
        self._say(order)
        self.pid = int(self._lines.readline())

    def _say(self, order: dict[str, Any]) -> None:
        self._peer.sendall(f"{json.dumps(order)}\n".encode())

    def begin(self) -> bool:
        """Let it take its place; as ``ask``."""
        return self.ask("begin")

    def ask(self, do: str, *arguments: object) -> bool:
        """Whether it came to the end of it; else it is dead."""
        try:
            self._say({"do": do, "arguments": arguments})
            answer = self._lines.readline()
        except OSError:
            return False
        assert answer in ("", "done\n"), json.loads(answer)
        return bool(answer)

    def close(self) -> None:
        """Have it end, if it lives."""
        self._lines.close()
        self._peer.close()


class _Silent(Context):
    """A context whose hints all get lost: the tick of the town's own process does what they ask for."""

    def refresh(self) -> None:
        """There is no file that it could read."""

    def _send(self, name: str, args: tuple[object, ...], queue: str, shown: str) -> None: ...

    def attempt_message(self, mission: str, key: str, attempt: Attempt) -> None: ...

    def send_settled(self, mission: str, keys: Iterable[str]) -> None: ...

    def begin(self, canvas: Canvas) -> None: ...

    def end_attempts(self, ids: Iterable[str]) -> None: ...


class _Life:
    """What one does, from its first order to its end."""

    def __init__(self, order: dict[str, Any]) -> None:
        town = Town(
            root=Path(order["root"]), id=order["id"], settings=settings.parse(order["settings"], source="a test")
        )
        self._context = _Silent(town, order["url"])
        self._slots = Slots(FORGE_ROLE)
        self._runs = Attempts(self._context, self._slots, last_run=lambda _: None)

    def begin(self) -> None:
        """What held the place before has ended, and so has what it was at."""
        attempts.abandon(self._context, {FORGE_ROLE}, ended=process_identity.ended)
        self._slots.add(Slot(FORGE_ROLE, FORGE_ROLE))
        advance_all(self._context, self._context.store.mission_ids(live=True))

    def attempt(self, mission: str, key: str, number: int) -> None:
        """Take an attempt, carry it out, and report."""
        self._runs.run(mission, key, number, queue=FORGE_ROLE)

    def watch(self) -> None:
        """One tick of the watch, some time after the last one."""
        self._context._done_at.clear()
        try:
            outside.watch_all(self._context)
        except UnreachableError:
            return  # The next tick looks again.


def _live(peer: socket.socket, kind: type[Any]) -> None:
    lines = peer.makefile()
    order = json.loads(lines.readline())
    os.environ.clear()
    os.environ.update(order["environ"])
    # The pace that GitHub wants is tested alone.
    limits.CREATE_EVERY = client.PAUSE = 0.0
    peer.sendall(f"{os.getpid()}\n".encode())
    life: Any = None
    for line in lines:
        asked = json.loads(line)
        try:
            life = life or kind(order)
            getattr(life, asked["do"])(*asked["arguments"])
        except BaseException:  # noqa: BLE001 - the test that asked fails by it
            peer.sendall(f"{json.dumps(traceback.format_exc())}\n".encode())
        else:
            peer.sendall(b"done\n")


def _hatch(path: str, kind: type[Any] = _Life) -> None:
    # Nobody waits for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        listener.settimeout(_PARENT_SECS)
        session = os.getppid()
        os.write(1, b"ready\n")
        while os.getppid() == session:
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                try:
                    _live(peer, kind)
                finally:
                    os._exit(0)
            peer.close()


if __name__ == "__main__":
    _hatch(sys.argv[1])
