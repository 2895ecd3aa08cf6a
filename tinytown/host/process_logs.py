"""The logs of a town's processes: each is kept at a length that a disk has room for."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

log = logging.getLogger("tinytown.supervisor")

#: A log that has grown past this is moved to ``NAME.log.1``.
LOG_LIMIT = 16 * 1024 * 1024


def rotate(path: Path) -> None:
    """Move a log that has grown too long to ``NAME.log.1``; processes that write it go on in the new file."""
    try:
        if path.stat().st_size > LOG_LIMIT:
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
            os.truncate(path, 0)  # all writers append, so they go on at the new end
    except FileNotFoundError:
        return
    except OSError as error:
        log.error("%s cannot be shortened: %s", path, error)
