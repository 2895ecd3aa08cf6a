"""The runners of a worker process: each run has a guard to itself, so that none can end another one's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tinytown_workers.run.pulse import PULSE
from tinytown_workers.run.runner import Runner

#: Runners that are kept for the next runs, and for how many seconds: a guard takes some six megabytes, and a moment to
#: start.
KEPT = 4
KEPT_SECS = 300.0


class Runners:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        #: Those that nobody uses, and since when; the one that was used last stands last.
        self._free: list[tuple[float, Runner]] = []
        self._trims = False
        self._all: set[Runner] = set()
        self._closed = False
        self._lock = threading.Lock()

    @contextmanager
    def lend(self) -> Iterator[Runner]:
        """A runner that nobody else uses while the block runs."""
        with self._lock:
            runner = self._free.pop()[1] if self._free else Runner()
            self._all.add(runner)
        try:
            yield runner
        finally:
            with self._lock:
                keep = not self._closed and len(self._free) < KEPT
                if keep:
                    self._free.append((time.monotonic(), runner))
                else:
                    self._all.discard(runner)
                if keep and not self._trims:
                    self._trims = True
                    PULSE.every(KEPT_SECS, self._trim)
            if not keep:
                runner.close()

    def _trim(self) -> bool:
        """Close those that nobody has used for long; gives whether any are left."""
        before = time.monotonic() - KEPT_SECS
        with self._lock:
            old = [runner for since, runner in self._free if since <= before]
            self._free = [(since, runner) for since, runner in self._free if since > before]
            self._all.difference_update(old)
            self._trims = left = bool(self._free)
        for runner in old:
            runner.close()
        return left

    def close(self) -> None:
        """End every run and every guard."""
        with self._lock:
            self._closed = True
            runners = list(self._all)
            self._free.clear()
        for runner in runners:
            runner.close()
