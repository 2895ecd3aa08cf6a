"""Limits of a run: ``[sandbox] memory``, ``processes``, ``disk``, ``open_files``; 0 is none.

The guard limits memory and processes, by a control group if there is one. The disk is watched here.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tinytown.missions.states import Outcome

#: Seconds between two looks at how much is free, and at most between two counts of all that a run has written.
LOOK_SECS, COUNT_SECS = 1.0, 60.0
#: A count takes at most this part of the time.
SHARE = 0.05

#: Outcomes of runs that reached a limit.
REACHED: dict[str, tuple[Outcome, str]] = {
    "memory": (Outcome.OVER_LIMIT, "used more memory than `[sandbox] memory` allows"),
    "processes": (Outcome.OVER_LIMIT, "started more processes than `[sandbox] processes` allows"),
    "disk": (Outcome.OVER_LIMIT, "wrote more than `[sandbox] disk` allows"),
}


@dataclass(frozen=True)
class Limits:
    """What a run may use; 0 is no limit."""

    #: Bytes of memory of all its processes.
    memory: int = 0
    #: Threads of all its processes.
    processes: int = 0
    #: Bytes in ``folders``.
    disk: int = 0
    #: Files that one process may have open.
    open_files: int = 0
    folders: Sequence[Path] = ()


class Disk:
    """Whether a run has written more than it may. Counting is for a thread of its own: it may take long."""

    def __init__(self, limits: Limits, began: float) -> None:
        self._limits = limits
        # In its first moment a run has written nothing that matters, and many are over then.
        self._look_at = began + LOOK_SECS
        self._count_at = 0.0
        self._counted_free = 0
        self._counting: threading.Thread | None = None
        self._over = False
        #: The first process of the run: it and its children may have files open that were deleted.
        self.pid: int | None = None

    def reached(self, now: float) -> bool:
        """Whether the last count was over the limit; begins another count when there is reason to."""
        if now >= self._look_at and not (self._counting and self._counting.is_alive()):
            self._look_at = now + LOOK_SECS
            free = self._free()
            # Little can have been written if as much is free as before; unless others have freed some meanwhile.
            self._counted_free = max(self._counted_free, free) if self._counted_free else 0
            written = self._counted_free - free > self._limits.disk // 20
            if now >= self._count_at and (written or now >= self._count_at + COUNT_SECS or not self._counted_free):
                self._counted_free = free
                self._counting = threading.Thread(target=self._count, args=(now,), name="disk", daemon=True)
                self._counting.start()
        return self._over

    def _count(self, began: float) -> None:
        start = os.times().elapsed
        held = deleted(self.pid, self._limits.folders) if self.pid is not None else 0
        self._over = any_over(self._limits.folders, self._limits.disk, held)
        self._count_at = began + (os.times().elapsed - start) / SHARE

    def _free(self) -> int:
        try:
            found = os.statvfs(self._limits.folders[0])
        except (OSError, IndexError):
            return 0
        return found.f_bavail * found.f_frsize


def any_over(folders: Sequence[Path], limit: int, total: int = 0) -> bool:
    """Whether all that is in these folders, with ``total`` elsewhere, takes more than ``limit`` bytes of their disk.

    Links are not followed.
    """
    pending = [os.fspath(folder) for folder in folders]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    total += found.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:
            continue  # It went away, or is closed.
        if total > limit:
            return True
    return total > limit


def deleted(pid: int, folders: Sequence[Path]) -> int:
    """Bytes of deleted files on the disks of ``folders`` that a process or one below it still has open.

    Linux only: elsewhere 0. In a sandbox all that it starts stays below it, whatever becomes of its parents.
    """
    disks = set()
    for folder in folders:
        with contextlib.suppress(OSError):
            disks.add(folder.stat().st_dev)
    found: dict[tuple[int, int], int] = {}
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            for place in ("fd", "map_files"):
                # It ended, or is not ours to look into.
                with contextlib.suppress(OSError), os.scandir(f"/proc/{one.pid}/{place}") as entries:
                    for entry in entries:
                        with contextlib.suppress(OSError):
                            about = entry.stat()
                            if stat.S_ISREG(about.st_mode) and not about.st_nlink and about.st_dev in disks:
                                found[about.st_dev, about.st_ino] = about.st_blocks * 512
    return sum(found.values())
