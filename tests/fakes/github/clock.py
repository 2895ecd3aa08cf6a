"""The time as this GitHub sees it: the machine's own, and ahead of it by what a test has advanced it."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Seconds since 1970; ``advance`` lets time pass without waiting for it."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


def stamp(at: float | None) -> str | None:
    """A time as GitHub writes it; nothing for what has not happened."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
