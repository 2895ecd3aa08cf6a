"""Processes of a run that have no guard any more, found by the marker in their environment.

For what a dead guard leaves, for the sweeper, and for systems where a guard cannot adopt orphans.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import psutil

from tinytown import contract


def marked(town: Path) -> dict[str, list[int]]:
    """Living processes of this user by the run whose marker they bear, for one town alone."""
    found: dict[str, list[int]] = {}
    for process, environment in _environments():
        run = environment.get(contract.ENV_RUN)
        if run and environment.get(contract.ENV_TOWN) == str(town):
            found.setdefault(run, []).append(process.pid)
    return found


def attempt_of(marker: str) -> str:
    """The attempt whose run bears the marker, or one that it has beside that of its agent: ``…/3+run1``."""
    place, slash, number = marker.rpartition("/")
    return f"{place}{slash}{number.partition('+')[0]}"


def kill_marked(marker: str, town: str | None, *, timeout: float = 5.0) -> int:
    """Kill every process of this user that bears the run's marker, and all below them; gives how many there were.

    ``town`` is the town's mark in the run's environment: another town's run of the same name is left alone.
    """
    killed: set[int] = set()
    until = time.monotonic() + timeout
    pause = 0.005
    while True:
        tree: dict[int, psutil.Process] = {}
        for process, environment in _environments():
            if environment.get(contract.ENV_RUN) == marker and environment.get(contract.ENV_TOWN) == town:
                tree[process.pid] = process
                with contextlib.suppress(psutil.Error):
                    tree.update((child.pid, child) for child in process.children(recursive=True))
        for process in tree.values():
            with contextlib.suppress(psutil.Error):
                process.kill()
        killed |= tree.keys()
        if not tree or time.monotonic() > until:
            return len(killed)
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def _environments() -> list[tuple[psutil.Process, dict[str, str]]]:
    found = []
    mine, me = os.getuid(), os.getpid()
    for process in psutil.process_iter():
        try:
            # What root starts may be another user's.
            if process.pid != me and mine in (0, process.uids().real) and process.status() != psutil.STATUS_ZOMBIE:
                found.append((process, process.environ()))
        except (psutil.Error, OSError):
            continue
    return found
