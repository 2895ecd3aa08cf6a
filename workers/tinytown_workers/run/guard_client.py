"""The worker's end of a guard process: start it, send it orders, pass on its answers."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

#: Seconds that a guard may take to begin, or to end after its worker has closed the socket.
GUARD_PATIENCE = 15.0
#: Started so that it loads nothing but the guard and the parts of the standard library that it needs.
_GUARD = f"""
import sys
sys.path.append({str(Path(__file__).parents[2])!r})
from tinytown_workers.run.guard import main
main()
"""


class GuardProcess:
    """One guard process, and the queues of those who wait for its messages."""

    def __init__(self, file_bytes: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # An empty environment: agents of the same user can read ours through /proc.
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _GUARD, str(theirs.fileno()), str(file_bytes)],
                pass_fds=(theirs.fileno(),),
                env={"PATH": os.defpath},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.alive = True
        self._sock = ours
        self._sending = threading.Lock()
        self._waiting: dict[str, queue.Queue[dict[str, Any]]] = {}
        self._reader = threading.Thread(target=self._listen, name="guard", daemon=True)
        self._reader.start()

    def listen(self, run: str, words: queue.Queue[dict[str, Any]]) -> None:
        self._waiting[run] = words
        if not self.alive:
            words.put({"did": "died"})

    def forget(self, run: str) -> None:
        self._waiting.pop(run, None)

    def order(self, handed: int | None = None, **words: object) -> None:
        """Tell it what to do; ``handed`` is a descriptor that goes with it."""
        line = json.dumps(words).encode() + b"\n"
        try:
            with self._sending:
                sent = socket.send_fds(self._sock, [line], [handed]) if handed is not None else 0
                self._sock.sendall(line[sent:])
        except OSError:
            pass  # It died; the reading thread tells everyone who waits.

    def close(self) -> None:
        """Close the socket: the guard then ends every agent, and itself."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        try:
            self.process.wait(GUARD_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(GUARD_PATIENCE)
        self._sock.close()

    def _listen(self) -> None:
        with self._sock.makefile("rb") as lines:
            try:
                for line in lines:
                    words = json.loads(line)
                    if waiting := self._waiting.get(words["id"]):
                        waiting.put(words)
            except (OSError, ValueError):
                pass
        self.alive = False
        for waiting in list(self._waiting.values()):
            waiting.put({"did": "died"})
