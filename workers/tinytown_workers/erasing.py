"""Deleting folders that somebody else filled: protected, very deep, or full of links.

Links are removed, never followed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from tinytown.errors import StateError


def erase_folder(path: Path) -> None:
    """Delete a folder and all in it, if it is there.

    Raises:
        StateError: the system doesn't let us.
    """
    mode = mode_of(path)
    if not mode:
        return
    if not stat.S_ISDIR(mode):
        path.unlink()
        return
    _unlock(path)
    with contextlib.suppress(RecursionError, OSError):
        shutil.rmtree(path)
    try:
        _erase_deep(path)
    except OSError as error:
        raise StateError(f"{path} cannot be removed: {error.strerror}", remedy="remove it by hand") from None


def _unlock(root: Path) -> None:
    """Let the owner into every folder; links are not followed."""
    pending = [str(root)]
    while pending:
        folder = pending.pop()
        with contextlib.suppress(OSError):
            if os.lstat(folder).st_mode & 0o700 != 0o700:
                os.chmod(folder, 0o700)  # noqa: PTH101
            with os.scandir(folder) as entries:
                pending += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def _erase_deep(root: Path) -> None:
    """Delete a tree too deep for recursion or for a path: deep folders are moved up one at a time."""
    while mode_of(root):
        children = list(root.iterdir())
        for child in children:
            if not stat.S_ISDIR(mode_of(child)):
                child.unlink()
                continue
            for inner in list(child.iterdir()):
                if stat.S_ISDIR(mode_of(inner)):
                    # A folder may take the place of an empty one.
                    inner.rename(tempfile.mkdtemp(dir=root))
                else:
                    inner.unlink()
            child.rmdir()
        if not children:
            root.rmdir()


def mode_of(path: Path) -> int:
    """Mode of what stands at a path, 0 if nothing does."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
