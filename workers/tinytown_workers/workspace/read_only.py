"""A clone that is read and in which nothing is started: that of a review."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


def make_inert(clone: Path) -> None:
    """Leave no file of a fresh clone executable, in a way that git does not take for a change.

    Nobody else may be at it yet: links are not followed, but folders are entered by their names.
    """
    with (clone / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write("[core]\n\tfilemode = false\n")
    for folder, folders, names in os.walk(clone):
        if Path(folder) == clone:
            folders.remove(".git")
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 - there may be very many
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode) and mode & _EXECUTABLE:
                os.chmod(path, stat.S_IMODE(mode) & ~_EXECUTABLE)  # noqa: PTH101 - see above
