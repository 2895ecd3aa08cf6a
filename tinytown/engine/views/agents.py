"""The agents of a town and what they do, as they are shown."""

from __future__ import annotations

from dataclasses import dataclass

from tinytown.engine.context import Context
from tinytown.errors import NotFoundError
from tinytown.host import lifecycle as towns
from tinytown.host import seats
from tinytown.missions.scheduler import CHECKS_ROLE
from tinytown.missions.states import AgentState


@dataclass(frozen=True)
class AgentView:
    """An agent as people see it."""

    name: str
    nickname: str
    role: str
    cli: str
    state: str
    #: What it works on: item key, purpose and since when.
    item: str = ""
    purpose: str = ""
    since: float | None = None
    mission: str = ""


def agent_views(context: Context) -> list[AgentView]:
    """All agents with what they do, in the order they were spawned."""
    alive = context.crew.alive()
    work = {a.agent: a for a in context.store.live_attempts() if a.claimed}
    agents = context.crew.agents()
    # Its process is there some seconds before the agent says so itself.
    late = not alive >= agents.keys()
    up = {p.name: p.state for p in towns.processes(context.town)} if late else {}
    place = seats.processes(context.town) if late else {}
    found = []
    for agent in agents.values():
        if agent.role == CHECKS_ROLE:
            continue
        live = work.get(agent.name)
        state = agent.state
        if agent.name not in alive:
            begins = agent.state is AgentState.STARTING or up.get(place.get(agent.name, "")) in ("running", "starting")
            state = AgentState.STARTING if begins else AgentState.STOPPED
        elif live is not None and state not in (AgentState.PAUSED, AgentState.DRAINING):
            state = AgentState.WORKING
        since = None
        if live is not None:
            try:
                attempt = context.store.item(live.mission, live.item).record.attempt
                since = attempt.claimed_at if attempt is not None else None
            except NotFoundError:
                live = None
        found.append(
            AgentView(
                name=agent.name,
                nickname=agent.nickname,
                role=agent.role,
                cli=agent.cli,
                state=state.value,
                item=live.item if live else "",
                purpose=live.purpose if live else "",
                since=since,
                mission=live.mission if live else "",
            )
        )
    return found
