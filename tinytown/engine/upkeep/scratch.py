"""A folder for what is needed for a moment only, on the disk of the town's work; none outlives its process for long."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tinytown import files
from tinytown.town import Town

_FOLDER = "scratch"
_LOCK = "lock"


@contextlib.contextmanager
def folder(town: Town) -> Iterator[Path]:
    """An empty folder inside of the ``with`` block; those of processes that died are removed.

    Raises:
        StateError: it cannot be made.
        DiskFullError: no room.
    """
    root = files.private_folder(files.private_folder(town.state) / _FOLDER)
    with files.locked(root / _LOCK, timeout=20, what="tidying up"):
        for old in root.glob("*/"):
            if not files.is_locked(old / _LOCK):
                shutil.rmtree(old, ignore_errors=True)
        try:
            made = Path(tempfile.mkdtemp(dir=root))
            held = files.try_lock(made / _LOCK)
        except OSError as error:
            raise files.write_error(root, error) from None
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if held is not None:
            os.close(held)
