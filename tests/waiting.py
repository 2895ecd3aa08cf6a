"""Waiting for a condition: with a deadline, and with words for what never came true.

Deadlines are in seconds of a machine that has a quick processor to spare. On a slow or a crowded one they are longer,
as everything else there is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

#: Seconds between two looks at how crowded the machine is.
_LOOK = 0.25
#: Seconds of a pause: at least; so many times as long as the question took, because whoever waits leaves the processor
#: to those who are waited for; and at most.
_PAUSE, _REST, _LONGEST = 0.02, 4.0, 0.25


def _slowness() -> float:
    """How many times longer this machine takes for some work than a quick one does; at least 1.0."""
    best = float("inf")
    for _ in range(3):
        began, count = time.perf_counter(), 0
        while count < _WORK:
            count += 1
        best = min(best, time.perf_counter() - began)
    return max(1.0, best / _WORK_SECS)


#: Steps of a loop, and the seconds that a quick machine takes for them.
_WORK, _WORK_SECS = 100_000, 0.01
_SLOWNESS = _slowness()


def crowding() -> float:
    """How many times longer something takes here and now than on a quick machine that has a processor to spare."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        wanting = float(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0])
    except OSError:
        wanting = os.getloadavg()[0]
    return _SLOWNESS * max(1.0, wanting / processors)


def patience(seconds: float) -> float:
    """How long something may take now that takes so many seconds on a machine with time to spare."""
    return seconds * crowding()


def wait_until(predicate: Callable[[], T], *, timeout: float = 20.0, description: str, pause: float | None = None) -> T:
    """The first truthy value of ``predicate``; after ``timeout`` seconds an error that says what never was.

    It must last once it is true, as long as a look takes and some more: ``pause`` says how many seconds are between two
    looks where the test itself acts at each.
    """
    spent, share = 0.0, crowding()
    last = looked = time.monotonic()
    while True:
        asked = time.monotonic()
        value = predicate()
        if value:
            return value
        if spent > timeout:
            raise AssertionError(f"after {timeout:g} s still not: {description} (last value: {value!r})")
        rest = max(_PAUSE, min(_LONGEST, _REST * (time.monotonic() - asked)))
        time.sleep(rest if pause is None else pause)
        now = time.monotonic()
        if now - looked > _LOOK:
            share, looked = crowding(), now
        spent, last = spent + (now - last) / share, now
