"""Which code a process runs: whether what is installed is still what the process was started from.

An update in place (`git pull` under an editable install, `pip install -U`) changes files under running processes. What
they have loaded stays old, what they load later is new, and the two may not fit together.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

#: The packages of one installation.
PACKAGES = ("tinytown", "tinytown_workers", "tinytown_beat")
_SUFFIXES = (".py", ".lua")


def now() -> str:
    """A mark of all code as it is installed at this moment: names, sizes and times, not contents."""
    found = hashlib.sha256()
    for folder in _folders(PACKAGES):
        for line in _files(folder):
            found.update(line.encode(errors="surrogateescape"))
    return found.hexdigest()


def _files(folder: str) -> Iterator[str]:
    pending = [folder]
    while pending:
        # What is gone is just being replaced.
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.endswith(_SUFFIXES):
                    about = entry.stat()
                    yield f"{entry.path} {about.st_size} {about.st_mtime_ns}\n"
                elif entry.name != "__pycache__" and entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)


@functools.cache
def _folders(packages: tuple[str, ...]) -> list[str]:
    specs = (importlib.util.find_spec(name) for name in packages)
    return [place for spec in specs if spec is not None for place in spec.submodule_search_locations or ()]


#: What this process was started from.
STARTED = now()


@dataclass
class _Look:
    """What was seen last, and when."""

    at: float = -math.inf
    replaced: bool = False


_last = _Look()


def replaced(*, within: float = 0.0) -> bool:
    """Whether the code on the disk is no longer what this process was started from.

    ``within``: what was seen so many seconds ago will do. To look at every file takes milliseconds.
    """
    if time.monotonic() - _last.at >= within:
        _last.replaced = now() != STARTED
        _last.at = time.monotonic()
    return _last.replaced
