"""Real processes under faults, by seed: a town whose server stands behind a door that breaks.

Oracles: the agents' own append-only journal (a line when one begins, one when it has ended), the merges in git, and
the town's history. An agent that began and never ended was killed: that is no loss, as long as its item comes to its
end by another attempt.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.project import Project
from tests.survival.door import Door, Mode
from tests.waiting import patience, wait_until
from tinytown.engine.conductor.questions import open_questions
from tinytown.engine.context import Context
from tinytown.engine.operate import items as operate_items
from tinytown.engine.start.start import Order, start
from tinytown.errors import StateError, TinytownError
from tinytown.host import process_specs, server_binary
from tinytown.missions.states import ItemState

log = logging.getLogger(__name__)

#: Agents by role; each role is a process of its own.
AGENTS = {"ann": "worker", "bob": "worker", "cid": "backend", "dan": "backend"}
#: Seconds; a killed worker is replaced at once, a silent one after its lease.
TIMING = {
    "tick_secs": 1,
    "lease_secs": 5,
    "heartbeat_secs": 1,
    "unclaimed_secs": 4,
    "kill_grace_secs": 1,
    "backoff_secs": 0.2,
}
#: Issues of a mission; there are always missions enough to have work.
SIZE = 6
#: Longest time until all is as before, in seconds, as it is promised for the usual timing (a lease of 90 s, a tick of
#: 30 s); with the timing above it has to be far less.
PROMISED = {
    **dict.fromkeys(("kill worker", "kill agent", "stop worker"), 120.0),
    **dict.fromkeys(("kill control", "kill beat", "kill checks", "kill supervisor", "kill server"), 30.0),
    **dict.fromkeys(("reset", "cut", "swallow", "slow", "half open"), 25.0),
}
#: Seconds on a quick machine after which a fault counts as never overcome.
PATIENCE_SECS = 45.0
#: How often each happens.
WEIGHTS = {
    "kill worker": 5, "kill agent": 5, "stop worker": 1, "kill control": 3, "kill beat": 2, "kill checks": 2,
    "kill supervisor": 1, "kill server": 3, "reset": 9, "cut": 3, "swallow": 2, "slow": 2, "half open": 0.4,
}  # fmt: skip


@dataclass
class Told:
    """What came of a run."""

    seed: int
    seconds: float = 0.0
    items: int = 0
    runs: int = 0
    #: Kind of fault, and seconds until all was as before.
    recovered: list[tuple[str, float]] = field(default_factory=list)
    asked: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        return {**self.__dict__, "recovered": [list(one) for one in self.recovered]}


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


class Chaos:
    """One run by its seed: faults one after the other, while missions go on."""

    def __init__(self, project: Project, server: ServerProcess, door: Door, seed: int) -> None:
        self.project, self.server, self.door = project, server, door
        self.chance = random.Random(seed)
        self.told = Told(seed)
        self.issues = 0
        self.waits: dict[str, list[str]] = {}

    def found(self, most: int) -> None:
        """The town, with issues for so many missions."""
        issues = {}
        for first in range(1, most * SIZE + 1, SIZE):
            for number in range(first, first + SIZE):
                on = [n for n in range(first, number) if self.chance.random() < 0.35]
                self.waits[f"local/project#{number}"] = [f"local/project#{n}" for n in on]
                issues[number] = self._issue(number, on)
        policy = "\n[policy]\nmax_attempts = 10\nmax_parallel_items = 4\n"
        self.project.found(issues, timing=TIMING)
        file = self.project.root / "tinytown.toml"
        text = file.read_text(encoding="utf-8")
        assert "[policy]\n" in text
        file.write_text(text.replace("[policy]\n", policy.lstrip("\n")), encoding="utf-8")
        for name, role in AGENTS.items():
            self.project.tt("spawn", name, "--role", role, "--cli", "fake")
        self.context = Context(self.project.town, f"unix://:{PASSWORD}@{self.server.path}", retries=20)

    def _issue(self, number: int, on: list[int]) -> str:
        label = '+++\nlabels = ["backend"]\n+++\n' if number % 2 else ""
        waits = "".join(f"Depends on #{n}.\n" for n in on)
        secs = self.chance.choice(["0.1", "0.3", "0.8"])
        return f"{label}# Thing {number}\n\n{waits}\ndo: sleep {secs}\ndo: write {number}.txt {number}\n"

    # -- what goes on ----------------------------------------------------------------------------

    def keep_busy(self) -> None:
        """There are always two missions under way, and whoever asks is answered."""
        try:
            if len(self.context.store.mission_ids(live=True)) < 2:
                numbers = range(self.issues + 1, self.issues + SIZE + 1)
                order = Order(issues=[str(n) for n in numbers], max_parallel=4, no_reviewer=True, base_check=False)
                self.issues += SIZE  # Also if it is not sent: it is on record then, and continues by itself.
                start(self.context, order)
            for question in open_questions(self.context):
                self.told.asked += 1
                with contextlib.suppress(StateError):
                    operate_items.retry(self.context, question.mission, None)
        except TinytownError as error:
            log.info("%s", error)  # What is said of it later tells whether it mattered.

    def wait(self, kind: str, holds: Callable[[], object], what: str) -> None:
        """Until a fault is overcome; how long that took is kept."""
        began = time.monotonic()

        def looked() -> bool:
            self.keep_busy()
            try:
                return bool(holds())
            except TinytownError:
                return False

        try:
            wait_until(looked, timeout=PATIENCE_SECS, description=f"{kind}: {what}", pause=0.05)
        except AssertionError as error:
            raise AssertionError(f"seed {self.told.seed}: {error}\n{self.project.logs()}") from None
        self.told.recovered.append((kind, time.monotonic() - began))

    def position(self) -> str:
        """The end of the town's history."""
        rows = self.context.store.client.xrevrange(self.context.store.keys.events, count=1)
        return str(rows[0][0]) if rows else "-"

    def goes_on(self) -> Callable[[], object]:
        """Something moves that had not moved by now."""
        after = self.position()
        return lambda: self.context.store.events(after=after, count=1)

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
        self._end()
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

    def _victims(self, role: str) -> dict[tuple[str, str], int]:
        """What the agents of a role are at, with the number of the attempt."""
        names = {name for name, its in AGENTS.items() if its == role}
        live = self.context.store.live_attempts()
        return {(one.mission, one.item): one.number for one in live if one.claimed and one.agent in names}

    def _have_gone_on(self, victims: dict[tuple[str, str], int]) -> bool:
        for (mission, key), number in victims.items():
            item = self.context.store.item(mission, key).record
            claimed = item.attempt is not None and item.attempt.claimed and item.attempt.number > number
            ended = self.context.store.finished_attempt(mission, key, number) is not None
            if not (claimed or item.state is ItemState.DONE or (ended and item.fence > number)):
                return False
        return True

    def _kill_worker(self, kind: str) -> None:
        role = self.chance.choice(sorted({*AGENTS.values()}))
        name = f"role-{role}"
        pid, victims = self._running(name), self._victims(role)
        os.kill(pid, signal.SIGKILL)
        self.wait(
            kind,
            lambda: self._pid(name) not in (None, pid) and self._have_gone_on(victims),
            f"{name} is back, and others are at {sorted(victims)}",
        )

    def _stop_worker(self, kind: str) -> None:
        """It stands still beyond its lease, and wakes when its work is another's."""
        role = self.chance.choice(sorted({*AGENTS.values()}))
        pid, victims = self._running(f"role-{role}"), self._victims(role)
        os.kill(pid, signal.SIGSTOP)
        try:
            until = time.monotonic() + TIMING["lease_secs"] + 1.5
            wait_until(lambda: time.monotonic() > until, timeout=60, description="its lease has run out", pause=0.1)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.wait(kind, lambda: self._have_gone_on(victims), f"others are at {sorted(victims)}")

    def _kill_agent(self, kind: str) -> None:
        ended = {(row["item"], row["attempt"], row["purpose"]) for row in self.project.runs("end")}
        rows = [row for row in self.project.runs() if (row["item"], row["attempt"], row["purpose"]) not in ended]
        for row in reversed(rows):
            victims = {(row["mission"], row["item"]): row["attempt"]}
            with contextlib.suppress(ProcessLookupError, TinytownError):
                if self._have_gone_on(victims):
                    continue
                os.kill(row["pid"], signal.SIGKILL)
                self.wait(kind, lambda v=victims: self._have_gone_on(v), f"{row['item']} goes on")  # type: ignore[misc]
            return

    # -- the end ---------------------------------------------------------------------------------

    def _end(self) -> None:
        def over() -> bool:
            with contextlib.suppress(TinytownError):
                for question in open_questions(self.context):
                    self.told.asked += 1
                    with contextlib.suppress(StateError):
                        operate_items.retry(self.context, question.mission, None)
                return not self.context.store.mission_ids(live=True)
            return False

        try:
            wait_until(over, timeout=patience(120), description="all missions have ended", pause=0.1)
        except AssertionError as error:
            said = [self.project.account(mission) for mission in self.context.store.mission_ids(live=True)]
            raise AssertionError(f"seed {self.told.seed}: {error}\n{chr(10).join(said)}") from None
        self._judge()

    def _judge(self) -> None:
        """By git, by the journal and by the history."""
        told = self.told
        wanted = [f"local/project#{n}" for n in range(1, self.issues + 1)]
        told.items = len(wanted)
        merges = Counter(line.split(" ")[1].rstrip(":") for line in self.project.merges())
        told.lost = [key for key in wanted if merges[key] == 0]
        told.twice = [key for key, count in merges.items() if count > 1]
        began: dict[str, float] = {}
        for row in self.project.runs():
            told.runs += 1
            began.setdefault(row["item"], row["at"])
        events = [
            e for m in self.context.store.mission_ids(live=False) for _, e in self.context.store.events(m, count=10_000)
        ]
        done = {e.item: e.at for e in events if e.kind == "item_done"}
        told.early = [f"{key} before {on}" for key in wanted for on in self.waits[key] if began[key] < done[on] - 0.01]
        ends = Counter(e.item for e in events if e.kind == "attempt_ended" and _did(e.data))
        told.twice += [f"{key} was worked {count} times" for key, count in ends.items() if count > 1]
        numbers = [(e.item, e.data["number"]) for e in events if e.kind == "attempt_started"]
        told.reused = [f"{key}/{number}" for (key, number), count in Counter(numbers).items() if count > 1]


def _did(data: dict[str, Any]) -> bool:
    return data["purpose"] == "work" and data["outcome"] == "succeeded"


def say(told: Told) -> str:
    """One line."""
    return json.dumps({k: v for k, v in told.as_data().items() if k != "recovered"} | {"faults": len(told.recovered)})
