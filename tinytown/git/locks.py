"""Locks of git that outlived the command that took them: one that was killed, or a machine that lost its power.

Git removes none of them by itself: every later command that wants the same lock fails, for ever.
"""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

import psutil

_HELD = re.compile(r"Unable to create '(/[^'\n]*\.lock)': File exists")


def clear(git_dir: Path) -> None:
    """Remove all locks of a repository that no command works on."""
    for lock in (*git_dir.glob("*.lock"), *(git_dir / "refs").rglob("*.lock")):
        lock.unlink(missing_ok=True)


def clear_ref(git_dir: Path, ref: str) -> None:
    """Remove the locks of a ref, and of those below it, that no command changes."""
    lock = git_dir / f"{ref}.lock"
    for one in (lock, *(git_dir / ref).rglob("*.lock")):
        one.unlink(missing_ok=True)


def remove_stale(said: str, *, age: float) -> bool:
    """Whether a command failed, by what it said, for a lock that nobody can hold any more; removes that.

    Nobody does if it is older than ``age`` seconds, in which every command has ended, or than the running system.
    """
    found = _HELD.search(said)
    if found is None:
        return False
    lock = Path(found[1])
    with contextlib.suppress(OSError):
        made = lock.stat().st_mtime
        if made < max(psutil.boot_time(), time.time() - age):
            lock.unlink(missing_ok=True)
            return True
    return False
