"""A wish that the runs of an agent stand still for a while, and whether they do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(eq=False)
class Part:
    """One run of the agent."""

    still: bool = False


@dataclass(eq=False)
class Hold:
    """Whoever wishes sets ``wanted``; each run looks at it again and again, and says in its part what it does."""

    wanted: bool = False
    _parts: list[Part] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def obeyed(self) -> bool:
        """There are runs, and all of them stand still."""
        with self._lock:
            return bool(self._parts) and all(part.still for part in self._parts)

    @contextmanager
    def part(self) -> Iterator[Part]:
        """A run that is subject to the wish while the block lasts."""
        part = Part()
        with self._lock:
            self._parts.append(part)
        try:
            yield part
        finally:
            with self._lock:
                self._parts.remove(part)
