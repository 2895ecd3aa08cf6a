"""Which processes a town shall have (specs), and what has become of them (states): one small file each.

=============================  ===========================================================================
``.tt/run/wishes/NAME.json``   the spec of a process; written by ``tt``, carried out by the supervisor
``.tt/run/held/NAME.json``     agents of a process that wait for the next ``tt start`` with agents
``.tt/run/pids/NAME.json``     its state; written by the supervisor alone
``.tt/run/supervisor.json``    the supervisor itself
``.tt/run/wanted``             the town was started, and not stopped since; written by ``tt``
=============================  ===========================================================================

The names on disk are older than those in the code; they stay, because running towns are updated in place.

All agents of a role on this machine are served by one process, ``role-ROLE``, whose spec names them; see ``seats``.

A process also carries its name in its environment (``ENV_PROCESS``): so one that was started in the moment
before its supervisor died is found, adopted or ended.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Literal

import psutil

from tinytown import contract, files, processes
from tinytown.errors import ConfigurationError
from tinytown.town import Town

Kind = Literal["agent", "checks", "forge", "conductor", "beat", "control"]

KINDS: tuple[Kind, ...] = ("agent", "checks", "forge", "conductor", "beat", "control")
#: The order in which a town's processes end: first those that work, then those that would send them more work.
STOP_ORDER: tuple[frozenset[Kind], ...] = (
    frozenset({"agent", "checks", "forge", "conductor"}),
    frozenset({"beat"}),
    frozenset({"control"}),
)
#: How the names begin of the processes that serve the agents of a role.
ROLE_PREFIX = "role-"
#: Variable that marks a process as this town's and gives its name.
ENV_PROCESS = "TINYTOWN_PROCESS"


@dataclass(frozen=True)
class Seat:
    """An agent's place in the process of its role."""

    #: The folder in which its CLI was found when it was spawned; empty where that does not matter.
    cli_folder: str = ""
    #: A new one each time that it is spawned: one that was killed does not go on as its successor.
    token: str = ""


@dataclass(frozen=True)
class ProcessSpec:
    """A process that shall run until its spec is removed. ``env`` is added to the supervisor's own."""

    name: str
    argv: tuple[str, ...]
    kind: Kind
    env: Mapping[str, str]
    #: The agents that it serves. They come and go without a new process.
    agents: Mapping[str, Seat] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """A hash of the spec: a process whose spec has another one is replaced."""
        return hashlib.sha256(json.dumps([self.argv, self.kind, dict(self.env)]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ProcessState:
    """What has become of a process. ``pid`` is ``None`` between an end and the next start."""

    name: str
    kind: Kind
    digest: str
    pid: int | None = None
    created: float = 0.0
    #: Seconds since 1970 of the last start.
    started_at: float = 0.0
    restarts: int = 0
    #: Exit code of the last run, where it is known: a supervisor can't learn that of a process it adopted.
    last_exit: int | None = None
    #: A fingerprint of the tokens in its environment; empty for a process that was given none.
    tokens: str = ""
    #: Another process has taken its place; it ends by itself, with the last run that it has.
    leaving: bool = False

    @property
    def alive(self) -> bool:
        """Exactly this process runs."""
        return self.pid is not None and processes.alive(self.pid, self.created)


#: What else is in a state was written by another release, in a town that is updated in place.
_STATE_FIELDS = frozenset(one.name for one in fields(ProcessState))


def specs_folder(town: Town) -> Path:
    return town.run / "wishes"


def held_folder(town: Town) -> Path:
    return town.run / "held"


def states_folder(town: Town) -> Path:
    return town.run / "pids"


def supervisor_path(town: Town) -> Path:
    return town.run / "supervisor.json"


def want(town: Town) -> None:
    """Note that the town shall run: any process that finds it without a supervisor may start one."""
    if not wanted(town):
        files.write_atomically(files.private_folder(town.run) / "wanted", "")


def unwant(town: Town) -> None:
    (town.run / "wanted").unlink(missing_ok=True)


def wanted(town: Town) -> bool:
    return (town.run / "wanted").exists()


def fingerprint(town: Town, environ: Mapping[str, str]) -> str:
    """What tells whether two environments have the same tokens, and nothing of them; empty without any."""
    given = {name: environ[name] for name in sorted(contract.ENV_TOKENS) if environ.get(name)}
    return hashlib.sha256(json.dumps([town.id, given]).encode()).hexdigest()[:16] if given else ""


def mark(town: Town, name: str) -> str:
    """The value of ``ENV_PROCESS`` for a process of this town."""
    return f"{town.place}:{name}"


def write_spec(town: Town, spec: ProcessSpec) -> bool:
    """Write the spec of a process; returns whether it is new or changed.

    Raises:
        ConfigurationError: its name can't name a process.
    """
    if not contract.is_name(spec.name.removeprefix(ROLE_PREFIX)):
        raise ConfigurationError(
            f"`{spec.name}` can't be a name", remedy="use lower case letters, digits, `-` and `_`, 48 at most"
        )
    path = files.private_folder(specs_folder(town)) / f"{spec.name}.json"
    if read_spec(path) == spec:
        return False
    save(path, spec)
    if not spec.agents:
        (held_folder(town) / path.name).unlink(missing_ok=True)
    return True


def remove_spec(town: Town, name: str) -> None:
    """This process shall run no more."""
    (specs_folder(town) / f"{name}.json").unlink(missing_ok=True)


def save(path: Path, spec: ProcessSpec) -> None:
    """Write a spec to this file."""
    values: dict[str, object] = {"argv": list(spec.argv), "kind": spec.kind, "env": dict(spec.env)}
    if spec.agents:
        values["agents"] = {name: asdict(seat) for name, seat in spec.agents.items()}
    files.write_atomically(path, json.dumps(values) + "\n")


def read_spec(path: Path) -> ProcessSpec | None:
    """The spec in this file; ``None`` if the file is gone or holds no valid spec."""
    values = files.read_json(path)
    try:
        if values is None or values["kind"] not in KINDS or not values["argv"]:
            return None
        return ProcessSpec(
            name=path.stem,
            argv=tuple(map(str, values["argv"])),
            kind=values["kind"],
            env={str(name): str(value) for name, value in values["env"].items()},
            agents={str(name): Seat(**seat) for name, seat in values.get("agents", {}).items()},
        )
    except (KeyError, TypeError, AttributeError):
        return None


def read_specs(town: Town) -> dict[str, ProcessSpec]:
    """All specs, by name."""
    found = (read_spec(path) for path in json_files(specs_folder(town)))
    return {spec.name: spec for spec in found if spec is not None}


def write_state(town: Town, state: ProcessState) -> None:
    values = asdict(state)
    if not state.tokens:
        # Releases before this field refuse a state with one that they do not know.
        del values["tokens"]
    files.write_atomically(states_folder(town) / f"{state.name}.json", json.dumps(values) + "\n")


def read_states(town: Town) -> dict[str, ProcessState]:
    """The state of every process, by name."""
    states = {}
    for path in json_files(states_folder(town)):
        values = files.read_json(path)
        try:
            if values is not None and values["kind"] in KINDS:
                known = {name: value for name, value in values.items() if name in _STATE_FIELDS}
                states[path.stem] = ProcessState(**{**known, "name": path.stem})
        except (KeyError, TypeError):
            continue
    return states


def remove_state(town: Town, name: str) -> None:
    (states_folder(town) / f"{name}.json").unlink(missing_ok=True)


def say_leaving(town: Town, name: str) -> None:
    """This process, started under this name, takes nothing more: another one may take its place at once."""
    files.write_atomically(files.private_folder(town.run / "leaving") / f"{name}.{os.getpid()}", "")


def read_leaving(town: Town) -> list[tuple[str, int]]:
    """Names and pids of the processes that said so."""
    try:
        found = [path.name.rpartition(".") for path in (town.run / "leaving").iterdir()]
    except FileNotFoundError:
        return []
    return [(name, int(pid)) for name, _, pid in found if name and name[0] != "." and pid.isdecimal()]


def forget_leaving(town: Town, name: str, pid: int) -> None:
    (town.run / "leaving" / f"{name}.{pid}").unlink(missing_ok=True)


def supervisor(town: Town) -> processes.Identity | None:
    """The supervisor, if it lives."""
    values = files.read_json(supervisor_path(town))
    try:
        identity = processes.Identity(int(values["pid"]), float(values["created"])) if values else None
    except (KeyError, TypeError, ValueError):
        return None
    return identity if identity and processes.alive(*identity) else None


def path(town: Town) -> str | None:
    """Where the town's processes look for programs: the ``PATH`` of the shell that started it; ``None`` if unknown."""
    found = supervisor(town)
    try:
        return psutil.Process(found.pid).environ().get("PATH") if found is not None else None
    except (psutil.Error, OSError):
        return None


def write_supervisor(town: Town, identity: processes.Identity) -> None:
    files.write_atomically(supervisor_path(town), json.dumps(identity._asdict()) + "\n")


def marked(town: Town) -> Iterator[tuple[str, processes.Identity]]:
    """Name and identity of every living process that a supervisor of this town started, on record or not.

    A child of such a process carries the same mark, but leads no session.
    """
    prefix = mark(town, "")
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) != process.pid:
                continue
            value = process.environ().get(ENV_PROCESS, "")
        except (psutil.Error, OSError):
            continue
        created = processes.start_time(process.pid)
        if value.startswith(prefix) and created is not None and processes.alive(process.pid, created):
            yield value.removeprefix(prefix), processes.Identity(process.pid, created)


def json_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.name[0] != ".")
    except FileNotFoundError:
        return []


def working_folder(town: Town) -> Path:
    """An empty folder to start processes in: Python and Celery look for modules where they start."""
    return files.private_folder(files.private_folder(town.runtime) / "empty")


def environment(town: Town, spec: ProcessSpec, environ: Mapping[str, str]) -> dict[str, str]:
    """What of an environment a process of the town is started with."""
    env = {**contract.for_processes(environ), contract.ENV_TOWN: str(town.root)}
    if town.settings.forge.remote and spec.kind != "forge":
        # Only that one speaks to GitHub; whoever runs agents or projects' commands must not lose what it never had.
        env = {name: text for name, text in env.items() if name not in contract.ENV_TOKENS}
    return {**env, **spec.env}
