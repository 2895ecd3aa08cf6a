"""Work folders that are set aside: they could not be removed, or what is in them could not be taken.

::

    <work>/left/<mission>-<item>-<attempt>/
        why.json    the sentence, and where the folder was
        clone       the folder
        ledger      tinytown's own git directory for it, if it is still needed

Nothing of it is tried again; a person looks into it and removes it. A folder that cannot be moved, because something is
mounted on it, say, is entered here and stays in its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tinytown import files

#: Below the folder of all work.
FOLDER = "left"
_WHY = "why.json"


@dataclass(frozen=True)
class Left:
    """One of them."""

    #: What a person may remove once it is of no use.
    place: Path
    why: str


def put(folder: Path, parts: Mapping[str, Path], *, why: str) -> Path:
    """Set aside what is left of an attempt's ``folder``: ``parts`` by the names that they get; gives its new place.

    Raises:
        DiskFullError: no room for a note.
        StateError: the folder for it may not be written.
    """
    entry = _free(_root(folder), _name(folder))
    moved = False
    for name, part in parts.items():
        if os.path.lexists(part):
            with contextlib.suppress(OSError):
                # Once it is moved, nobody takes it for a workspace.
                part.rename(entry / name)
                moved = True
    place = folder if os.path.lexists(folder) or not moved else entry
    said = {"why": why, "was": str(folder), "place": str(place), "at": time.time()}
    files.write_atomically(entry / _WHY, json.dumps(said))
    return place


def is_aside(folder: Path) -> bool:
    """Whether a folder was set aside in the place where it stands."""
    name = _name(folder)
    return any(
        (files.read_json(entry / _WHY) or {}).get("place") == str(folder)
        for entry in _root(folder).glob(f"{name}*")
        if entry.name == name or entry.name.startswith(f"{name}~")
    )


def entries(work: Path) -> list[Left]:
    """All that are set aside below the folder of all work, the latest last."""
    found = []
    for entry in (work / FOLDER).glob("*/"):
        said = files.read_json(entry / _WHY) or {}
        place = Path(str(said.get("place") or entry))
        if os.path.lexists(place):
            found.append((float(said.get("at") or 0), Left(place, str(said.get("why") or "nobody noted why"))))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def _root(folder: Path) -> Path:
    return folder.parents[2] / FOLDER


def _name(folder: Path) -> str:
    return "-".join(folder.parts[-3:])


def _free(root: Path, name: str) -> Path:
    """A new folder for one of this name, which may have been here before."""
    number = 1
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            entry = root / (name if number == 1 else f"{name}~{number}")
            try:
                entry.mkdir(mode=0o700)
            except FileExistsError:
                number += 1
                continue
            return entry
    except OSError as error:
        raise files.write_error(root, error) from None
