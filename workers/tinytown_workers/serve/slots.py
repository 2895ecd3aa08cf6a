"""The agents of a worker process: each is a slot, which is idle or at one run.

A message from the queue that all share goes to the agent that has been idle for longest; one from an agent's own queue
goes only to that agent. If nobody is idle, because the town's records and this process differ for a moment, the message
is kept until somebody is; should that take long, it is withdrawn and sent again, and then refused here by its number.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tinytown import contract
from tinytown_workers.run.hold import Hold

#: Mission, item and number of an attempt.
Work = tuple[str, str, int]


@dataclass(eq=False)
class Slot:
    """One agent."""

    name: str
    role: str
    cli: str = ""
    #: Tells it from another one of the same name.
    token: str = ""
    #: It takes nothing, for now.
    paused: bool = False
    #: It takes nothing any more.
    gone: bool = False
    #: Whether its runs are to stand still.
    hold: Hold = field(default_factory=Hold)
    #: How many runs it may still begin; ``None`` for no limit.
    rounds_left: int | None = None
    busy: bool = False
    #: How many had become idle before it, and when it did, by the monotonic clock.
    turn: int = 0
    idle_since: float = field(default_factory=time.monotonic)
    _stop: threading.Event | None = None

    @property
    def takes(self) -> bool:
        return not (self.gone or self.paused) and self.rounds_left != 0

    @property
    def queue(self) -> str:
        """Its own queue."""
        return contract.agent_queue(self.name)

    @contextmanager
    def at_work(self, stop: threading.Event) -> Iterator[None]:
        """Within the block, ``stop`` is set if the agent is ended."""
        self._stop = stop
        if self.gone:
            stop.set()
        try:
            yield
        finally:
            self._stop = None

    @property
    def still(self) -> bool:
        """Whether it takes nothing, and its run stands still."""
        return self.paused and (not self.busy or self.hold.obeyed)

    def begins(self) -> None:
        """Count a run that it begins."""
        if self.rounds_left:
            self.rounds_left -= 1

    def end(self) -> None:
        """Have it take nothing more, and end its run."""
        self.gone = True
        if (stop := self._stop) is not None:
            stop.set()


@dataclass
class Slots:
    """All slots of one process; safe to use from several threads."""

    #: The queue that all of them serve.
    shared: str
    #: No slot takes anything any more.
    closed: bool = False
    _slots: list[Slot] = field(default_factory=list)
    _kept: list[tuple[str, Work]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turns: Iterator[int] = field(default_factory=itertools.count)

    def __iter__(self) -> Iterator[Slot]:
        with self._lock:
            return iter(list(self._slots))

    def add(self, slot: Slot) -> None:
        with self._lock:
            slot.turn = next(self._turns)
            self._slots.append(slot)

    def remove(self, slot: Slot) -> None:
        with self._lock:
            self._slots.remove(slot)

    @property
    def capacity(self) -> int:
        """How many tasks may run at once: one for each agent that takes work or is at it."""
        with self._lock:
            return sum(1 for slot in self._slots if slot.busy or (slot.takes and not self.closed))

    @property
    def idle(self) -> bool:
        """Whether nobody is at work."""
        with self._lock:
            return not any(slot.busy for slot in self._slots)

    def at_rest(self) -> object | None:
        """What changes whenever there may be something to tell of one of them; ``None`` while one is at work."""
        with self._lock:
            if any(slot.busy for slot in self._slots):
                return None
            return [(slot.name, slot.gone, slot.rounds_left, slot.still) for slot in self._slots]

    def take(self, queue: str, work: Work) -> Slot | None:
        """The agent that takes a message from this queue, busy from now on; ``None`` if nobody does now."""
        with self._lock:
            if self.closed:
                return None
            able = [slot for slot in self._slots if slot.takes and queue in (self.shared, slot.queue)]
            idle = [slot for slot in able if not slot.busy]
            if not idle:
                if able:
                    self._kept.append((queue, work))
                return None
            slot = min(idle, key=lambda slot: slot.turn)
            slot.busy = True
            return slot

    def may_go_on(self, slot: Slot) -> bool:
        """Whether the agent may take more as soon as its run is over, and nothing is kept that comes first."""
        with self._lock:
            return slot.takes and not self.closed and not any(one[0] in (self.shared, slot.queue) for one in self._kept)

    def next(self, slot: Slot) -> Work | None:
        """What the agent goes on with after a run; ``None`` makes it idle."""
        with self._lock:
            mine = (one for one in self._kept if one[0] in (self.shared, slot.queue))
            kept = next(mine, None) if slot.takes and not self.closed else None
            if kept is not None:
                self._kept.remove(kept)
                return kept[1]
            slot.busy = False
            slot.turn = next(self._turns)
            slot.idle_since = time.monotonic()
            return None

    def close(self) -> None:
        """Have nobody take anything more; runs go on."""
        with self._lock:
            self.closed = True
            self._kept.clear()
