"""How a workspace ends: removed once its work is in the mirror, or set aside if it cannot be brought in."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from pathlib import Path
from typing import Any

from tinytown import files, set_aside
from tinytown.errors import DiskFullError, StateError, TinytownError
from tinytown.git.repository import Git, GitLimitError
from tinytown.processes import ProgramTimeoutError
from tinytown_workers.clone.remove_tree import StaysError, mode_of, remove_folder
from tinytown_workers.limits.isolated import LimitReachedError

log = logging.getLogger(__name__)

#: Seconds (a week) that a folder stays if only files are left in it that no repository takes, for somebody to fetch.
LEFT_SECS = 7 * 24 * 3600.0
#: File in the ledger: what is known of the folder.
RECORD = "tinytown.json"
#: Times that the work in one folder is to be brought in before it is set aside.
TRIES = 3


def ledger_of(folder: Path) -> Path:
    """Tinytown's own git directory for a folder, whether it is there or not."""
    return folder.with_name(f".{folder.name}.git")


def read_record(folder: Path) -> dict[str, Any]:
    """What is known of a folder; empty for none of ours."""
    return files.read_json(ledger_of(folder) / RECORD) or {}


def write_record(ledger: Path, record: dict[str, Any]) -> None:
    """Note what is known of a folder."""
    # Not forced to the disk: after a power cut the clone is no better than its record.
    temporary = ledger / f"{RECORD}.new"
    temporary.write_text(json.dumps(record), encoding="utf-8")
    temporary.replace(ledger / RECORD)


def waits(folder: Path) -> bool:
    """Whether all of a workspace is in the mirror except files that no repository takes, which somebody may want."""
    kept = read_record(folder).get("kept") or {}
    return bool(kept.get("left")) and time.time() < float(kept.get("at", 0)) + LEFT_SECS


def remove(folder: Path, *, force: bool = False) -> None:
    """Delete a workspace whose content is proven to be in the mirror, or was never to be kept.

    What was refused, e.g. files that are too large, is given up a week after it was left, or at once with ``force``.
    A folder that is gone already is fine.

    Raises:
        StateError: something in it is nowhere else.
    """
    record = files.read_json(ledger_of(folder) / RECORD)
    if record is None:
        if mode_of(folder):
            raise StateError(f"{folder} is not a workspace of tinytown", remedy="check it, then remove it by hand")
        discard(folder)
        return
    if record.get("ready") and not record.get("disposable") and mode_of(folder):
        kept = record.get("kept")
        if not kept:
            raise StateError(f"the work in {folder} was not collected", remedy="salvage it first")
        if kept["head"] and Git.own(Path(record["mirror"])).commit(kept["head"]) is None:
            raise StateError(f"the work in {folder} is not in the mirror", remedy="salvage it first")
        if waits(folder) and not force:
            raise StateError(
                f"{folder} holds what no repository takes: {kept['left'][0]}",
                remedy=f"fetch what you need of it; it goes {LEFT_SECS / 86400:g} days after it was left",
            )
    discard(folder)


def discard(folder: Path) -> None:
    """Delete a folder and its ledger without asking, for folders whose content is not to be kept.

    What the system does not let us delete is set aside. Whoever dies in the middle leaves a folder with fewer files,
    and nobody may take that for work: so it is noted first that there is none any more.
    """
    if (record := read_record(folder)).get("ready"):
        with contextlib.suppress(OSError):  # E.g. of a full disk, to which this is about to give room.
            write_record(ledger_of(folder), {**record, "ready": False})
    whys = []
    for path in (folder, ledger_of(folder)):
        try:
            remove_folder(path)
        except StaysError as error:
            whys.append(error.why)
    if whys and not set_aside.is_aside(folder):
        _set_aside(folder, f"it could not be removed ({'; '.join(whys)})")


def give_up(folder: Path, error: TinytownError) -> Path | None:
    """The work in a folder could not be taken; gives where it lies from now on if it is not tried again.

    What ran into a limit would do so for ever; anything else is tried a few times.
    """
    if isinstance(error, DiskFullError) or not (ledger_of(folder) / RECORD).is_file():
        return None
    record = read_record(folder)
    tries = int(record.get("tries") or 0) + 1
    if tries < TRIES and not isinstance(error, GitLimitError | LimitReachedError | ProgramTimeoutError):
        write_record(ledger_of(folder), {**record, "tries": tries})
        return None
    return _set_aside(folder, f"its work could not be taken ({error.message})")


def _set_aside(folder: Path, why: str) -> Path:
    place = set_aside.put(folder, {"clone": folder, "ledger": ledger_of(folder)}, why=why)
    log.warning("%s is set aside in %s: %s", folder, place, why)
    return place
