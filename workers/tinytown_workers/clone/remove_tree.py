"""Deleting folders that somebody else filled: protected, very deep, very full, or full of links.

Links are removed, never followed, and what is mounted inside stays where it is. Whatever cannot be removed stays too,
and is named.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
from pathlib import Path

from tinytown.errors import StateError
from tinytown_workers.clone import mounts

#: Folders within folders that are gone into; deeper ones are moved up first, since descriptors are few.
DEPTH = 40
#: Things named of all that stay, and the end of their names that is shown.
NAMED = 3
NAME_LIMIT = 200

_MOUNTED = "something is mounted there"


class StaysError(StateError):
    """Some of a folder could not be removed; ``why`` names it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be removed: {why}", remedy="remove it by hand")
        self.why = why


def remove_folder(path: Path) -> None:
    """Delete a folder and all in it, or whatever else stands there, if anything does.

    Raises:
        StaysError: the system doesn't let us remove all of it.
    """
    mode = mode_of(path)
    if not mode:
        return
    # Most are empty: then that is all.
    with contextlib.suppress(OSError):
        if stat.S_ISDIR(mode):
            path.rmdir()
            return
    try:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StaysError(path, error.strerror or str(error)) from None
    remover = _Remover()
    try:
        gone = remover.remove(parent, path.name, folder=stat.S_ISDIR(mode))
    finally:
        os.close(parent)
    if not gone:
        raise StaysError(path, remover.why)


def remove_in(parent: int, name: str) -> None:
    """Delete whatever stands in an open folder by this name; what cannot go stays."""
    with contextlib.suppress(OSError):
        _Remover().remove(
            parent, name, folder=stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        )


class _Remover:
    """Removes one folder through descriptors that follow no link and cross no mount."""

    def __init__(self) -> None:
        #: Why something stays, by its path from the top; of very many only some.
        self._stays: dict[str, str] = {}
        self._top = -1

    @property
    def why(self) -> str:
        """What stays, in words."""
        shown = "; ".join(f"{place}: {why}" if place else why for place, why in list(self._stays.items())[:NAMED])
        return shown + (" and more" if len(self._stays) > NAMED else "")

    def remove(self, parent: int, name: str, *, folder: bool, shown: str = "", depth: int = 0) -> bool:
        """Remove what stands in a folder by this name; whether it is gone."""
        try:
            if folder:
                return self._remove_folder(parent, name, shown, depth)
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            return True
        except OSError as error:
            self._stay(shown, error)
            return False
        return True

    def _remove_folder(self, parent: int, name: str, shown: str, depth: int) -> bool:
        here = _open(parent, name)
        try:
            if depth == 0:
                self._top = here
            if depth > DEPTH:
                # Whoever is at the top comes by again.
                os.rename(name, f".{secrets.token_hex(8)}", src_dir_fd=parent, dst_dir_fd=self._top)
                return True
            while self._empty(here, shown, depth):
                pass
        finally:
            os.close(here)
        try:
            os.rmdir(name, dir_fd=parent)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return False
        return True

    def _empty(self, here: int, shown: str, depth: int) -> bool:
        """Remove what is in a folder; whether anything went, so that there may be more."""
        went = False
        with os.scandir(here) as entries:
            for entry in entries:
                folder = entry.is_dir(follow_symlinks=False)
                path = f"{shown}/{entry.name}" if shown else entry.name
                went |= self.remove(here, entry.name, folder=folder, shown=path, depth=depth + 1)
        return went

    def _stay(self, shown: str, error: OSError) -> None:
        mounted = error.errno in (errno.EXDEV, errno.EBUSY)
        if len(self._stays) <= NAMED:
            name = shown.encode(errors="surrogateescape").decode(errors="backslashreplace")
            self._stays[name[-NAME_LIMIT:]] = _MOUNTED if mounted else error.strerror or str(error)


def _open(parent: int, name: str) -> int:
    """Open a folder that is to go, and let its owner in."""
    try:
        here = mounts.enter(name, parent)
    except PermissionError:
        _let_in(parent, name)
        here = mounts.enter(name, parent)
    with contextlib.suppress(OSError):
        if os.fstat(here).st_mode & 0o700 != 0o700:
            os.fchmod(here, 0o700)
    return here


def _let_in(parent: int, name: str) -> None:
    """Change the mode of a folder that may not be opened, and of nothing that a link leads to."""
    if sys.platform != "linux":
        os.chmod(name, 0o700, dir_fd=parent, follow_symlinks=False)
        return
    handle = mounts.enter(name, parent, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.chmod(f"/proc/self/fd/{handle}", 0o700)  # noqa: PTH101 - a descriptor, by its name
    finally:
        os.close(handle)


def mode_of(path: Path) -> int:
    """Mode of what stands at a path, 0 if nothing does."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
