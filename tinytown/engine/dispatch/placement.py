"""On which host an agent is: where it is served now, and where it is to start."""

from __future__ import annotations

from collections.abc import Mapping

from tinytown.engine.context import Context
from tinytown.host import seats
from tinytown.missions.records.agent import Agent
from tinytown.missions.states import AgentState
from tinytown.state.hosts import Hosts
from tinytown.state.records import Versioned


def is_elsewhere(context: Context, agent: Agent) -> bool:
    """Whether its place is on another host than this one.

    A home is known by not being any of the others: the name of its machine may change.
    """
    town = context.town
    if agent.host in ("", town.machine):
        return False
    if not town.home:
        return True
    other = Hosts(context.store).get(agent.host)
    return other is not None and not other.record.home


def elsewhere(context: Context, records: Mapping[str, Versioned[Agent]]) -> dict[str, str]:
    """By agent that another host has: that host. It has it by the agent's presence, or is to start it."""
    others = {name: one.record for name, one in records.items() if is_elsewhere(context, one.record)}
    alive = context.crew.alive() if others else set()
    return {n: a.host for n, a in others.items() if n in alive or a.state is AgentState.STARTING}


def start(context: Context, agent: Agent) -> None:
    """Have an agent served where its record says, which is on record already.

    Raises:
        TinytownError: it cannot be now; a tick, or its host, tries again.
    """
    if is_elsewhere(context, agent):
        Hosts(context.store).tell([agent.host])
    else:
        seats.take(context.town, agent.name, agent.role, cli_folder=agent.cli_folder)
