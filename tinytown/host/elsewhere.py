"""Which of the town's own processes somebody else keeps alive, e.g. a container of their own.

``tt start --foreground --without NAME`` says so; the town starts them neither then nor later, until it is started in
the foreground again and that is not said any more.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from tinytown import files
from tinytown.errors import ConfigurationError
from tinytown.town import Town

#: What can be left to others. The unattended conductor is switched on and off by itself.
ABLE = ("beat", "checks", "forge")


def names(town: Town) -> frozenset[str]:
    """Names of the processes that are left to others."""
    known = files.read_json(_path(town)) or {}
    # It was said of this town, and not of one whose folder this once was.
    found = known.get("processes") if known.get("town") == town.id else None
    return frozenset(found).intersection(ABLE) if isinstance(found, list) else frozenset()


def leave(town: Town, wanted: Collection[str]) -> None:
    """Leave these, and no others, to whoever runs them.

    Raises:
        ConfigurationError: one of them is always the town's own.
    """
    if unable := sorted(set(wanted).difference(ABLE)):
        raise ConfigurationError(
            f"`{unable[0][:80]}` cannot be left to others", remedy=f"choose from {', '.join(ABLE)}"
        )
    if not wanted:
        _path(town).unlink(missing_ok=True)
    elif names(town) != frozenset(wanted):
        said = {"town": town.id, "processes": sorted(set(wanted))}
        files.write_atomically(_path(town), json.dumps(said) + "\n")


def _path(town: Town) -> Path:
    return town.folder / "elsewhere.json"
