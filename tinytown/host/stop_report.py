"""What `tt stop` says while the processes of a town end."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds without an end after which `stop` says what it waits for.
PATIENCE = 1.0

#: Called with each line to show.
Tell = Callable[[str], object]


class StopReport:
    """Reports each process as it ends, and those that are waited for."""

    def __init__(self, there: Callable[[], set[str]], living: set[str], tell: Tell) -> None:
        """``there`` gives the names of those that live, ``living`` are those that shall end."""
        self._there = there
        self._tell = tell
        self._left = set(living)
        self._told: set[str] = set()
        self._quiet_since = time.monotonic()

    def report(self) -> None:
        """Report what ended since the last call; after a while without any end, report what is waited for."""
        there = self._there()
        self._say(self._left - there)
        if self._left and time.monotonic() - self._quiet_since > PATIENCE:
            agents = sorted(name for name in self._left if name.startswith("agent-"))
            waits = agents or sorted(self._left)
            saves = ", which saves its work" if len(agents) == 1 else ", which save their work" if agents else ""
            self._tell(f"waiting for {', '.join(waits)}{saves}")
            self._quiet_since = time.monotonic() + 10 * PATIENCE

    def end(self, ended: set[str]) -> None:
        """Report that all of these have ended."""
        self._left |= ended - self._told
        self._say(set(self._left))

    def _say(self, names: set[str]) -> None:
        for name in sorted(names, key=lambda name: (name == "supervisor", name)):
            self._tell(f"stopped {name}")
            self._quiet_since = time.monotonic()
        self._told |= names
        self._left -= names
