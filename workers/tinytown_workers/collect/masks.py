"""What was put into a clone in place of configuration that agents left; see ``agent_configuration``."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from tinytown import files
from tinytown_workers.clone.clone import Foreign
from tinytown_workers.collect.content_policy import Sorted

#: File in the ledger: the state of each such file by its path.
FILE = "masks.json"
#: What is read at a time.
_CHUNK = 64 * 1024


def state_of(folder: Foreign, path: str) -> str:
    """The state of what is at this path, to be compared later; empty if there is nothing."""
    if (target := folder.link(path)) is not None:
        return f"link {target}"
    try:
        with folder.reading(path) as file:
            seen = hashlib.sha256()
            while chunk := file.read(_CHUNK):
                seen.update(chunk)
            return f"file {seen.hexdigest()}"
    except OSError:
        return "other" if folder.exists(path) else ""


def leave_out(root: Path, ledger: Path, changes: Sorted) -> Collection[str]:
    """Remove from ``changes`` the files that are still as they were put there: the branch keeps its own versions.

    Gives all files in place of which something was put.
    """
    put = files.read_json(ledger / FILE)
    if not put:
        return ()
    with Foreign(root) as folder:
        same = {path for path in {*changes.add, *changes.remove} & put.keys() if state_of(folder, path) == put[path]}
    changes.add = [path for path in changes.add if path not in same]
    changes.remove = [path for path in changes.remove if path not in same]
    return put.keys()
