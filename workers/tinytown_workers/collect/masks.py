"""What stands in a clone in the place of an agent's configuration, as it was put there: see ``agent_configuration``."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from tinytown import files
from tinytown_workers.clone.clone import Foreign
from tinytown_workers.collect.content_policy import Sorted

#: In the ledger: the state of each file by its path.
FILE = "masks.json"
#: What is read at a time.
_CHUNK = 64 * 1024


def state_of(folder: Foreign, path: str) -> str:
    """What stands there, as far as it can be told from something else; empty if nothing does."""
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
    """Take from ``changes`` what stands as it was put there: it is nobody's change, and the branch keeps its own.

    Gives all files that something was put in the place of.
    """
    put = files.read_json(ledger / FILE)
    if not put:
        return ()
    with Foreign(root) as folder:
        same = {path for path in {*changes.add, *changes.remove} & put.keys() if state_of(folder, path) == put[path]}
    changes.add = [path for path in changes.add if path not in same]
    changes.remove = [path for path in changes.remove if path not in same]
    return put.keys()
