"""Who uses the objects of the mirrors on this machine: attempts, side by side; or whoever removes some, alone.

What an attempt brings in may be in a mirror already though no ref reaches it, and is not copied then. So no object goes
while an attempt holds this, and none begins while objects go.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tinytown import files
from tinytown.errors import UnreachableError

#: Seconds that an attempt waits for the removal of objects, and between two tries.
WAIT = 3600.0
_PAUSE = 0.1


@contextlib.contextmanager
def used(mirrors: Path) -> Iterator[None]:
    """Use the mirrors in this folder.

    Raises:
        UnreachableError: somebody has been removing objects for too long.
    """
    deadline = time.monotonic() + WAIT
    while (descriptor := _lock(mirrors, shared=True)) is None:
        if time.monotonic() > deadline:
            raise UnreachableError("the mirrors are being cleaned up", remedy="try again later")
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def alone(mirrors: Path) -> Iterator[bool]:
    """Be the only one who uses them; ``False`` where somebody does."""
    descriptor = _lock(mirrors, shared=False)
    if descriptor is None:
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def _lock(mirrors: Path, *, shared: bool) -> int | None:
    mirrors.mkdir(mode=0o700, parents=True, exist_ok=True)
    return files.try_lock(mirrors / ".use.lock", shared=shared)
