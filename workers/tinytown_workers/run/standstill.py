"""Bringing all processes of a run to a standstill, and having them go on.

Part of the guard, so standard library only. A process that is being stopped may be starting another one at that moment:
so the tree is looked at again and again until nobody new is in it and all of them stand. What the agent itself had
stopped before is left so.
"""

# ruff: noqa: PTH123
from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import time
from collections.abc import Collection, Sequence

from tinytown_workers.run.streams import LINUX

#: States of a process that does nothing: stopped, held by a debugger that is, or gone.
_STANDING = frozenset("TtZX")


class Standstill:
    """Whether one run stands still, shall do so, or goes on."""

    def __init__(self, stop: int = signal.SIGSTOP) -> None:
        """``stop`` is the signal at which a process comes to a standstill."""
        self._stop = stop
        #: When to look at its processes again; never while nobody wants it to stand still, or all of them do.
        self.look_at = math.inf
        #: Since when all of them stand.
        self.since: float | None = None
        #: All that were seen, the first ones first, and whether it was us who stopped them.
        self._seen: dict[int, bool] = {}
        self._pause = 0.001

    def begin(self) -> None:
        """Have it come to a standstill, step by step."""
        if self.since is None:
            self.look_at = 0.0

    def step(self, tree: Sequence[int]) -> bool:
        """Stop those who are not stopped; whether all of ``tree`` stand now."""
        new = [pid for pid in tree if pid not in self._seen]
        for pid in new:
            self._seen[pid] = state(pid) != "T"
            if self._seen[pid]:
                send(pid, self._stop)
        now = time.monotonic()
        if new or any(state(pid) not in _STANDING for pid in tree):
            self._pause = min(2 * self._pause, 0.05)
            self.look_at = now + self._pause
            return False
        self.look_at, self.since = math.inf, now
        return True

    def end(self, tree: Collection[int]) -> float:
        """Have those go on who were stopped, the last ones first; gives for how many seconds all stood still.

        In this order no shell finds a child of its own stopped.
        """
        for pid, ours in reversed(self._seen.items()):
            if ours and pid in tree:
                send(pid, signal.SIGCONT)
        stood = time.monotonic() - self.since if self.since is not None else 0.0
        self.look_at, self.since, self._pause = math.inf, None, 0.001
        self._seen.clear()
        return stood


def state(pid: int) -> str:
    """The letter for what a process does; ``X`` where there is none."""
    if not LINUX:
        shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout.strip()[:1] or "X"
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as stat:
        return stat.read().rpartition(b")")[2].split(None, 1)[0].decode()
    return "X"


def send(pid: int, number: int) -> None:
    """Send a signal to whoever is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
