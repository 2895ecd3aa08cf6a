"""A clone that was set up, as it was before any check ran in it: each further check begins with that.

A check runs the code of the change. Whatever it leaves (a rewritten test, a program on the ``PATH``, a file in its home
or in its temporary folder) must not be there for the next one. All checks run at the same path, since programs write
that into what they install.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from tinytown.attempt_paths import scratch_folders
from tinytown_workers.clone.copy_tree import copy_folder
from tinytown_workers.clone.remove_tree import remove_folder

log = logging.getLogger(__name__)

#: A copied file has another inode and change time than git noted, but the same content, size and time.
_SAME_STAT = "\n[core]\n\tcheckStat = minimal\n\ttrustctime = false\n"


class Pristine:
    """The clone ``folder`` with the folders beside it; ``whole`` says whether it could be copied."""

    def __init__(self, folder: Path) -> None:
        self._kept = {path: path.with_name(f"{path.name}.kept") for path in (folder, *scratch_folders(folder))}
        self.whole = True
        for kept in self._kept.values():
            remove_folder(kept)
        try:
            for path, kept in self._kept.items():
                if path.is_dir() and not path.is_symlink():
                    copy_folder(path, kept)
            _forgive(self._kept[folder] / ".git/config")
        except (OSError, RecursionError) as error:
            # An unreadable file, folders too deep, or no room: then the clone is made anew each time.
            log.warning("%s cannot be copied, so it is made anew for each check: %s", folder, error)
            self.whole = False
            self.remove()

    def renew(self, *, last: bool) -> None:
        """Put everything back as it was; the ``last`` time without keeping a copy.

        Raises:
            OSError: it cannot be copied any more.
        """
        for path, kept in self._kept.items():
            remove_folder(path)
            if not kept.exists():
                continue
            if last:
                kept.rename(path)
            else:
                copy_folder(kept, path)

    def remove(self) -> None:
        """Delete the copy."""
        for kept in self._kept.values():
            remove_folder(kept)


def _forgive(config: Path) -> None:
    """Have git take the copied files for the ones in its index."""
    # A setup may have put something else there.
    with contextlib.suppress(OSError):
        descriptor = os.open(config, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(_SAME_STAT)
