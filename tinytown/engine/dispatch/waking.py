"""Agents that went cold come back when there is work for them.

Whoever decides that there is puts it into the agent's record; the agent then gets a seat in the process of its role.
"""

from __future__ import annotations

import logging

from tinytown.engine.context import Context
from tinytown.engine.dispatch import placement
from tinytown.errors import TinytownError
from tinytown.host import seats
from tinytown.missions.records.agent import Agent
from tinytown.missions.states import AgentState

log = logging.getLogger(__name__)

#: Seconds after which an agent that is to come back, and has no seat, was forgotten by whoever woke it.
FORGOTTEN_SECS = 5.0


def start(context: Context, agent: Agent) -> None:
    """Have an agent served again; where that fails now, a tick tries again."""
    try:
        placement.start(context, agent)
    except (TinytownError, OSError) as error:
        log.warning("%s cannot be started yet: %s", agent.name, error)


def start_forgotten(context: Context) -> None:
    """Start those whose waking was interrupted between the record and the seat."""
    now = context.store.now()
    late = [
        agent
        for agent in context.crew.agents().values()
        if agent.state is AgentState.STARTING and agent.returns and now - agent.since >= FORGOTTEN_SECS
    ]
    served = seats.processes(context.town) if late else {}
    for agent in late:
        if agent.name not in served or placement.is_elsewhere(context, agent):
            log.info("%s is started: there is work for it", agent.name)
            start(context, agent)
