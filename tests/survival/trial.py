"""A town whose missions go on while a test does it harm, with what is known of them by other means than the town's.

Oracles: the agents' own append-only journal (a line when one begins, one when it has ended), the merges in git, and
the town's history. An agent that began and never ended was killed: that is no loss, as long as its item comes to its
end by another attempt.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.acceptance.project import Project
from tests.waiting import patience, wait_until
from tinytown.engine.conductor.questions import open_questions
from tinytown.engine.context import Context
from tinytown.engine.operate import items as operate_items
from tinytown.engine.start.start import Order, start
from tinytown.errors import StateError, TinytownError
from tinytown.missions.states import ItemState

log = logging.getLogger(__name__)

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
#: Seconds on a quick machine after which a fault counts as never overcome.
PATIENCE_SECS = 45.0


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


class Trial:
    """One run by its seed: missions that go on, what is measured meanwhile, and what is judged at the end."""

    #: Agents by role; each role is a process of its own.
    agents: ClassVar[Mapping[str, str]] = {}
    #: How many seconds they take for an issue, one of these.
    pace: ClassVar[Sequence[str]] = ("0.1", "0.3", "0.8")

    def __init__(self, project: Project, url: str, seed: int) -> None:
        self.project, self.url = project, url
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
        self.context = Context(self.project.town, self.url, retries=20)
        for name, role in self.agents.items():
            self._spawn(name, role)

    def _spawn(self, name: str, role: str) -> None:
        self.project.tt("spawn", name, "--role", role, "--cli", "fake")

    def runs(self) -> list[dict[str, Any]]:
        """What agents wrote as they began, in this order."""
        return self.project.runs()

    def _issue(self, number: int, on: list[int]) -> str:
        label = '+++\nlabels = ["backend"]\n+++\n' if number % 2 else ""
        waits = "".join(f"Depends on #{n}.\n" for n in on)
        secs = self.chance.choice(self.pace)
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

    def victims(self, names: Collection[str]) -> dict[tuple[str, str], int]:
        """What these agents are at, with the number of the attempt."""
        live = self.context.store.live_attempts()
        return {(one.mission, one.item): one.number for one in live if one.claimed and one.agent in names}

    def have_gone_on(self, victims: dict[tuple[str, str], int]) -> bool:
        """Whether others are at it, or it is done."""
        for (mission, key), number in victims.items():
            item = self.context.store.item(mission, key).record
            claimed = item.attempt is not None and item.attempt.claimed and item.attempt.number > number
            ended = self.context.store.finished_attempt(mission, key, number) is not None
            if not (claimed or item.state is ItemState.DONE or (ended and item.fence > number)):
                return False
        return True

    # -- the end ---------------------------------------------------------------------------------

    def end(self) -> None:
        """All missions come to their end, and are judged."""

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
        for row in self.runs():
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
