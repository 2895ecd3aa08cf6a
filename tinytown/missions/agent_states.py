"""What an agent's state is, told from its record and from what is seen of it."""

from __future__ import annotations

from typing import Final

from tinytown.missions.records.agent import Agent
from tinytown.missions.states import AgentState

#: Nobody serves it any more.
ENDED: Final = frozenset({AgentState.COLD, AgentState.STOPPED, AgentState.ERROR})
#: It is served, and takes nothing.
RESTING: Final = frozenset({AgentState.PAUSED, AgentState.DRAINING})


def shown(agent: Agent, *, alive: bool, at_work: bool, begins: bool, fails: bool) -> AgentState:
    """The state that is true now.

    ``alive``: its worker said so lately. ``at_work``: it holds the lease of an attempt. ``begins``: its process is
    there, or about to be. ``fails``: its process ends again and again.
    """
    if agent.state in ENDED:
        # Its last run is being wound down.
        return AgentState.DRAINING if at_work else agent.state
    if not alive:
        if fails:
            return AgentState.ERROR
        return AgentState.STARTING if begins or agent.state is AgentState.STARTING else AgentState.STOPPED
    if at_work:
        if agent.still:
            return AgentState.PAUSED
        return AgentState.DRAINING if agent.state is AgentState.DRAINING else AgentState.WORKING
    return agent.state
