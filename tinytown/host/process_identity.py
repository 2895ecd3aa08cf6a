"""Which process a worker is, in a word that holds across machines, containers and restarts.

A pid says something only where it was given: in one pid namespace, between two boots. So what a worker leaves on
record names these too, and only one that shares them can tell that it ended. Elsewhere its lease tells, later.
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
    """This process."""
    pid = os.getpid()
    return f"{_place()}/{pid}/{processes.start_time(pid)}"


def ended(worker: str | None) -> bool:
    """Whether a process that called itself so is known to have ended; nobody knows that of another machine's."""
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
