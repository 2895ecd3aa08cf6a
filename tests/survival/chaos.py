"""Real processes under faults, by seed: a town whose server stands behind a door that breaks."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tests.acceptance.project import Project
from tests.survival.door import Door, Mode
from tests.survival.trial import PATIENCE_SECS, TIMING, Told, Trial
from tests.waiting import wait_until
from tinytown.errors import TinytownError
from tinytown.host import process_specs, server_binary

log = logging.getLogger(__name__)

#: Agents by role; each role is a process of its own.
AGENTS = {"ann": "worker", "bob": "worker", "cid": "backend", "dan": "backend"}
#: Longest time until all is as before, in seconds, as it is promised for the usual timing (a lease of 90 s, a tick of
#: 30 s); with the timing of a trial it has to be far less.
PROMISED = {
    **dict.fromkeys(("kill worker", "kill agent", "stop worker"), 120.0),
    **dict.fromkeys(("kill control", "kill beat", "kill checks", "kill supervisor", "kill server"), 30.0),
    **dict.fromkeys(("reset", "cut", "swallow", "slow", "half open"), 25.0),
}
#: How often each happens.
WEIGHTS = {
    "kill worker": 5, "kill agent": 5, "stop worker": 1, "kill control": 3, "kill beat": 2, "kill checks": 2,
    "kill supervisor": 1, "kill server": 3, "reset": 9, "cut": 3, "swallow": 2, "slow": 2, "half open": 0.4,
}  # fmt: skip
#: Of the server.
PASSWORD = "a-word"


class ServerProcess:
    """A server of its own, which may be killed."""

    def __init__(self, folder: Path, password: str = PASSWORD) -> None:
        self.folder, self.password = folder, password
        folder.mkdir()
        self.path = str(folder / "s")
        self.binary = server_binary.choose(folder).path
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        words = [
            "--port",
            "0",
            "--unixsocket",
            self.path,
            "--appendonly",
            "yes",
            "--appendfsync",
            "everysec",
            "--save",
            "",
            "--requirepass",
            self.password,
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([str(self.binary), *words], cwd=self.folder, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


class Chaos(Trial):
    """Faults one after the other."""

    agents: ClassVar[Mapping[str, str]] = AGENTS

    def __init__(self, project: Project, server: ServerProcess, door: Door, seed: int) -> None:
        super().__init__(project, f"unix://:{PASSWORD}@{server.path}", seed)
        self.server, self.door = server, door

    # -- faults ----------------------------------------------------------------------------------

    def run(self, seconds: float, *, kinds: list[str] | None = None) -> Told:
        """Faults for so long, or just these; then quiet, until all missions have ended."""
        began = time.monotonic()
        self.keep_busy()
        wait_until(self.project.runs, timeout=60, description="somebody works")
        queue = list(kinds or [])
        while queue or (not kinds and time.monotonic() - began < seconds):
            kind = queue.pop(0) if queue else self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            self.keep_busy()
            self.strike(kind)
        self.door.be(Mode.PASS)
        self.end()
        self.told.seconds = time.monotonic() - began
        return self.told

    def strike(self, kind: str) -> None:
        """One fault, until it is overcome."""
        log.info("%s", kind)
        what, _, whom = kind.partition(" ")
        match what, whom:
            case "kill", "worker":
                self._kill_worker(kind)
            case "kill", "agent":
                self._kill_agent(kind)
            case "stop", _:
                self._stop_worker(kind)
            case "kill", "server":
                moves = self.goes_on()
                self.server.kill()
                self.server.start()
                self.wait(kind, moves, "it goes on")
            case "kill", _:
                self._kill(kind, whom)
            case "reset", _:
                moves = self.goes_on()
                self.door.reset()
                self.wait(kind, moves, "it goes on")
            case "half", _:
                moves = self.goes_on()
                self.door.half_open()
                self.wait(kind, moves, "it goes on")
            case _:
                self._bad_network(kind, Mode(what))

    def _bad_network(self, kind: str, mode: Mode) -> None:
        self.door.be(mode)
        until = time.monotonic() + self.chance.uniform(0.5, 3.0)
        wait_until(lambda: time.monotonic() > until, description="it was so for a while", pause=0.05)
        moves = self.goes_on()
        self.door.be(Mode.PASS)
        self.wait(kind, moves, "it goes on")

    def _kill(self, kind: str, name: str) -> None:
        """A process of the town, which comes back."""
        pid = self._running(name)
        os.kill(pid, signal.SIGKILL)
        self.wait(kind, lambda: self._pid(name) not in (None, pid), f"{name} is back")
        assert self.project.town.runtime.exists()

    def _running(self, name: str) -> int:
        """Its pid, once it runs: each fault happens, whatever came before."""
        pid = wait_until(lambda: self._pid(name), timeout=PATIENCE_SECS, description=f"{name} runs", pause=0.05)
        assert pid is not None
        return pid

    def _pid(self, name: str) -> int | None:
        if name == "supervisor":
            found = process_specs.supervisor(self.project.town)
            return found.pid if found is not None else None
        state = process_specs.read_states(self.project.town).get(name)
        return state.pid if state is not None and state.alive else None

    def _of(self, role: str) -> set[str]:
        return {name for name, its in AGENTS.items() if its == role}

    def _kill_worker(self, kind: str) -> None:
        role = self.chance.choice(sorted({*AGENTS.values()}))
        name = f"role-{role}"
        pid, victims = self._running(name), self.victims(self._of(role))
        os.kill(pid, signal.SIGKILL)
        self.wait(
            kind,
            lambda: self._pid(name) not in (None, pid) and self.have_gone_on(victims),
            f"{name} is back, and others are at {sorted(victims)}",
        )

    def _stop_worker(self, kind: str) -> None:
        """It stands still beyond its lease, and wakes when its work is another's."""
        role = self.chance.choice(sorted({*AGENTS.values()}))
        pid, victims = self._running(f"role-{role}"), self.victims(self._of(role))
        os.kill(pid, signal.SIGSTOP)
        try:
            until = time.monotonic() + TIMING["lease_secs"] + 1.5
            wait_until(lambda: time.monotonic() > until, timeout=60, description="its lease has run out", pause=0.1)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.wait(kind, lambda: self.have_gone_on(victims), f"others are at {sorted(victims)}")

    def _kill_agent(self, kind: str) -> None:
        ended = {(row["item"], row["attempt"], row["purpose"]) for row in self.project.runs("end")}
        rows = [row for row in self.project.runs() if (row["item"], row["attempt"], row["purpose"]) not in ended]
        for row in reversed(rows):
            victims = {(row["mission"], row["item"]): row["attempt"]}
            with contextlib.suppress(ProcessLookupError, TinytownError):
                if self.have_gone_on(victims):
                    continue
                os.kill(row["pid"], signal.SIGKILL)
                self.wait(kind, lambda v=victims: self.have_gone_on(v), f"{row['item']} goes on")  # type: ignore[misc]
            return
