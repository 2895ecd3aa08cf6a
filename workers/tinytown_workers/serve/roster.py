"""Which agents a worker process serves, and that they are alive.

An agent comes or goes by a command, while the others are at work. It is served once its record is there and no other
process on this machine serves it: that process would hold a lock, which ends with it however it dies. So a process that
is only finishing its last runs, an agent that was killed and is spawned again, and a worker in the foreground never act
for one agent at the same time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Collection, Mapping
from typing import Protocol

from tinytown import contract, files
from tinytown.engine.context import Context
from tinytown.engine.dispatch import attempts, placement
from tinytown.engine.dispatch.advance import advance_all
from tinytown.engine.operate import conductor
from tinytown.engine.plan import claims
from tinytown.errors import ConflictError, TinytownError
from tinytown.host import process_identity, process_specs, seats
from tinytown.host.process_specs import Seat
from tinytown.host.room import Room
from tinytown.log import of_agent
from tinytown.missions.agent_states import ENDED, RESTING
from tinytown.missions.crew import CONDUCTOR_ROLE, TOWN_ROLES
from tinytown.missions.records.agent import Agent
from tinytown.missions.states import AgentState
from tinytown.state.records import Versioned
from tinytown_workers.serve.slots import Slot, Slots
from tinytown_workers.serve.sources import Source, find_cli

log = logging.getLogger(__name__)

#: An agent counts as alive for this many heartbeats without a sign of it.
PRESENCE_BEATS = 3
#: Seconds that a process may take to start again.
RETURN_SECS = 60.0
#: Seconds between two looks at who shall be served.
PAUSE = 0.4
#: Why an agent stops that has done as many runs as it may.
LIMIT = "it has done all the runs that it may"
#: Seconds between two looks at what operators want of those who are served; and while all of them are idle, and nobody
#: on this machine has told them anything.
HEAR_SECS, CALM_SECS = 1.0, 5.0
#: Seconds until another try for one who could not be served.
RETRY_SECS = 1.0
#: Seconds after which no message can still arrive from a queue that is no longer consumed.
LEFT_SECS = 1.5


class Queues(Protocol):
    """What consumes the queues of a process."""

    def begin(self, queue: str) -> None: ...
    def end(self, queue: str) -> None: ...


class Roster:
    """See the module. Everything but ``leave`` and ``step_out`` happens in its own thread."""

    def __init__(self, context: Context, slots: Slots, source: Source, *, role: str, alone: bool = False) -> None:
        self._context = context
        #: The process is there for one agent, and ends with it.
        self._alone = alone
        self._slots = slots
        self._source = source
        self._role = role
        self._queues: Queues | None = None
        #: The locks of agents that are served, or are finishing their last run.
        self._locks: dict[Slot, int] = {}
        self._retry_at: dict[str, float] = {}
        self._say_at = self._hear_at = self._heard_at = 0.0
        #: What was new when it last heard what operators want; ``None`` unless all were idle then.
        self._heard: object = None
        self._room = Room(context.town)
        #: Whether there was no room when it last looked; ``None``: it has not looked yet.
        self._full: bool | None = None
        self._gone = threading.Event()
        #: Another process is taking, or has taken, the place of this one.
        self._returns = False
        self._leaving = False
        self._successor = ""
        self._thread = threading.Thread(target=self._follow, name="roster", daemon=True)

    @property
    def names(self) -> list[str]:
        """Names of the agents that are served."""
        return [slot.name for slot in self._slots if not slot.gone]

    @property
    def queues(self) -> tuple[str, ...]:
        """All queues that are consumed."""
        own = () if self._role in TOWN_ROLES else tuple(slot.queue for slot in self._slots if not slot.gone)
        return (self._slots.shared, *own)

    def begin(self, queues: Queues) -> None:
        """Serve, from now on."""
        self._queues = queues
        self._look()
        self._thread.start()

    def leave(self) -> None:
        """Stop being alive at once, so that nothing is sent here any more."""
        self._gone.set()
        if self._returns:
            return
        try:
            records = self._context.crew.some(self.names)
            ours = [name for name, known in records.items() if not self._is_of_another(known.record)]
            self._context.crew.leave(*ours)
        except TinytownError as error:
            log.warning("could not say goodbye: %s", error)

    def _is_of_another(self, agent: Agent) -> bool:
        """Whether another host has it, which may have taken it while this one was away."""
        return self._role not in TOWN_ROLES and placement.is_elsewhere(self._context, agent)

    def step_out(self) -> None:
        """Leave for a moment, as the next process comes back with them, so that nobody is asked for other workers."""
        self._returns = True
        self._gone.set()
        self._expect_back(self.names)

    def hand_over(self, process: str) -> None:
        """Leave all idle agents to another process of this name; those at work follow one by one."""
        self._successor = process

    def _expect_back(self, names: Collection[str]) -> None:
        try:
            self._context.crew.announce(names, RETURN_SECS)
        except TinytownError as error:
            log.warning("could not say who comes back: %s", error)

    # -- its thread ------------------------------------------------------------------------------

    def _follow(self) -> None:
        while not self._gone.wait(PAUSE):
            self._look()

    def _look(self) -> None:
        try:
            if self._successor and not self._leaving:
                self._make_room()
            self._compare(self._source())
            self._hear_if_due()
            if time.monotonic() >= self._say_at:
                self._say_at = time.monotonic() + self._context.town.settings.timing.heartbeat_secs
                self._say()
        except (TinytownError, OSError) as error:
            log.warning("agents are not looked after: %s", error)

    def _compare(self, wanted: Mapping[str, Seat]) -> None:
        for slot in self._slots:
            seat = wanted.get(slot.name)
            if not slot.gone and (seat is None or seat.token != slot.token):
                self._dismiss(slot)
            if not slot.busy and (slot.gone or self._slots.closed):
                self._let_go(slot)
        if self._leaving:
            return
        served = {slot.name for slot in self._slots}
        now = time.monotonic()
        new = {n: seat for n, seat in wanted.items() if n not in served and now >= self._retry_at.get(n, 0.0)}
        if new:
            self._take_in(new)

    def _make_room(self) -> None:
        self._leaving = True
        if self._queues is not None:
            for queue in self.queues:
                self._queues.end(queue)
        time.sleep(LEFT_SECS)
        self._slots.close()
        process_specs.say_leaving(self._context.town, self._successor)

    def _dismiss(self, slot: Slot) -> None:
        """Dismiss an agent that was killed: nothing more is taken for it, and its run is stopped."""
        slot.end()
        slot.hold.wanted = False
        if self._queues is not None:
            self._queues.end(slot.queue)
        with of_agent(slot.name):
            log.info("%s is served no more", slot.name)

    def _let_go(self, slot: Slot) -> None:
        self._slots.remove(slot)
        if not slot.gone:
            self._expect_back([slot.name])
        os.close(self._locks.pop(slot))
        if self._alone and slot.gone:
            log.info("nobody is left to be served")
            os.kill(os.getpid(), signal.SIGTERM)

    def _take_in(self, wanted: Mapping[str, Seat]) -> None:
        """Begin to serve these agents, as far as that is possible now."""
        crew, mine = self._context.crew, {}
        locks = self._context.town.run / "agents"
        # Parent folders are not made: a process that outlives the move of its town must not create the old place again.
        locks.mkdir(mode=0o700, exist_ok=True)
        for name in wanted:
            lock = files.try_lock(locks / f"{name}.lock")
            if lock is not None:
                mine[name] = lock
            else:
                if name not in self._retry_at:
                    log.info("%s is still served by another process", name)
                self._retry_at[name] = time.monotonic() + RETRY_SECS
        try:
            records = crew.some(list(mine))
            elsewhere = {} if self._role in TOWN_ROLES else placement.elsewhere(self._context, records)
            for name in elsewhere:
                log.warning("%s is served on %s: not here", name, elsewhere[name])
                seats.leave(self._context.town, name, token=wanted[name].token)
                os.close(mine.pop(name))
            attempts.abandon(self._context, mine, ended=process_identity.ended)
            served = [
                record for name in mine if (record := self._enlist(name, records.get(name), wanted[name])) is not None
            ]
            rounds = crew.rounds([record.name for record in served])
            for record in served:
                self._serve(record, wanted[record.name], mine.pop(record.name), rounds=rounds[record.name])
        finally:
            for name, lock in mine.items():
                self._retry_at[name] = time.monotonic() + RETRY_SECS
                os.close(lock)
        if served:
            self._say()
            advance_all(self._context, self._context.store.mission_ids(live=True))
            claims.take_up_quietly(self._context)

    def _serve(self, record: Agent, seat: Seat, lock: int, *, rounds: int) -> None:
        find_cli(seat.cli_folder)
        slot = Slot(record.name, record.role, record.cli, seat.token, paused=record.state in RESTING)
        slot.rounds_left = max(0, record.max_rounds - rounds) if record.max_rounds else None
        self._locks[slot] = lock
        self._retry_at.pop(slot.name, None)
        self._slots.add(slot)
        if self._queues is not None and self._role not in TOWN_ROLES:
            self._queues.begin(slot.queue)
        with of_agent(slot.name):
            log.info("%s is served: %s%s", slot.name, slot.role, f" with {slot.cli}" if slot.cli else "")

    def _enlist(self, name: str, old: Versioned[Agent] | None, seat: Seat) -> Agent | None:
        """Put the agent's record in order; ``None`` if it is not to be served."""
        ours = self._role in TOWN_ROLES
        if old is None and not ours:
            log.warning("there is no record of %s: it is not served", name)
            return None
        if old is not None and old.record.state in ENDED and not ours:
            # The command that ended it was interrupted before it gave up the seat.
            seats.leave(self._context.town, name, token=seat.token)
            return None
        now = self._context.store.now()
        record = old.record if old is not None else Agent(name=name, role=self._role, cli="", spawned_at=now)
        if self._role == CONDUCTOR_ROLE:
            record = record.evolve(cli=conductor.name_of(self._context.town))
        queues = (self._shared,) if ours else (contract.agent_queue(name), self._shared)
        record = record.evolve(
            state=AgentState.IDLE if ours or record.state is AgentState.STARTING else record.state,
            host=self._context.town.machine,
            queues=queues,
            worker=f"{self._context.town.machine}/{os.getpid()}",
            still=False,
            returns=False,
        )
        change = self._context.store.change()
        change.put_agent(old, record, why="its worker is there", at=now)
        # With the record: from this moment on no other host takes it.
        change.announce([name], self._present_secs)
        try:
            change.commit()
        except ConflictError:
            return None  # Another host was quicker, or somebody wants something of it: it is looked at again.
        return record

    @property
    def _present_secs(self) -> float:
        return self._context.town.settings.timing.heartbeat_secs * PRESENCE_BEATS

    @property
    def _shared(self) -> str:
        return self._slots.shared

    def _say(self) -> None:
        """Announce that the agents are alive."""
        names = [slot.name for slot in self._slots if not slot.gone]
        self._tell_room(self._present_secs)
        self._context.crew.announce(names, self._present_secs)

    def _tell_room(self, seconds: float) -> None:
        """Have nothing sent to this machine while its disks have no room for it."""
        self._context.catch_up()
        missing = self._room.shortage(self._context.town.settings.limits.disk_free)
        if missing:
            if not self._full:
                log.warning("nothing is begun here: %s", missing)
            self._context.crew.note_full(self._context.town.machine, missing, seconds)
        elif self._full is not False and self._context.crew.note_room(self._context.town.machine):
            log.info("there is room again")
            advance_all(self._context, self._context.store.wanting())
        self._full = bool(missing)

    def _hear_if_due(self) -> None:
        now = time.monotonic()
        if now < self._hear_at:
            return
        self._hear_at = now + HEAR_SECS
        town, rest = self._context.town, self._slots.at_rest()
        several = not town.home or town.settings.redis.url is not None  # hosts: operators may be anywhere
        news = None if several or rest is None else (seats.told(town), rest)
        if news is not None and news == self._heard and now < self._heard_at + CALM_SECS:
            return
        self._heard_at = now
        self._heard = news if self._hear() else None

    def _hear(self) -> bool:
        """What operators want of them, and tell what came of it; gives whether all are idle, and stay so for now."""
        if self._role in TOWN_ROLES:
            return True
        served = [slot for slot in self._slots if not slot.gone]
        records = self._context.crew.some([slot.name for slot in served])
        for slot in served:
            with of_agent(slot.name), contextlib.suppress(ConflictError):
                # Somebody was quicker; what they want is read the next time.
                self._obey(slot, records.get(slot.name))
        return all(known.record.state is AgentState.IDLE for known in records.values()) and len(records) == len(served)

    def _obey(self, slot: Slot, known: Versioned[Agent] | None) -> None:
        if known is None or known.record.state in ENDED:
            self._dismiss(slot)
            return
        record = known.record
        if self._is_of_another(record):
            log.warning("%s is served on %s by now: not here", slot.name, record.host)
            self._dismiss(slot)
            seats.leave(self._context.town, slot.name, token=slot.token)
            return
        slot.paused = record.state in RESTING
        slot.hold.wanted = record.state is AgentState.PAUSED
        if record.state is AgentState.STARTING:
            self._put(known, record.evolve(state=AgentState.IDLE, returns=False), why="its worker is there")
        elif not slot.busy and slot.rounds_left == 0:
            self._retire(slot, known, AgentState.STOPPED, why=LIMIT)
        elif not slot.busy and record.state is AgentState.DRAINING:
            self._retire(slot, known, AgentState.COLD, why=record.why)
        elif record.state is AgentState.IDLE and self._is_idle_for_long(slot):
            self._go_cold(slot, known)
        elif (still := record.state is AgentState.PAUSED and slot.still) is not record.still:
            self._put(known, record.evolve(still=still), why=record.why)

    def _is_idle_for_long(self, slot: Slot) -> bool:
        limit = self._context.town.settings.agent.idle_timeout_secs
        if slot.busy:
            return False
        return bool(limit) and not self._alone and time.monotonic() - slot.idle_since >= limit

    def _go_cold(self, slot: Slot, known: Versioned[Agent]) -> None:
        """It stops until there is work for it, unless some is on its way to it."""
        store = self._context.store
        version = store.admissions()
        queues = (slot.queue, self._shared)
        if any(not attempt.claimed and attempt.queue in queues for attempt in store.live_attempts()):
            return
        minutes = self._context.town.settings.agent.idle_timeout_secs / 60
        change = store.change()
        cold = known.record.evolve(state=AgentState.COLD, returns=True)
        change.put_agent(known, cold, why=f"it was idle for {minutes:.3g} min", at=store.now())
        # Nothing may have been sent to it meanwhile.
        change.admissions(version)
        change.commit()
        self._part(slot)

    def last_run(self, slot: Slot) -> None:
        """Have nothing more sent to an agent that has begun the last run that it may begin."""
        with contextlib.suppress(ConflictError):  # Somebody else wants something of it by now.
            known = self._context.crew.agent(slot.name)
            if known.record.state in (AgentState.STARTING, AgentState.IDLE):
                self._put(known, known.record.evolve(state=AgentState.DRAINING), why=LIMIT)

    def _retire(self, slot: Slot, known: Versioned[Agent], state: AgentState, *, why: str) -> None:
        """Let an agent leave that has done all it was to do; the others are not disturbed."""
        self._put(known, known.record.evolve(state=state), why=why)
        self._part(slot)

    def _part(self, slot: Slot) -> None:
        self._dismiss(slot)
        seats.leave(self._context.town, slot.name, token=slot.token)
        self._context.crew.leave(slot.name)

    def _put(self, old: Versioned[Agent], new: Agent, *, why: str) -> None:
        change = self._context.store.change()
        change.put_agent(old, new, why=why, at=self._context.store.now())
        change.commit()
