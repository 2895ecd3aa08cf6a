"""Whether this kernel keeps the programs of a run out of the memory of the run's first process."""

from __future__ import annotations

import ctypes
from pathlib import Path

#: The system call that makes a set of rules, or says which version there is; the same on every architecture.
CREATE = 444
#: The first version that knows of moving files between folders.
VERSION = 2
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")


def memory_is_open() -> bool:
    """Whether what a reviewer's CLI starts can write into its memory by ``/proc``.

    Landlock forbids it for good; without Landlock, Yama may allow a process only the memory of its own children.
    """
    if ctypes.CDLL(None).syscall(CREATE, None, ctypes.c_size_t(0), 1) >= VERSION:
        return False
    try:
        return int(_YAMA.read_text(encoding="ascii")) < 1
    except (OSError, ValueError):
        return True
