"""Taking things out of a folder that somebody else could write: through descriptors that follow no link."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from tinytown.errors import StateError
from tinytown_workers.clone.remove_tree import remove_folder

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def inside(folder: Path, path: str) -> Iterator[int]:
    """A descriptor of a folder within ``folder``; raises ``OSError`` where a part is no plain folder."""
    descriptor = os.open(folder, _FOLDER)
    try:
        for part in filter(None, path.split("/")):
            inner = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def remove(root: Path, path: str) -> None:
    """Delete what is at this path, without following a link on the way.

    Raises:
        StateError: it stays.
    """
    folder, _, name = path.rpartition("/")
    try:
        with inside(root, folder) as descriptor:
            # A setup may have protected it.
            os.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) | stat.S_IRWXU)
            if stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                remove_folder(root / path)
            else:
                os.unlink(name, dir_fd=descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno == errno.ELOOP:
            return  # Beyond a link, it is not at this path.
        raise StateError(f"{path} configures agents and cannot be taken away: {error.strerror}") from error


def without_configuration(stand_in: Path, place: Path, shown: Iterable[Path]) -> Path:
    """The stand-in for the CLI's own ``place``, after removing what an earlier run left of its configuration.

    ``shown`` are the user's own files that the CLI reads: a file of that name in a stand-in is not the user's.
    """
    for path in shown:
        if place in path.parents:
            remove(stand_in, str(path.relative_to(place)))
    return stand_in
