"""One worker process: what it serves, how it says that it is alive, how it ends.

Threads pool with one slot: the task only supervises a subprocess. Threads ignore Celery's own ways to end
a task, so the shutdown signal ends the run itself, which then returns in the ordinary way.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from celery import Celery, signals

from tinytown import contract
from tinytown.engine.context import Context
from tinytown.errors import TinytownError
from tinytown.missions.records.agent import Agent
from tinytown.missions.scheduler import CHECKS_ROLE
from tinytown.missions.states import AgentState
from tinytown.state.records import Versioned

log = logging.getLogger(__name__)

#: A worker counts as alive for this many heartbeats without a sign of it.
PRESENCE_BEATS = 3
#: Seconds that a process may take to start again.
RETURN_SECS = 60.0
#: Module whose tasks are the periodic duties; the control worker serves them too.
DUTIES = "tinytown_beat.duties"


@dataclass(frozen=True)
class Identity:
    """Who a process is: an agent, the checks worker, or the control worker (which takes no attempts)."""

    name: str
    queues: tuple[str, ...]
    role: str
    cli: str = ""


CONTROL = Identity("control", (contract.QUEUE_CONTROL,), "control")


def checks_identity() -> Identity:
    """The checks worker of this machine."""
    return Identity("checks", (contract.QUEUE_CHECKS,), CHECKS_ROLE)


def agent_identity(agent: Agent) -> Identity:
    """A spawned agent: it serves its own queue and its role's."""
    queues = (contract.agent_queue(agent.name), contract.role_queue(agent.role))
    return Identity(agent.name, queues, agent.role, agent.cli)


class Presence:
    """Says that the worker is alive, until it is told to leave."""

    def __init__(self, context: Context, identity: Identity, *, queues: tuple[str, ...]) -> None:
        self._context = context
        self._identity = identity
        self._queues = queues
        self._gone = threading.Event()
        self._returns = False
        self._thread = threading.Thread(target=self._announce, name="presence", daemon=True)

    def begin(self) -> None:
        """Put the agent's record in order, then announce it again and again."""
        self._enlist()
        self._say()
        self._thread.start()

    def leave(self) -> None:
        """Stop being alive at once, so that nothing is sent here any more."""
        self._gone.set()
        if self._returns:
            return
        try:
            self._context.crew.leave(self._identity.name)
        except TinytownError as error:
            log.warning("could not say goodbye: %s", error)

    def step_out(self) -> None:
        """Leave only to come back in a moment, as the next process: nobody is to be asked for another worker."""
        self._returns = True
        self._gone.set()
        try:
            self._context.crew.announce(self._identity.name, RETURN_SECS)
        except TinytownError as error:
            log.warning("could not say that it comes back: %s", error)

    def _enlist(self) -> None:
        crew = self._context.crew
        found = crew.agents().get(self._identity.name)
        old: Versioned[Agent] | None = crew.agent(self._identity.name) if found else None
        record = found or Agent(
            name=self._identity.name,
            role=self._identity.role,
            cli=self._identity.cli,
            spawned_at=self._context.store.now(),
        )
        taking = record.state in (AgentState.STARTING, AgentState.ERROR, AgentState.STOPPED, AgentState.COLD)
        state = AgentState.IDLE if taking else record.state
        crew.put(old, record.evolve(state=state, host=socket.gethostname(), queues=self._queues))

    def _announce(self) -> None:
        heartbeat = self._context.town.settings.timing.heartbeat_secs
        while not self._gone.wait(heartbeat / 2):
            self._say()

    def _say(self) -> None:
        timing = self._context.town.settings.timing
        try:
            self._context.crew.announce(self._identity.name, timing.heartbeat_secs * PRESENCE_BEATS)
        except TinytownError as error:
            log.warning("could not say that it is alive: %s", error)


def serve(
    app: Celery, identity: Identity, *, concurrency: int, on_ready: Callable[[], None], on_stop: Callable[[], None]
) -> None:
    """Consume the identity's queues until a signal; ``on_stop`` runs as soon as one arrives."""

    def stopping(**_: Any) -> None:
        # In a thread: a signal handler must not wait for a database.
        threading.Thread(target=on_stop, name="stop", daemon=True).start()

    def ready(**_: Any) -> None:
        on_ready()

    signals.worker_ready.connect(ready, weak=False)
    signals.worker_shutting_down.connect(stopping, weak=False)
    # The command line knows only Celery's own pools.
    app.conf.worker_pool = "tinytown_workers.pool:Pool"
    arguments = [
        "--quiet",
        "worker",
        f"--concurrency={concurrency}",
        f"--queues={','.join(identity.queues)}",
        f"--hostname={identity.name}@{socket.gethostname()}-{os.getpid()}",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=INFO",
    ]
    cast(Any, app).worker_main(argv=arguments)
