"""That a host is there, and what it shall do: a thread of its supervisor renews its lease and listens.

What it shall do is on record, so nothing is lost while it is away: agents that are to start here have their place in
their own records, the town's settings are published, and a host that drains is marked so. A word in its list only
makes it look at once. Whoever asks something gets an answer through a list of his own.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from tinytown import contract, processes, settings
from tinytown.errors import ConflictError, StateError, TinytownError
from tinytown.host import machine, process_specs, seats, telling
from tinytown.state.hosts import Host, Hosts, Versioned
from tinytown.town import Town, amend_identity, load_settings, read_identity

log = logging.getLogger("tinytown.supervisor")

#: A lease lasts for so many times the pause between two renewals, and at least so many seconds: a machine that has much
#: else to do is not away.
BEATS, LEAST_SECS = 3, 15.0
#: Most seconds that the database is waited for in one call.
_LISTEN_SECS = 5.0
#: Seconds between two tries to reach the database.
_RETRY_SECS = 2.0
#: Seconds after which what a host says of itself is found out again.
_DESCRIBE_SECS = 300.0
#: Seconds for an answer of the doctor.
DOCTOR_SECS = 45.0


class Presence:
    """See the module. ``end`` is called once when this host shall stop."""

    def __init__(self, town: Town, end: Callable[[], None]) -> None:
        self._town = town
        self._end = end
        self._stop = threading.Event()
        self._known: Versioned[Host] | None = None
        self._renewed_at = self._described_at = -1e9
        self._trouble = self._wrong = ""
        self._state: object = None
        self._left = False
        self._hosts: Hosts | None = None
        self._thread = threading.Thread(target=self._follow, name="presence", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def leave(self) -> None:
        """Say that this host is not there any more; one that drained is forgotten."""
        self._stop.set()
        if self._hosts is None or self._known is None or self._left:
            return
        name, mine = self._town.machine, self._known.record.folder
        try:
            self._hosts.tell([name])  # The thread may be listening.
            self._thread.join(timeout=_LISTEN_SECS)
            known = self._hosts.get(name)
            if known is None or known.record.folder != mine:
                return
            if known.record.draining:
                self._hosts.remove(known)
            else:
                self._hosts.renew(known, 0)
        except TinytownError as error:
            log.warning("could not say goodbye: %s", error)

    # -- its thread ------------------------------------------------------------------------------

    @property
    def _beat(self) -> float:
        return self._town.settings.timing.heartbeat_secs

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
                self._listen()
                self._trouble = ""
            except ConflictError:
                self._stop.wait(_RETRY_SECS / 10)
            except Exception as error:
                # Whatever it is, the host's processes go on; it is said once.
                if self._trouble != (trouble := str(error)):
                    log.warning("this host cannot say that it is there: %s", error, exc_info=not _is_known(error))
                    self._trouble = trouble
                self._stop.wait(_RETRY_SECS)

    def _open(self) -> Hosts:
        if self._hosts is None:
            self._hosts = telling.hosts_of(self._town)
        return self._hosts

    def _look(self) -> None:
        """Everything that is on record for this host, once."""
        hosts = self._open()
        if not self._settings(hosts):
            return
        if not self._say(hosts):
            return
        # In this order: whoever seats an agent here has put it on record before.
        served = seats.processes(self._town)
        wanted, there = hosts.seated_at(self._town.machine)
        for name, agent in wanted.items():
            if name not in served:
                log.info("%s is started: the town wants it here", name)
                seats.take(self._town, name, agent.role, cli_folder=self._folder_of(agent.cli) or agent.cli_folder)
        if not self._town.home:
            # They ended, or were forgotten, by a command on another host.
            for name in served.keys() - there:
                seats.leave(self._town, name)

    def _folder_of(self, cli: str) -> str:
        found = self._known.record.cli(cli) if self._known is not None else None
        return found.folder if found is not None else ""

    def _settings(self, hosts: Hosts) -> bool:
        """Take over what the home published, or at home its file; gives whether this host may serve the town."""
        told = None if self._town.home else hosts.published()
        if told is not None and (fault := telling.release_fault(told)):
            log.error("%s: this host ends", fault)
            self._finish()
            return False
        wrong = ""
        try:
            if told is not None and telling.take_over(self._town, told):
                log.info("took over new settings of the town")
            self._read_again()
        except (TinytownError, OSError) as error:
            # A host whose file has a mistake, or whose disk is full, is there all the same, with the settings it has.
            wrong = f"this host goes on with the settings that it has: {error}"
        if wrong and wrong != self._wrong:
            log.warning("%s", wrong)
        self._wrong = wrong
        return True

    def _read_again(self) -> None:
        state = settings.state_of(self._town.root)
        if state == self._state:
            return
        new = load_settings(self._town.root, self._town.host)
        self._state = state
        if new != self._town.settings:
            self._town = replace(self._town, settings=new)
            self._described_at = -1e9

    def _say(self, hosts: Hosts) -> bool:
        """Renew the lease, and what is said of this host; gives whether it is one of the town's."""
        seconds = max(self._beat * BEATS, LEAST_SECS)
        if self._known is None or time.monotonic() - self._described_at >= _DESCRIBE_SECS:
            found = hosts.get(self._town.machine)
            mine = identify(self._town)
            if found is not None and not self._mine(found.record, mine):
                self._refuse(found.record)
                return False
            if found is None and not self._town.home:
                self._forgotten()
                return False
            now = hosts.store.now()
            old = found.record if found is not None else Host(name=self._town.machine, folder=mine, joined_at=now)
            started = old.started_at if self._known is not None else now
            new = self._described(old, now).evolve(home=self._town.home, started_at=started, folder=mine)
            hosts.put(found, new, seconds=seconds)
            self._known = hosts.get(self._town.machine)
            self._described_at = self._renewed_at = time.monotonic()
        elif time.monotonic() - self._renewed_at >= self._beat:
            try:
                hosts.renew(self._known, seconds)
            except ConflictError:
                self._described_at = -1e9  # Somebody changed the record: read it again.
                raise
            self._renewed_at = time.monotonic()
        return True

    def _described(self, old: Host, now: float) -> Host:
        """What is true of this host now; where that cannot be found out, what was."""
        try:
            return machine.describe(self._town, old, now=now)
        except Exception as error:  # Plug-ins are asked, too.
            log.warning("what is here could not be found out: %s", error, exc_info=not _is_known(error))
            return old

    def _mine(self, found: Host, folder: str) -> bool:
        """Whether the record is this folder's; a home is where its repository is, whatever folder it had."""
        return found.folder == folder or (self._town.home and found.home)

    def _refuse(self, other: Host) -> None:
        """Another folder has this host's name: a host ends, a home goes on without a record."""
        if self._town.home:
            self._renewed_at = time.monotonic()
            raise StateError(f"{other.root} on {other.address} joined under this host's name, {other.name}")
        log.error("this host's name, %s, is that of %s on %s by now: it ends", other.name, other.root, other.address)
        self._left = True
        self._finish()

    def _forgotten(self) -> None:
        log.error("this host is not one of the town's any more: it ends; `tt join` brings it back")
        self._left = True
        self._finish()

    def _finish(self) -> None:
        process_specs.unwant(self._town)
        self._stop.set()
        self._end()

    # -- words -----------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Wait for a word, but not longer than until the lease is to be renewed."""
        if self._stop.is_set():
            return
        left = self._renewed_at + self._beat - time.monotonic()
        word = self._open().hear(self._town.machine, max(0.1, min(left, _LISTEN_SECS)))
        what, _, reply = (word or "").partition(" ")
        if what == "doctor" and reply:
            threading.Thread(target=self._examine, args=(reply,), name="doctor", daemon=True).start()
        elif what == "stop" and self._drains():
            log.warning("this host leaves the town")
            self._finish()

    def _drains(self) -> bool:
        """Whether it was asked to leave the town."""
        known = self._open().get(self._town.machine)
        return known is not None and known.record.draining

    def _examine(self, reply: str) -> None:
        """Let the doctor look at this host, and send on what he finds."""
        argv = [sys.executable, "-P", "-m", "tinytown.cli.main", "doctor", "--here", "--json"]
        env = {**contract.for_processes(os.environ), contract.ENV_TOWN: str(self._town.root)}
        try:
            done = processes.run(argv, cwd="/", env=env, timeout=DOCTOR_SECS, check=False)
            found = json.loads(done.stdout)
            # A connection of its own: this thread's may wait for the next word.
            telling.hosts_of(self._town).answer(self._town.machine, reply, found)
        except (TinytownError, ValueError, OSError) as error:
            log.warning("the doctor's findings were not sent: %s", error)


def identify(town: Town) -> str:
    """The random word by which this folder is told from another one of the same name, made if there is none."""
    if not (folder := read_identity(town.root).folder):
        amend_identity(town.root, folder=(folder := uuid.uuid4().hex))
    return folder


def _is_known(error: Exception) -> bool:
    return isinstance(error, TinytownError | OSError)
