"""The supervisor: one process a town that keeps the server, and every process that has a spec, alive.

It polls: every ``PAUSE`` seconds it looks whether anything happened, and if so, or once in ``ROUND_PAUSE``, compares
the specs with what is alive, starts what is missing and ends what has no spec. Killed itself, it leaves its children
at work; they start the next one (``watchdog``), which adopts them by pid and start time. Told to end, it ends
everything in order, the server last.

Run as ``python -m tinytown.host.supervisor`` with ``TINYTOWN_TOWN`` set; ``tt start`` does that. With ``--again``
it gives way where the town was stopped meanwhile.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tinytown import contract, files, processes
from tinytown.errors import TinytownError
from tinytown.host import process_specs, renewal
from tinytown.host.process_logs import rotate
from tinytown.host.process_specs import ProcessSpec, ProcessState
from tinytown.host.server_record import server_process
from tinytown.host.shutdown import WORKER_GRACE, end_together, grace, wind_down
from tinytown.town import Town, open_town

if TYPE_CHECKING:
    from tinytown.host.presence import Presence

log = logging.getLogger("tinytown.supervisor")

#: Seconds between two looks.
PAUSE = 0.2
#: Seconds after which all is compared, though nothing seems to have happened.
ROUND_PAUSE = 1.0
#: Nanoseconds after a folder has changed in which another change may bear the same time.
SETTLED_NANOSECS = 1_000_000_000
#: This module, as Python is told to run it.
MODULE = "tinytown.host.supervisor"
#: Seconds that new code may take to be loaded.
LOAD_SECS = 60.0
#: File below ``.tt/run`` whose lock only one supervisor holds.
LOCK = "supervisor.lock"
#: Seconds to wait for the lock: whoever only asks whether it is free holds it for a moment.
LOCK_SECS = 1.0
#: First and longest pause before a process that ended is started again.
BACKOFF_FIRST = 0.2
BACKOFF_MOST = 10.0
#: A process that ran this many seconds was healthy: it is restarted at once.
SOUND_SECS = 30.0
#: Exit code on record for a process that could not even be started, as shells have it.
CANNOT_START = 127
#: Seconds between two looks at the size of the logs.
LOG_PAUSE = 10.0


@dataclass
class _Child:
    """A process that the supervisor keeps alive."""

    state: ProcessState
    delay: float = BACKOFF_FIRST
    #: Monotonic times.
    started: float = 0.0
    next_start: float = 0.0
    kill_at: float | None = None
    #: Its state is not on disk yet: there was no room.
    unsaved: bool = False


class Supervisor:
    """Keeps alive what has a spec; see the module."""

    def __init__(self, town: Town, lock: int) -> None:
        self.town = town
        self.me = processes.Identity(os.getpid(), processes.start_time(os.getpid()) or 0.0)
        self._lock = lock
        self.children: dict[str, _Child] = {}
        self.stopping = False
        self._server: processes.Identity | None = None
        self._server_at = 0.0
        self._server_delay = BACKOFF_FIRST
        self._logs_at = 0.0
        self._updates = renewal.UpdateDetector()
        self._look_at = 0.0
        self._seen: list[int | None] = []
        #: As text: they are looked at five times a second.
        self._watched = (str(process_specs.specs_folder(town)), str(town.run / "leaving"))
        self._identity = str(town.folder / "town.json")
        self._round_at = 0.0
        #: The specs, and when their folder had changed before they were read.
        self._specs: tuple[object, dict[str, ProcessSpec]] = (None, {})

    def run(self) -> None:
        """Work until told to end, or until the town's folder is gone."""
        self._keep_place()
        self.adopt()
        presence = self._presence()
        while not self.stopping and self._has_town():
            if self._something_happened():
                if not self._keep_place():
                    log.warning("another supervisor has taken over")
                    return
                self.round()
                self._renew()
            time.sleep(PAUSE)
        if self._has_town():
            wind_down(self.town)
        else:
            self._abandon()
        if presence is not None:
            presence.leave()

    def _presence(self) -> Presence | None:
        """What says that this host is there, if the town can have several."""
        if self.town.home and self.town.settings.redis.url is None:
            return None
        # Only here: a town on one machine has no use for what this loads.
        from tinytown.host.presence import Presence

        made = Presence(self.town, self.end)
        made.begin()
        return made

    def end(self) -> None:
        """End everything, as soon as it is looked at."""
        self.stopping = True

    def _something_happened(self) -> bool:
        """Whether it is time for a round: cheap to ask, as it nearly never is."""
        seen = [files.changed_at(folder) for folder in self._watched]
        before, self._seen = self._seen, seen
        waiting = any(c.state.pid is None or c.kill_at is not None or c.unsaved for c in self.children.values())
        now = time.monotonic()
        if seen == before and not waiting and now < self._round_at and not processes.child_ended():
            return False
        self._round_at = now + ROUND_PAUSE
        return True

    def adopt(self) -> None:
        """Take over what an earlier supervisor left at work."""
        states = process_specs.read_states(self.town)
        on_record = {state.pid for state in states.values() if state.alive}
        for name, identity in process_specs.marked(self.town):
            if identity.pid not in on_record and not (name in states and states[name].alive):
                log.info("found %s (pid %d) without a record", name, identity.pid)
                states[name] = ProcessState(name, "agent", "", identity.pid, identity.created, time.time())
        for state in states.values():
            self.children[state.name] = _Child(state, started=time.monotonic())
            if state.alive:
                log.info("adopted %s (pid %d)", state.name, state.pid)

    def round(self) -> None:
        """Compare the specs with what runs, once, and act on the differences."""
        now = time.monotonic()
        self._keep_server(now)
        self._make_room()
        wanted = self._wanted()
        for name in wanted.keys() | self.children.keys():
            try:
                self._keep(name, wanted.get(name), now)
            except (TinytownError, OSError) as error:
                log.error("%s: %s", name, error)
                child = self.children.get(name)
                if child is not None:
                    child.state = replace(child.state, last_exit=CANNOT_START)
                    self._postpone(child, now)
                    self._record(child)
        if now >= self._logs_at:
            self._logs_at = now + LOG_PAUSE
            for path in self.town.logs.glob("*.log"):
                rotate(path)

    def _wanted(self) -> dict[str, ProcessSpec]:
        """The specs, read again whenever one of them was replaced or removed."""
        changed = files.changed_at(process_specs.specs_folder(self.town))
        if changed is None or changed != self._specs[0]:
            # What changed this very moment may change again, and that moment have no other name.
            settled = changed is not None and time.time_ns() - changed > SETTLED_NANOSECS
            self._specs = changed if settled else None, process_specs.read_specs(self.town)
        return self._specs[1]

    def _renew(self) -> None:
        """Go on as the same process from new code, where that was replaced and can be loaded; children stay."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + renewal.PAUSE
        over = self._updates.is_complete()
        if self._updates.changed:
            renewal.tell(self.town)
        if not over:
            return
        trial = [sys.executable, "-c", f"import {MODULE}"]
        try:
            processes.run(trial, cwd=process_specs.working_folder(self.town), env=os.environ, timeout=LOAD_SECS)
        except TinytownError as error:
            log.error("tinytown was updated, and what is installed cannot be loaded: %s", error)
            return
        log.warning("tinytown was updated: going on from the new code")
        os.execv(sys.executable, [sys.executable, "-m", MODULE])  # noqa: S606

    def _keep_place(self) -> bool:
        """Write record and lock anew where somebody removed or overwrote them; ``False`` if another has the place."""
        path = self.town.run / LOCK
        try:
            if not files.is_open_as(path, self._lock):
                files.private_folder(self.town.run)
                lock = files.try_lock(path)
                if lock is None:
                    return False
                os.close(self._lock)
                self._lock = lock
                log.warning("%s was removed: taken again", path)
            if process_specs.supervisor(self.town) != self.me:
                process_specs.write_supervisor(self.town, self.me)
        except (TinytownError, OSError) as error:
            log.error("%s", error)
        return True

    def _keep_server(self, now: float) -> None:
        if self.town.settings.redis.url:
            return
        found = server_process(self.town)
        if found is not None:
            self._server, self._server_delay = found, BACKOFF_FIRST
            return
        if now < self._server_at:
            return
        # A client of the server takes 9 MB, for as long as the town runs: it is loaded when the server has ended.
        from tinytown.host.server import ensure_server

        try:
            server = ensure_server(self.town)
            log.warning("the server had ended; now pid %s", server.pid)
        except (TinytownError, OSError) as error:
            log.error("server: %s", error)
            self._server_at = time.monotonic() + self._server_delay
            self._server_delay = min(self._server_delay * 2, BACKOFF_MOST)

    def _keep(self, name: str, spec: ProcessSpec | None, now: float) -> None:
        child = self.children.get(name)
        if child is not None and child.unsaved:
            self._record(child)
        if child is not None and child.state.pid is not None:
            if not child.state.alive:
                self._note_end(child, now)
            elif not child.state.leaving and (spec is None or spec.digest != child.state.digest):
                self._end(child, now)
        if spec is None:
            if child is not None and child.state.pid is None:
                del self.children[name]
                process_specs.remove_state(self.town, name)
        elif child is None or (child.state.pid is None and now >= child.next_start):
            self._start(spec, child, now)

    def _make_room(self) -> None:
        """Keep by another name what only ends the runs that it has, so that a new process takes its place."""
        for name, pid in process_specs.read_leaving(self.town):
            child = self.children.get(name)
            if child is not None and child.state.pid == pid and child.state.alive:
                log.info("%s (pid %d) ends what it is at, and another one takes its place", name, pid)
                child.state = replace(child.state, name=f"{name}.{pid}", leaving=True)
                self.children[child.state.name] = self.children.pop(name)
                self._record(child)
                process_specs.remove_state(self.town, name)
            process_specs.forget_leaving(self.town, name, pid)

    def _start(self, spec: ProcessSpec, child: _Child | None, now: float) -> None:
        old = child.state if child else ProcessState(spec.name, spec.kind, spec.digest)
        if child is None:
            child = self.children[spec.name] = _Child(old)
        path = self.town.logs / f"{spec.name}.log"
        rotate(path)
        env = process_specs.environment(self.town, spec, os.environ)
        env[process_specs.ENV_PROCESS] = process_specs.mark(self.town, spec.name)
        identity = processes.start_detached(spec.argv, cwd=process_specs.working_folder(self.town), env=env, log=path)
        child.state = replace(
            old,
            kind=spec.kind,
            digest=spec.digest,
            tokens=process_specs.fingerprint(self.town, env),
            pid=identity.pid,
            created=identity.created,
            started_at=time.time(),
            restarts=old.restarts + 1 if old.started_at else 0,
        )
        child.started, child.kill_at = now, None
        self._record(child)
        log.info("started %s (pid %d)", spec.name, identity.pid)

    def _note_end(self, child: _Child, now: float) -> None:
        pid = child.state.pid or 0
        code = processes.exit_code(pid)
        lived = now - child.started
        if child.kill_at is None:
            log.warning("%s (pid %d) ended after %.1f s with exit code %s", child.state.name, pid, lived, code)
        else:
            log.info("ended %s (pid %d)", child.state.name, pid)
            # It was to end: if it is wanted again, that is a start like the first, not one after a failure.
            child.state = replace(child.state, started_at=0.0, restarts=0)
        child.state = replace(child.state, pid=None, last_exit=code)
        if lived >= SOUND_SECS or child.kill_at is not None:
            child.delay = BACKOFF_FIRST
        self._postpone(child, now)
        child.kill_at = None
        self._record(child)

    def _record(self, child: _Child) -> None:
        """Write down what became of it; where there is no room, as soon as there is."""
        try:
            process_specs.write_state(self.town, child.state)
        except TinytownError as error:
            if not child.unsaved:
                log.error("%s: %s", child.state.name, error)
            child.unsaved = True
        else:
            child.unsaved = False

    def _postpone(self, child: _Child, now: float) -> None:
        child.next_start = now + child.delay
        child.delay = min(child.delay * 2, BACKOFF_MOST)

    def _end(self, child: _Child, now: float) -> None:
        """Send SIGTERM, or SIGKILL once its grace is over; never waits, so that others are served meanwhile."""
        identity = processes.Identity(child.state.pid or 0, child.state.created)
        if child.kill_at is None:
            child.kill_at = now + grace(self.town, child.state)
            processes.send_signal(*identity, signal.SIGTERM)
        elif now >= child.kill_at:
            log.warning("%s (pid %d) did not end in time: killed", child.state.name, identity.pid)
            processes.send_signal(*identity, signal.SIGKILL)
            child.kill_at = now + processes.KILL_WAIT

    def _abandon(self) -> None:
        """End everything and write no record: the folder for it is gone."""
        log.warning("the town's folder is gone: ending its processes")
        end_together(self.town, [child.state for child in self.children.values() if child.state.alive])
        if self._server is not None:
            processes.stop(*self._server, WORKER_GRACE)
        shutil.rmtree(self.town.runtime, ignore_errors=True)

    def _has_town(self) -> bool:
        return os.path.exists(self._identity)  # noqa: PTH110


def main() -> int:
    """Supervise the town of ``TINYTOWN_TOWN``, unless somebody does already."""
    contract.forget_foreign(os.environ)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        town = open_town(Path(os.environ[contract.ENV_TOWN]))
        lock = _take_lock(town)
    except TinytownError as error:
        log.error("%s", error)
        return error.exit_code
    if lock is None:
        log.info("another supervisor is at work")
        return 0
    if "--again" in sys.argv[1:] and not process_specs.wanted(town):
        log.info("the town was stopped meanwhile")
        return 0
    files.private_folder(process_specs.states_folder(town))
    supervisor = Supervisor(town, lock)

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        supervisor.end()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    log.info("supervising %s (pid %d)", town.root, supervisor.me.pid)
    supervisor.run()
    log.info("ended")
    if process_specs.supervisor(town) == supervisor.me:
        process_specs.supervisor_path(town).unlink(missing_ok=True)
    return 0


def _take_lock(town: Town) -> int | None:
    path = files.private_folder(town.run) / LOCK
    deadline = time.monotonic() + LOCK_SECS
    while (lock := files.try_lock(path)) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return lock


if __name__ == "__main__":
    sys.exit(main())
