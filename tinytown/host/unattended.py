"""Whether the town's questions are given to a conductor that nobody watches.

A person's own ``tt`` says so, and not ``tinytown.toml``: that lies in a repository that agents change.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tinytown import contract, files
from tinytown.host import process_specs
from tinytown.host.process_specs import ProcessSpec
from tinytown.town import Town

#: Name of its process, and of the worker in it.
NAME = "conductor"


def is_on(town: Town) -> bool:
    """Whether it is switched on."""
    return _read(town) is not None


def switch_on(town: Town, *, cli_folder: str) -> bool:
    """Switch it on; ``False`` if it was. ``cli_folder`` is where its CLI was found; the next start makes it so."""
    wanted = {"town": town.id, "cli_folder": cli_folder, "held": False}
    if (before := _read(town)) == wanted:
        return False
    files.write_atomically(_path(town), json.dumps(wanted) + "\n")
    return before is None


def switch_off(town: Town) -> bool:
    """Switch it off; ``False`` if it was off."""
    was = is_on(town)
    _path(town).unlink(missing_ok=True)
    return was


def hold(town: Town) -> None:
    """Have its process wait for the next start with agents, unless it runs now; it stays on."""
    known, state = _read(town), process_specs.read_states(town).get(NAME)
    if known is not None and not (state is not None and state.alive):
        files.write_atomically(_path(town), json.dumps({**known, "held": True}) + "\n")


def release(town: Town) -> None:
    """Have its process run again that was held."""
    if is_held(town) and (known := _read(town)) is not None:
        files.write_atomically(_path(town), json.dumps({**known, "held": False}) + "\n")


def is_held(town: Town) -> bool:
    """Whether its process waits for the next start with agents."""
    known = _read(town)
    return known is not None and bool(known.get("held"))


def spec(town: Town) -> ProcessSpec | None:
    """The process that serves it, if it is on and not held."""
    known = _read(town)
    if known is None or known.get("held"):
        return None
    argv = (sys.executable, "-m", "tinytown_workers", "--conductor")
    folder = str(known.get("cli_folder") or "")
    return ProcessSpec(NAME, argv, "conductor", {contract.ENV_CLI_FOLDER: folder} if folder else {})


def _read(town: Town) -> dict[str, Any] | None:
    known = files.read_json(_path(town))
    # It was said of this town, and not of one whose folder this once was.
    return known if known is not None and known.get("town") == town.id else None


def _path(town: Town) -> Path:
    return town.folder / "unattended.json"
