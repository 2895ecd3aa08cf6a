"""What a check finds, and how checks run: side by side, each within its time, none able to stop the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from tinytown.errors import TinytownError

Status = Literal["ok", "warn", "fail"]

#: Seconds that one check may take.
DEADLINE = 10.0


@dataclass(frozen=True)
class Finding:
    """What one check found: ``ok``, ``warn`` (it works, with less) or ``fail`` (it does not)."""

    name: str
    status: Status
    detail: str
    remedy: str = ""
    #: The other host of the town that it is about; empty for this one.
    host: str = ""


@dataclass(frozen=True)
class Check:
    """One part of the examination. ``name`` labels the finding if it takes too long or crashes."""

    name: str
    find: Callable[[], Iterable[Finding]]


def carry_out(checks: Iterable[Check], *, deadline: float = DEADLINE) -> Iterator[Finding]:
    """All checks at once; their findings in the order of the checks."""
    until = time.monotonic() + deadline
    begun = [(check, *_begin(check)) for check in checks]
    for check, thread, found in begun:
        thread.join(max(0.0, until - time.monotonic()))
        late = thread.is_alive()
        yield from list(found)
        if late:
            yield Finding(check.name, "warn", f"unknown: no answer within {deadline:g} s", "try again later")


def _begin(check: Check) -> tuple[threading.Thread, list[Finding]]:
    found: list[Finding] = []

    def find() -> None:
        try:
            for finding in check.find():
                found.append(finding)  # noqa: PERF402 - what is known counts, should the rest come too late
        except TinytownError as error:
            found.append(Finding(check.name, "fail", error.message, error.remedy))
        except Exception as error:  # noqa: BLE001 - a surprise here must not hide what the others find
            said = f"it could not be checked: {type(error).__name__}: {error}"
            found.append(Finding(check.name, "fail", said, "see `tt status`"))

    # A daemon: one that hangs must not keep the command from ending.
    thread = threading.Thread(target=find, name=f"doctor {check.name}", daemon=True)
    thread.start()
    return thread, found


def ago(seconds: float) -> str:
    """A span of time for people."""
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
