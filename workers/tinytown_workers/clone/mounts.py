"""Where another file system begins inside a folder, so that nothing of ours crosses into it.

A folder of the same disk that is mounted a second time (a bind mount) has the same device as what is around it, so the
device alone tells nothing: the kernel is asked not to cross a mount, or which mount a descriptor belongs to.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

#: Flags to open a folder: no link to one, and without blocking.
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

#: The system call `openat2` has this number on every architecture.
_OPENAT2 = 437
_NO_CROSSING = 0x01
_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(rb"\\([0-7]{3})")
_MOUNT_ID = re.compile(r"^mnt_id:\s*(\d+)", re.MULTILINE)


def enter(name: str, parent: int, flags: int = FOLDER) -> int:
    """Open what is in the folder ``parent``, a descriptor: a folder, unless ``flags`` say otherwise.

    Raises:
        OSError: with ``EXDEV``, where another file system is mounted there; or it is no folder, or may not be opened.
    """
    if _Kernel.asks:
        found = _Kernel.open(name, parent, flags)
        if found is not None:
            return found
    descriptor = os.open(name, flags, dir_fd=parent)
    if _place(descriptor) != _place(parent):
        os.close(descriptor)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
    return descriptor


def is_folder(root: Path, parts: Iterable[str] = ()) -> bool:
    """Whether ``root`` and each of the ``parts``, one within the other, are folders: no links, and nothing mounted."""
    try:
        here = os.open(root.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        for part in (root.name, *parts):
            inner = enter(part, here)
            os.close(here)
            here = inner
    except OSError:
        return False
    finally:
        os.close(here)
    return True


def below(root: Path) -> tuple[str, ...]:
    """What is mounted anywhere in ``root``, folders and files, by their paths from there.

    A system without a list of its mounts cannot mount a folder of the same device a second time.
    """
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return ()
    top = os.fsencode(os.path.realpath(root)).rstrip(b"/") + b"/"
    if not any(top.rstrip(b"/") in line or b"\\" in line for line in lines):
        return ()
    places = (_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), line.split(b" ")[4]) for line in lines)
    return tuple(sorted({os.fsdecode(place[len(top) :]) for place in places if place.startswith(top)}))


class _Kernel:
    """The system call that does not cross mounts, if the system has it."""

    asks = sys.platform == "linux"
    _libc = ctypes.CDLL(None, use_errno=True) if asks else None

    @classmethod
    def open(cls, name: str, parent: int, flags: int) -> int | None:
        """A descriptor; ``None`` where the system lacks the call, or a container forbids it."""
        assert cls._libc is not None
        how = (ctypes.c_uint64 * 3)(flags, 0, _NO_CROSSING)
        found = int(cls._libc.syscall(_OPENAT2, parent, os.fsencode(name), how, ctypes.sizeof(how)))
        if found >= 0:
            return found
        code = ctypes.get_errno()
        if code in (errno.ENOSYS, errno.EPERM):
            cls.asks = False
            return None
        raise OSError(code, os.strerror(code), name)


def _place(descriptor: int) -> str:
    """The mount that something open belongs to, or its device where the system does not tell."""
    try:
        said = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii")
    except OSError:
        said = ""
    found = _MOUNT_ID.search(said)
    # Not both: in a layered file system a file can have another device than its folder.
    return found[0] if found else f"device {os.fstat(descriptor).st_dev}"
