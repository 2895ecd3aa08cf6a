"""The runners of a worker process: each run has a guard to itself, so that none can end another one's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tinytown_workers.run.runner import Runner

#: Runners that are kept for the next runs; a guard takes some six megabytes, and a moment to start.
KEPT = 4


class Runners:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._free: list[Runner] = []
        self._all: set[Runner] = set()
        self._closed = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Have one ready ahead of the first run."""
        with self.lend() as runner:
            runner.start()

    @contextmanager
    def lend(self) -> Iterator[Runner]:
        """A runner that nobody else uses while the block runs."""
        with self._lock:
            runner = self._free.pop() if self._free else Runner()
            self._all.add(runner)
        try:
            yield runner
        finally:
            with self._lock:
                keep = not self._closed and len(self._free) < KEPT
                if keep:
                    self._free.append(runner)
                else:
                    self._all.discard(runner)
            if not keep:
                runner.close()

    def close(self) -> None:
        """End every run and every guard."""
        with self._lock:
            self._closed = True
            runners = list(self._all)
            self._free.clear()
        for runner in runners:
            runner.close()
