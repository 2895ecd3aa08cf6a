"""Waiting for a condition: with a deadline, and with words for what never came true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], *, timeout: float = 20.0, description: str, pause: float = 0.02) -> T:
    """The first truthy value of ``predicate``; after ``timeout`` seconds an error that says what never was."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout:g} s still not: {description} (last value: {value!r})")
        time.sleep(pause)
