"""Where a town lies: a copy of its folder must not act on the original's records, and a moved town goes on.

The place is on record twice: in the state folder, which a copy of the town's folder does not include and which decides,
and in ``town.json``, for where the state folder is another one or gone. A folder is known by its inode: through a link,
a bind mount or another spelling of its name it is the same town.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import psutil

from tinytown import contract, files
from tinytown.errors import CopiedTownError, DiskFullError, NotATownError, TinytownError
from tinytown.host import lifecycle as towns
from tinytown.host import process_specs, server
from tinytown.host.supervisor import LOCK
from tinytown.town import Town, amend_identity, read_identity, state_folder

#: File in the state folder.
FILE = "place.json"


def settle(town: Town) -> str:
    """Make sure that this is the town's place; a town that was moved has its place here from now on.

    What still ran for it at its old place is ended, its work saved. Returns a sentence about the move, if there was
    one.

    Raises:
        CopiedTownError: the town is still at its own place, and this is another one.
    """
    require(town)
    old = recorded(town)
    if old is None or _same(Path(old), town.root):
        record(town, old or str(town.root))
        return ""
    if runs_out_of_sight(town):
        return ""
    ended = towns.stop(town) if _was_running(town) else []
    record(town, str(town.root))
    more = f"; what ran for it there was stopped ({', '.join(ended)})" if ended else ""
    return f"the town has moved here from {old}{more}"


def require(town: Town) -> None:
    """Raise ``CopiedTownError`` if this is a copy of a town that is still there."""
    other = original(town)
    if other is not None:
        raise CopiedTownError(str(town.root), str(other))


def original(town: Town) -> Path | None:
    """Root of the town that this folder is a copy of; ``None`` if this is the town, or all that is left of it."""
    decisive = _in_state(town)
    candidates = [decisive, read_identity(town.root).root or None]
    if not any(candidates):
        candidates = [_of_supervisor(town)]
    for text in candidates:
        if text is None:
            continue
        place = Path(text)
        if _same(place, town.root):
            return None
        if _stands(place, town.id):
            return place
    return None


def recorded(town: Town) -> str | None:
    """The root that is on record, if any."""
    return _in_state(town) or read_identity(town.root).root or None


def record(town: Town, root: str) -> None:
    """Put on record where the town is; that a state folder cannot be written is reported elsewhere."""
    with contextlib.suppress(DiskFullError):
        amend_identity(town.root, root=root)
    if _in_state(town) != root:
        with contextlib.suppress(TinytownError):
            files.write_atomically(files.private_folder(town.state) / FILE, json.dumps({"root": root}) + "\n")


def all_recorded() -> dict[str, Path]:
    """The roots of all towns and of their hosts, on record in the state folder, whether or not they are there.

    By what tells their folders apart: see ``Identity.place``.
    """
    try:
        folders = sorted(state_folder().iterdir())
    except OSError:
        return {}
    # The id of a town, and the name of a host: each has a length of its own.
    ours = (one for one in folders if all(map(contract.is_name, one.name.split("-", 1))))
    roots = {folder.name: _read(folder / FILE) for folder in ours}
    return {town: Path(root) for town, root in roots.items() if root is not None}


def _in_state(town: Town) -> str | None:
    return _read(town.state / FILE)


def _read(file: Path) -> str | None:
    root = (files.read_json(file) or {}).get("root")
    return root if isinstance(root, str) and root else None


def _of_supervisor(town: Town) -> str | None:
    """The root that the living supervisor works for, if an older release started it, which kept no record."""
    found = process_specs.supervisor(town)
    try:
        return psutil.Process(found.pid).environ().get(contract.ENV_TOWN) if found is not None else None
    except (psutil.Error, OSError):
        return None


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.stat(), other.stat())
    except OSError:
        return one == other


def _stands(place: Path, town: str) -> bool:
    """Whether a town of this id is there; a folder that cannot be read counts as one."""
    try:
        return read_identity(place).id == town
    except NotATownError:
        return False
    except TinytownError:
        return True


def _was_running(town: Town) -> bool:
    return (
        process_specs.supervisor(town) is not None
        or server.server_process(town) is not None
        or process_specs.wanted(town)
    )


def runs_out_of_sight(town: Town) -> bool:
    """Whether a supervisor runs unseen, e.g. in a container that mounts the town's folder elsewhere."""
    if not town.run.is_dir() or process_specs.supervisor(town) is not None:
        return False
    held = files.try_lock(town.run / LOCK)
    if held is None:
        return True
    os.close(held)
    return False
