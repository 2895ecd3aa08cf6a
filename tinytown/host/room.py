"""Whether there is room on this machine's disks for another run: bytes and files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from tinytown.town import Town

#: A clone takes so many times the size of the mirror that it is made from: its objects, and the files of a commit.
CLONE = 2
#: Files that must be possible yet, where a file system has a limit of them.
FILES = 10_000
#: Seconds for which the size of the mirrors is taken for what it is.
_KNOWN_SECS = 60.0


class Room:
    """The disks that runs of a town need."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._clone = 0
        self._looked_at = -_KNOWN_SECS

    def shortage(self, disk_free: int) -> str:
        """What is missing, and where; empty if nothing is. ``disk_free``: bytes that must be free in any case."""
        return next((said for place in self._places() if (said := self.missing_at(place, disk_free))), "")

    def missing_at(self, folder: Path, disk_free: int) -> str:
        """What is missing on the disk of this folder; empty if nothing is."""
        place = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        try:
            found = os.statvfs(place)
        except OSError:
            return ""  # That it cannot be read is met, and told, where it is used.
        needed = max(disk_free, self._clone_size()) if folder == self._town.state else disk_free
        free = found.f_bavail * found.f_frsize
        if free < needed:
            return f"{_size(needed - free)} more must be free at {place}: {_size(free)} of {_size(needed)} are"
        if disk_free and found.f_files > 0 and found.f_favail < min(FILES, found.f_files):
            return f"{place} has room for {found.f_favail} more files, and {FILES} are needed"
        return ""

    def _places(self) -> Iterator[Path]:
        yield self._town.state
        if self._town.settings.redis.url is None:
            yield self._town.data

    def _clone_size(self) -> int:
        """Bytes that a clone of the largest repository takes, about."""
        if time.monotonic() - self._looked_at >= _KNOWN_SECS:
            self._looked_at = time.monotonic()
            self._clone = CLONE * max(map(_objects, self._town.mirrors.glob("*.git")), default=0)
        return self._clone


def _objects(mirror: Path) -> int:
    """Bytes of a mirror's packs; what is loose is little, and packed soon."""
    total = 0
    for pack in (mirror / "objects" / "pack").glob("*.pack"):
        try:
            total += pack.stat().st_size
        except OSError:
            continue  # It was packed anew a moment ago.
    return total


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 // 10 else f"{count / 2**20:.1f} MiB"
