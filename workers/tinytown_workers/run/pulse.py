"""What has to be done again and again while runs go on: one thread of the process knows when.

Each time that something is due it is done in a thread of its own, so that what hangs keeps nothing else waiting. What
ends before it was ever due costs no thread.
"""

from __future__ import annotations

import contextvars
import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Beat:
    """Something that is done again and again."""

    def __init__(self, seconds: float, act: Callable[[], bool]) -> None:
        self.seconds = seconds
        self._act = act
        # With the context variables of this thread, by which log lines name the agent.
        self._context = contextvars.copy_context()
        self._acting = threading.Lock()
        self._over = False

    @property
    def over(self) -> bool:
        """It is not done any more."""
        return self._over

    def end(self) -> None:
        """It is not done any more; what is under way is left alone."""
        self._over = True

    def finish(self) -> None:
        """It is not done any more, and what was under way is over."""
        self._over = True
        with self._acting:
            pass

    def do(self, again: Callable[[Beat], None]) -> None:
        """Do it once, and then ``again``."""
        with self._acting:
            if not self._over and self._context.run(self._act):
                again(self)


class Pulse:
    """Does each of many things every so many seconds."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Beat]] = []
        self._order = itertools.count()
        self._sooner = threading.Condition()
        self._thread: threading.Thread | None = None

    def every(self, seconds: float, act: Callable[[], bool]) -> Beat:
        """Have ``act`` done for the first time in so many seconds, and again as long as it gives true."""
        self._add(beat := Beat(seconds, act))
        return beat

    def _add(self, beat: Beat) -> None:
        at = time.monotonic() + beat.seconds
        with self._sooner:
            heapq.heappush(self._due, (at, next(self._order), beat))
            if self._due[0][2] is beat:
                self._sooner.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._follow, name="pulse", daemon=True)
                self._thread.start()

    def _follow(self) -> None:
        while True:
            beat = self._next()
            threading.Thread(target=beat.do, args=(self._add,), name="beat", daemon=True).start()

    def _next(self) -> Beat:
        with self._sooner:
            while True:
                left = self._due[0][0] - time.monotonic() if self._due else None
                if left is None or left > 0:
                    self._sooner.wait(left)
                elif not (beat := heapq.heappop(self._due)[2]).over:
                    return beat


#: The one of this process.
PULSE = Pulse()
