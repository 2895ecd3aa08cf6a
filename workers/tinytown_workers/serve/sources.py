"""Where a worker process is told which agents to serve, and where it finds their CLIs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tinytown.host import process_specs
from tinytown.host.process_specs import Seat

#: Gives the agents that shall be served.
Source = Callable[[], Mapping[str, Seat]]


def fixed(name: str) -> Source:
    """One agent, for as long as the process lives."""
    return lambda: {name: Seat()}


def of_file(path: Path) -> Source:
    """The agents that the file of the process names; read again whenever the file was replaced."""
    seen: list[tuple[tuple[int, int] | None, Mapping[str, Seat]]] = [(None, {})]

    def look() -> Mapping[str, Seat]:
        try:
            found = path.stat()
        except FileNotFoundError:
            return {}
        state = found.st_ino, found.st_mtime_ns
        if seen[0][0] != state and (spec := process_specs.read_spec(path)) is not None:
            seen[0] = state, spec.agents
        return seen[0][1]

    return look


def find_cli(folder: str) -> None:
    """Put the folder that an agent's CLI was in when the agent was spawned at the end of the search path."""
    path = os.environ.get("PATH") or os.defpath
    if folder and folder not in path.split(os.pathsep):
        os.environ["PATH"] = f"{path}{os.pathsep}{folder}"
