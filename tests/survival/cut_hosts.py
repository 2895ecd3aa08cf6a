"""A town of two hosts: the way of one to the database breaks beyond its lease, again and again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tests.acceptance.two_hosts import Home, Other
from tests.survival.door import Door, Mode
from tests.survival.trial import PATIENCE_SECS, Told, Trial
from tests.waiting import wait_until
from tinytown.state.hosts import Hosts

#: Longest time in seconds, as it is promised for the usual timing: until others have what it had (a lease and a tick),
#: and until it works again (the longest pause between two of its tries to connect, and a tick).
PROMISED = {"cut off": 120.0, "back": 60.0}
#: Missions that are made for each time, as others go on meanwhile.
MISSIONS = 10
#: The name of the host that is cut off, and who is there.
ISLE, THERE = "isle", ("ida", "ivo")


class CutHosts(Trial):
    """One run: the host is cut off, others go on with what it had, and it comes back and works."""

    agents: ClassVar[Mapping[str, str]] = {"ann": "worker", "bea": "backend", "ida": "worker", "ivo": "backend"}
    pace: ClassVar[Sequence[str]] = ("1", "2")

    def __init__(self, home: Home, isle: Other, door: Door, seed: int) -> None:
        super().__init__(home, home.url, seed)
        self.home, self.isle, self.door = home, isle, door

    def _spawn(self, name: str, role: str) -> None:
        if name == THERE[0]:
            self.isle.tt("join", "--name", ISLE)
        where = ISLE if name in THERE else self.home.town.machine
        self.home.tt("spawn", name, "--role", role, "--cli", "fake", "--host", where)

    def runs(self) -> list[dict[str, Any]]:
        return sorted([*self.home.runs(), *self.isle.runs()], key=lambda row: row["at"])

    def run(self, times: int) -> Told:
        """So many times; then all missions come to their end."""
        began = time.monotonic()
        for _ in range(times):
            self.cut()
        self.end()
        self.told.seconds = time.monotonic() - began
        return self.told

    def cut(self) -> None:
        """Once, while it has work; nothing that it says of that may count, and it is there for what comes next."""

        def works() -> dict[tuple[str, str], int]:
            self.keep_busy()
            return self.victims(THERE)

        victims = wait_until(works, timeout=PATIENCE_SECS, description=f"{ISLE} works", pause=0.02)
        self.door.be(self.chance.choice([Mode.CUT, Mode.SWALLOW]))
        self.wait("cut off", lambda: self.have_gone_on(victims) and self._is_away(), f"others are at {sorted(victims)}")
        before = len(self.isle.runs())
        self.door.be(Mode.PASS)
        self.wait("back", lambda: len(self.isle.runs()) > before, f"{ISLE} works again")

    def _is_away(self) -> bool:
        """The town takes it for gone, and so for nobody to wait for."""
        return not Hosts(self.context.store).all()[ISLE].live
