"""Limits that the kernel enforces for each process or user, set inside, where nobody can raise them again."""

from __future__ import annotations

import contextlib
import os
import resource

from tinytown_workers.limits import cgroups
from tinytown_workers.limits.quota import Limits
from tinytown_workers.sandbox.identity import Identity, program

#: The first Linux that counts processes by their user namespace, so that a sandbox has a count of its own.
COUNTED_APART = (5, 14)
#: Files that a worker has open at most: two for each connection of its agents' networks, besides its own.
OPEN_FILES = 65536
#: The limit that this process began with, and that its agents get.
_began = resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def make_room() -> None:
    """Let this process have as many open files as its user may, so that agents' connections do not use them up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(OPEN_FILES, hard) if hard != resource.RLIM_INFINITY else OPEN_FILES
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def open_files(limits: Limits) -> tuple[int, int] | None:
    """The soft and the hard limit of open files of a run; ``None`` for no limit of ours."""
    if not limits.open_files:
        return None
    soft, hard = _began, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = min([limits.open_files, *([hard] if hard != resource.RLIM_INFINITY else [])])
    return min([most, *([soft] if soft != resource.RLIM_INFINITY else [])]), most


def command(limits: Limits, identity: Identity | None) -> list[str]:
    """The beginning of a command that sets them; empty if there is nothing to set, or no program to set it."""
    options = []
    if files := open_files(limits):
        options.append(f"--nofile={files[0]}:{files[1]}")
    # A control group counts them for the run alone.
    if limits.processes and cgroups.PROCESSES not in cgroups.parents():
        options.append(f"--nproc={limits.processes + _others(identity)}")
    prlimit = program("prlimit")
    return [prlimit, *options, "--"] if options and prlimit else []


def _others(identity: Identity | None) -> int:
    """How many processes of the same user the kernel counts with those of a run."""
    if identity is not None:
        return cgroups.tasks_of(identity.uid)
    release = os.uname().release.split(".")
    numbers = [int(word) if word.isdigit() else 0 for word in release[:2]]
    return 0 if tuple(numbers) >= COUNTED_APART else cgroups.tasks_of(os.getuid())
