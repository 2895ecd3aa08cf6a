"""One word that names a worker's process across machines, containers and restarts.

A pid means something only within one pid namespace and between two boots. So the word names these too, and only a
process that shares them can tell that the worker ended. For all others the worker's lease runs out, later.
"""

from __future__ import annotations

import functools
import os
import socket
from pathlib import Path

from tinytown import processes

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


def me() -> str:
    """The word for this process."""
    return _of(os.getpid())


@functools.lru_cache(maxsize=1)
def _of(pid: int) -> str:
    """The word for the living process ``pid``; after a fork that is another one."""
    return f"{_place()}/{pid}/{processes.start_time(pid)}"


def ended(worker: str | None) -> bool:
    """Whether the process with this word is known to have ended; of another machine's process that is never known."""
    place, _, process = (worker or "").partition("/")
    if place != _place():
        return False
    pid, _, created = process.partition("/")
    try:
        return not processes.alive(int(pid), float(created))
    except ValueError:
        return False


@functools.cache
def _place() -> str:
    try:
        return f"{_BOOT.read_text().strip()}:{_NAMESPACE.stat().st_ino}"
    except OSError:
        return socket.gethostname().replace("/", "")
