"""The lock by which one process at a time owns the folders of an attempt on this machine.

Whoever runs an attempt holds a lock, which ends with its process however that dies. Nobody else touches the
attempt's folders meanwhile: not the sweeper, and not the next attempt, which may begin while this one winds down.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tinytown import files
from tinytown_workers.workspace import workspace

#: Seconds between two looks at a lock that somebody else holds.
_PAUSE = 0.05


def is_held(folder: Path) -> bool:
    """Whether a living process holds an attempt's ``folder`` now."""
    return files.is_locked(_lock_of(folder))


@contextlib.contextmanager
def held(folder: Path, *, timeout: float = 0.0) -> Iterator[bool]:
    """Hold an attempt's ``folder`` while the block runs; ``False`` if another has held it all ``timeout`` seconds."""
    path = _lock_of(folder)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    while (descriptor := _take(path)) is None and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    if descriptor is None:
        yield False
        return
    try:
        yield True
    finally:
        if not workspace.exists(folder):
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _take(path: Path) -> int | None:
    """The lock; ``None`` if another holds it, or has just released it and removed the file."""
    descriptor = files.try_lock(path)
    if descriptor is None:
        return None
    try:
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except FileNotFoundError:
        pass
    os.close(descriptor)
    return None
