"""Which code a process runs: whether what is installed is still what the process was started from.

An update in place (`git pull` under an editable install, `pip install -U`) changes files under running processes. What
they have loaded stays old, what they load later is new, and the two may not fit together.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

#: The packages of one installation.
PACKAGES = ("tinytown", "tinytown_workers", "tinytown_beat")
_SUFFIXES = (".py", ".lua")


def now() -> str:
    """A mark of all code as it is installed at this moment: names, sizes and times, not contents."""
    found = hashlib.sha256()
    for folder in _folders():
        for path in sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES):
            try:
                about = path.stat()
            except OSError:
                continue  # Just now it is being replaced.
            found.update(f"{path} {about.st_size} {about.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return found.hexdigest()


def _folders() -> list[Path]:
    specs = (importlib.util.find_spec(name) for name in PACKAGES)
    return [Path(place) for spec in specs if spec is not None for place in spec.submodule_search_locations or ()]


#: What this process was started from.
STARTED = now()


def replaced() -> bool:
    """Whether the code on the disk is no longer what this process was started from."""
    return now() != STARTED
