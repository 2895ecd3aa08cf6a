"""Files of a person's checkout that every clone gets: `[workspace] copy`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

#: Largest file that is copied, in bytes.
LIMIT = 16 << 20


def remarks(checkout: Path, names: Iterable[str]) -> Iterator[str]:
    """A sentence for each of these files that cannot be copied into clones."""
    for name in names:
        if why := missing(checkout, name):
            yield f"`[workspace] copy` leaves {name} out: {why}"


def missing(checkout: Path, name: str) -> str:
    """Why a file of the checkout cannot be copied; empty if it can."""
    try:
        found = (checkout / name).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return "it is not in your checkout"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if stat.S_ISDIR(found.st_mode):
        return "it is a folder; name its files, or make it by `setup`"
    if not real_parents(checkout, name) or not stat.S_ISREG(found.st_mode):
        return "it is not a plain file of your checkout"
    if found.st_size > LIMIT:
        return f"it is larger than {LIMIT >> 20} MB"
    return "" if os.access(checkout / name, os.R_OK) else "it may not be read"


def real_parents(folder: Path, name: str) -> bool:
    """Whether the folders from ``folder`` down to ``name`` are real, and none is a link; missing ones pass."""
    place = folder
    for part in name.split("/")[:-1]:
        place /= part
        try:
            mode = place.lstat().st_mode
        except OSError:
            continue
        if not stat.S_ISDIR(mode):
            return False
    return True
