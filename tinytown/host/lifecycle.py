"""A town's life on this machine: start, stop, and which processes it shall have.

Everything here may be done twice, or by two processes at once: a lock lets one at a time change what runs.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from tinytown import files, settings
from tinytown import processes as programs
from tinytown.errors import NotFoundError, StateError, TinytownError, UnreachableError
from tinytown.host import confinement, elsewhere, process_specs, seats, telling, tokens, unattended
from tinytown.host.process_specs import ProcessSpec
from tinytown.host.server import STOP_SECS, ensure_server, server_process, server_url
from tinytown.host.shutdown import WORKER_GRACE, wind_down
from tinytown.host.stop_report import StopReport, Tell
from tinytown.host.supervisor import LOCK
from tinytown.host.watchdog import start_supervisor
from tinytown.state import serving
from tinytown.town import Town

#: Seconds in which every process that has a spec must have been started.
START_SECS = 20.0
#: Seconds that a supervisor which has no record may take to write one.
LOCK_SECS = 10.0


def _nothing(_: str) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class ProcessStatus:
    """A process of the town, as the records and the system tell."""

    name: str
    #: ``server``, ``supervisor``, or the kind of the process.
    kind: str
    #: ``running``; ``starting`` or ``restarting``: wanted and not there yet; ``stopping``: there, but not
    #: wanted any more; ``stopped``: nobody is there to start it.
    state: str
    pid: int | None
    #: Seconds since 1970 of the last start, where it is known.
    started_at: float | None
    restarts: int
    last_exit: int | None
    log: Path


def start(town: Town, *, agents: bool | None = None, new_token: bool = False) -> list[str]:
    """Start what the town lacks, and wait until it is there; returns the names of what was started.

    It waits until each agent was started once, even if that agent ended since. ``agents``: true starts the agents that
    were held back as well; false holds back those that do not run until they are asked for; ``None`` changes neither.
    The unattended conductor is such an agent. ``new_token``: the token that is there by now is used.

    Raises:
        UnreachableError: the server or a process doesn't come up; what runs is left running. Or another server is
            named than the one that the running town uses.
        ConfigurationError: a sandbox is required that this machine does not have.
        StateError: no program for the server is installed, or it is too old for the data.
    """
    with turn(town):
        require_server(town)
        for folder in (town.logs, town.run):
            files.private_folder(folder)
        if not town.home:
            ensure_server(town)
            town = telling.renewed(town)
        confinement.renew(town)
        # Before any spec is written: a supervisor that is there already is quick.
        before = _living(town)
        process_specs.want(town)
        if agents is not None:
            (seats.release if agents else seats.hold)(town)
            (unattended.release if agents else unattended.hold)(town)
        started = ["server"] if ensure_server(town).started else []
        if town.home:
            telling.publish(town)
        for own in own_specs(town):
            process_specs.write_spec(town, own)
        for name in {"forge", unattended.NAME, *elsewhere.names(town)} - {own.name for own in own_specs(town)}:
            process_specs.remove_spec(town, name)
        renew_agents(town)
        _expect_agents(town)
        if process_specs.supervisor(town) is None:
            _start_supervisor(town)
            started.append("supervisor")
        _wait_until_up(town)
        if new_token and "forge" in before and tokens.renew(town, os.environ):
            started.append("forge")
        return started + sorted(_living(town) - before)


def _expect_agents(town: Town) -> None:
    """Mark agents as coming before any is there: else the first to arrive would seem to be the only one."""
    from tinytown.state.agents import CrewStore
    from tinytown.state.store import Store

    if names := list(seats.processes(town)):
        crew = CrewStore(Store(server_url(town), town.prefix))
        crew.expect(names)


def ensure_running(town: Town) -> list[str]:
    """As ``start``, but quick when everything is there."""
    require_server(town)
    has_server = town.settings.redis.url is not None or server_process(town) is not None
    specs = process_specs.read_specs(town)
    if (
        has_server
        and process_specs.wanted(town)
        and process_specs.supervisor(town) is not None
        and all(specs.get(own.name) == own for own in own_specs(town))
        and specs.keys() <= process_specs.read_states(town).keys()
        and {own.name for own in own_specs(town)} <= _living(town)
    ):
        return []
    return start(town)


def require_server(town: Town) -> None:
    """Raise ``OtherServerError`` if another server is named here than the one that the running town uses.

    A host that joined has no server of its own.
    """
    if not town.home and town.settings.redis.url is None:
        raise serving.other(town)
    if process_specs.supervisor(town) is not None and serving.elsewhere(town):
        raise serving.other(town)


def stop(town: Town, tell: Tell = _nothing) -> list[str]:
    """End all processes of the town, agents first and the server last; returns the names of what was ended.

    Workers save the work that runs. The specs stay: ``start`` brings the agents back. ``tell`` is called with each name
    as it ends, and now and then with what is waited for.
    """
    if not town.folder.is_dir():
        return []
    if settings.server_variable(os.environ):  # The settings may be broken by now; what runs can be ended all the same.
        require_server(town)
    with turn(town):
        process_specs.unwant(town)
        living = _living(town)
        if server_process(town) is not None:
            living |= {"server"}
        files.private_folder(town.run)
        stop_report = StopReport(lambda: _there(town), living, tell)
        lock = _end_supervisor(town, living, stop_report)
        try:
            # What is still alive after an orderly end, or what a killed supervisor left.
            living |= set(wind_down(town))
        finally:
            os.close(lock)
        process_specs.supervisor_path(town).unlink(missing_ok=True)
        confinement.forget(town)
        stop_report.end(living)
        return sorted(living)


def other_hosts(town: Town) -> list[str]:
    """Names of the other hosts that are there, as far as the home of a town can tell."""
    if not town.home or town.settings.redis.url is None:
        return []
    try:
        every = telling.hosts_of(town, retries=0).all()
    except TinytownError:
        return []
    return [name for name, one in every.items() if one.live and not one.record.home]


def held_agents(town: Town) -> list[str]:
    """Names of the agents that a start without agents holds back."""
    return seats.held(town)


def holds_conductor(town: Town) -> bool:
    """Whether a start without agents holds back the unattended conductor."""
    return unattended.is_held(town)


def processes(town: Town) -> list[ProcessStatus]:
    """The town's processes: the supervisor, its own server if it has one, and one for each spec, by name."""
    supervisor = process_specs.supervisor(town)
    found = [_status(town, "supervisor", supervisor)]
    if town.settings.redis.url is None:
        found.append(_status(town, "server", server_process(town)))
    specs, states = process_specs.read_specs(town), process_specs.read_states(town)
    for name in sorted(specs.keys() | states.keys()):
        process = states.get(name)
        alive = process is not None and process.alive
        if alive:
            state = "running" if name in specs else "stopping"
        elif supervisor is None:
            state = "stopped"
        else:
            state = "restarting" if process is not None else "starting"
        found.append(
            ProcessStatus(
                name=name,
                kind=specs[name].kind if name in specs else states[name].kind,
                state=state,
                pid=process.pid if process and alive else None,
                started_at=process.started_at if process else None,
                restarts=process.restarts if process else 0,
                last_exit=process.last_exit if process else None,
                log=town.logs / f"{name}.log",
            )
        )
    return found


def own_specs(town: Town) -> list[ProcessSpec]:
    """The processes that every town has; that which speaks to a remote forge, where changes go to one; and that of the
    unattended conductor where it is on and not held. Those that somebody else runs are left out; on a host that is not
    the town's home there are only agents.
    """
    others = elsewhere.names(town)
    return [spec for spec in _all_own_specs(town) if spec.name not in others]


def foreground(town: Town, name: str) -> tuple[list[str], dict[str, str]]:
    """How one of the town's own processes is started that somebody else keeps alive: its argv and environment.

    Raises:
        NotFoundError: the town has no such process.
    """
    found = {spec.name: spec for spec in _all_own_specs(town)}
    if name not in found:
        raise NotFoundError(f"the town has no process `{name[:80]}`", remedy=f"choose one of {', '.join(found)}")
    return list(found[name].argv), process_specs.environment(town, found[name], os.environ)


def _all_own_specs(town: Town) -> list[ProcessSpec]:
    if not town.home:
        return []
    conductor = unattended.spec(town)
    worker = (sys.executable, "-m", "tinytown_workers")
    return [
        ProcessSpec("control", (*worker, "--control"), "control", {}),
        ProcessSpec("checks", (*worker, "--checks"), "checks", {}),
        ProcessSpec("beat", (sys.executable, "-m", "tinytown_beat"), "beat", {}),
        *([ProcessSpec("forge", (*worker, "--forge"), "forge", {})] if town.settings.forge.remote else []),
        *([conductor] if conductor is not None else []),
    ]


def renew_agents(town: Town) -> None:
    """Have agents that were spawned by another installation of tinytown start from this one, as all else does.

    Those that run keep running, unless their installation is gone, so that they could never start again.
    """
    asleep = process_specs.supervisor(town) is None
    for old in process_specs.read_specs(town).values():
        program, *rest = old.argv
        ours = old.kind == "agent" and rest[:2] == ["-m", "tinytown_workers"]
        if ours and program != sys.executable and (asleep or not Path(program).exists()):
            process_specs.write_spec(town, replace(old, argv=(sys.executable, *rest)))


def _status(town: Town, name: str, identity: programs.Identity | None) -> ProcessStatus:
    return ProcessStatus(
        name=name,
        kind=name,
        state="running" if identity else "stopped",
        pid=identity.pid if identity else None,
        started_at=None,
        restarts=0,
        last_exit=None,
        log=town.logs / f"{name}.log",
    )


def turn(town: Town) -> AbstractContextManager[None]:
    """Hold the lock that lets one process at a time change what runs."""
    return files.locked(town.folder / "town.lock", timeout=120, what="starting or stopping this town")


def _living(town: Town) -> set[str]:
    """Names of the processes that are alive; in the place of one that serves agents, those of the agents."""
    specs = process_specs.read_specs(town)
    found: set[str] = set()
    for name, process in process_specs.read_states(town).items():
        if process.alive:
            agents = specs[name].agents if name in specs else ()
            found |= {seats.label(agent) for agent in agents} or {name}
    return found


def _there(town: Town) -> set[str]:
    return _living(town) | ({"server"} if server_process(town) is not None else set())


def _start_supervisor(town: Town) -> None:
    # The supervisor writes this itself once it has the lock; until then, `stop` must be able to find it too.
    process_specs.write_supervisor(town, start_supervisor(town, os.environ))


def _end_supervisor(town: Town, living: set[str], stop_report: StopReport) -> int:
    """End the supervisor, and any that starts meanwhile; returns the descriptor that holds its lock."""
    # It ends the others itself, so it gets the time of all of them.
    each = town.settings.timing.kill_grace_secs + WORKER_GRACE + programs.KILL_WAIT
    deadline = time.monotonic() + LOCK_SECS
    while True:
        if (supervisor := process_specs.supervisor(town)) is not None:
            living.add("supervisor")
            programs.send_signal(*supervisor, signal.SIGTERM)
            until = time.monotonic() + each * len(process_specs.STOP_ORDER) + 2 * STOP_SECS
            while programs.alive(*supervisor) and time.monotonic() < until:
                stop_report.report()
                time.sleep(0.02)
            programs.stop(*supervisor, grace=0)
            deadline = time.monotonic() + LOCK_SECS
        if (lock := files.try_lock(town.run / LOCK)) is not None:
            return lock
        # One whose record was removed or overwritten writes it anew.
        if time.monotonic() >= deadline:
            raise StateError("another process is supervising this town", remedy="wait a moment, then retry")
        time.sleep(0.02)


def _wait_until_up(town: Town) -> None:
    own = {spec.name for spec in own_specs(town)}

    def missing() -> list[str]:
        states = process_specs.read_states(town)
        lacking = [name for name in process_specs.read_specs(town) if name not in states or not states[name].alive]
        # An agent that ends as soon as it starts must not keep the town from starting; `tt status` shows it.
        return sorted(name for name in lacking if name in own or name not in states)

    def up() -> bool:
        return process_specs.supervisor(town) is not None and not missing()

    if _wait(up, START_SECS / 2):
        return
    if process_specs.supervisor(town) is None:
        # An old one was just ending when we came, and the new one gave way to it.
        _start_supervisor(town)
    if not _wait(up, START_SECS / 2):
        name = next(iter(missing()), "supervisor")
        _require_room(town)
        raise UnreachableError(
            f"the town's process `{name}` did not start", remedy=f"see {town.logs / name}.log, then run `tt start`"
        )


def _require_room(town: Town) -> None:
    """Raise ``DiskFullError`` if something did not start because the disk is full."""
    for folder in (town.run, town.logs, town.runtime):
        probe = folder / ".room"
        try:
            files.write_atomically(probe, " " * 65536)
        finally:
            probe.unlink(missing_ok=True)


def _wait(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True
