"""The agents of this machine: each has a seat in the process of its role, which one file names.

Whoever changes that file holds a lock, so two commands at once lose nothing of each other. A process that finds itself
named reads its file again and again: an agent comes or goes without disturbing the others.
"""

from __future__ import annotations

import contextlib
import sys
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from tinytown import files
from tinytown.host import process_specs
from tinytown.host.process_specs import ROLE_PREFIX, ProcessSpec, Seat
from tinytown.town import Town

#: How the processes of single agents were called; a town that was not restarted since still has some.
SINGLE_PREFIX = "agent-"


def process_name(role: str) -> str:
    """What the town calls the process that serves the agents of a role, and that process's log."""
    return f"{ROLE_PREFIX}{role}"


def label(agent: str) -> str:
    """What an agent is called among the town's processes, and its own log."""
    return f"{SINGLE_PREFIX}{agent}"


def of_spec(spec: ProcessSpec) -> list[str]:
    """Names of the agents that a process serves."""
    if spec.agents:
        return list(spec.agents)
    return [spec.name.removeprefix(SINGLE_PREFIX)] if spec.name.startswith(SINGLE_PREFIX) else []


def processes(town: Town) -> dict[str, str]:
    """By agent that shall run: the name of its process."""
    return {agent: spec.name for spec in process_specs.read_specs(town).values() for agent in of_spec(spec)}


def take(town: Town, agent: str, role: str, *, cli_folder: str = "") -> None:
    """Have an agent served by the process of its role, anew if it is served already."""
    with _turn(town):
        for folder in _folders(town):
            _leave(folder, agent)
        seat = Seat(cli_folder, uuid.uuid4().hex[:8])
        _add(process_specs.specs_folder(town), process_name(role), {agent: seat})


def leave(town: Town, agent: str, *, token: str | None = None) -> bool:
    """Have an agent served no more, held or not; returns whether it was to be. With ``token`` only that seat of it."""
    with _turn(town):
        found = [_leave(folder, agent, token=token) for folder in _folders(town)]
        return any(found)


def move_in(town: Town, agent: str, role: str, *, cli_folder: str) -> None:
    """The agent of a process of its own gets a seat in the process of its role."""
    take_over = Seat(cli_folder, uuid.uuid4().hex[:8])
    with _turn(town):
        # In this order: whatever ends this meanwhile, the agent is to be served. Nobody works for it as this runs.
        _add(process_specs.specs_folder(town), process_name(role), {agent: take_over})
        _leave(process_specs.specs_folder(town), agent, single=True)


def tell(town: Town) -> None:
    """Have the processes that serve agents here look at once what is on record for them."""
    with contextlib.suppress(OSError):  # They look by themselves, too.
        _told(town).touch()


def told(town: Town) -> int | None:
    """When they were last told to; see ``tell``."""
    return files.changed_at(_told(town))


def _told(town: Town) -> Path:
    return town.run / "agents-told"


def held(town: Town) -> list[str]:
    """Names of the agents that wait for the next start with agents."""
    folder = process_specs.held_folder(town)
    return sorted(agent for spec in _specs(folder) for agent in of_spec(spec))


def hold(town: Town) -> None:
    """Hold the agents whose process does not run now."""
    states = process_specs.read_states(town)
    with _turn(town):
        for spec in _specs(process_specs.specs_folder(town)):
            if spec.kind == "agent" and not (spec.name in states and states[spec.name].alive):
                _move(spec, process_specs.specs_folder(town), process_specs.held_folder(town))


def release(town: Town) -> None:
    """ProcessSpec again for the agents that were held; a spec that came meanwhile stands."""
    with _turn(town):
        for spec in _specs(process_specs.held_folder(town)):
            _move(spec, process_specs.held_folder(town), process_specs.specs_folder(town))


def _turn(town: Town) -> AbstractContextManager[None]:
    path = files.private_folder(town.run) / "seats.lock"
    return files.locked(path, timeout=20, what="changing which agents run")


def _folders(town: Town) -> tuple[Path, Path]:
    return process_specs.specs_folder(town), process_specs.held_folder(town)


def _specs(folder: Path) -> list[ProcessSpec]:
    return [spec for path in process_specs.json_files(folder) if (spec := process_specs.read_spec(path)) is not None]


def _move(spec: ProcessSpec, source: Path, target: Path) -> None:
    """Move a spec from one folder to another one, beside the agents that are there already."""
    there = process_specs.read_spec(target / f"{spec.name}.json")
    if there is None or spec.agents:
        agents = {**spec.agents, **(there.agents if there is not None else {})}
        process_specs.save(files.private_folder(target) / f"{spec.name}.json", replace(there or spec, agents=agents))
    (source / f"{spec.name}.json").unlink(missing_ok=True)


def _add(folder: Path, process: str, agents: Mapping[str, Seat]) -> None:
    path = files.private_folder(folder) / f"{process}.json"
    argv = (sys.executable, "-m", "tinytown_workers", "--role", process.removeprefix(ROLE_PREFIX))
    spec = process_specs.read_spec(path) or ProcessSpec(process, argv, "agent", {})
    process_specs.save(path, replace(spec, agents={**spec.agents, **agents}))


def _leave(folder: Path, agent: str, *, single: bool = False, token: str | None = None) -> bool:
    """Take an agent out of the specs of a folder; with ``single`` only one for a process of its own."""
    found = False
    for spec in _specs(folder):
        if agent not in of_spec(spec) or (single and spec.agents):
            continue
        if token is not None and (agent not in spec.agents or spec.agents[agent].token != token):
            continue
        found = True
        rest = {name: seat for name, seat in spec.agents.items() if name != agent}
        path = folder / f"{spec.name}.json"
        if rest:
            process_specs.save(path, replace(spec, agents=rest))
        else:
            path.unlink(missing_ok=True)
    return found
