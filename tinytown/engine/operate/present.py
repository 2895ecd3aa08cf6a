"""The agents of a town and what they do, as they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinytown.engine.conductor.messages import KINDS
from tinytown.engine.context import Context
from tinytown.errors import NotFoundError
from tinytown.host import lifecycle as towns
from tinytown.host import seats
from tinytown.host.lifecycle import ProcessStatus
from tinytown.missions.agent_states import ENDED, shown
from tinytown.missions.crew import TOWN_ROLES
from tinytown.missions.records.agent import Agent
from tinytown.missions.states import AgentState
from tinytown.state.records import LiveAttempt

#: Restarts after which an agent whose process is not there counts as one that cannot run.
FAILURES = 2


@dataclass(frozen=True)
class AgentView:
    """An agent as people see it."""

    name: str
    nickname: str
    #: ``Nickname [role]``.
    label: str
    role: str
    cli: str
    state: str
    #: Why it is in this state, where somebody or something put it there, and since when.
    why: str
    state_since: float
    #: Cold, and started again when there is work for it.
    returns: bool
    #: The agent that it was spawned for.
    parent: str
    #: Runs that it began since it was started, and how many it may; 0 for no limit.
    rounds: int
    max_rounds: int
    #: What it works on: item key, purpose and since when.
    item: str = ""
    purpose: str = ""
    since: float | None = None
    mission: str = ""
    #: Messages that it has not got yet, by kind.
    pending: Mapping[str, int] = field(default_factory=dict)
    #: When it was spawned.
    spawned_at: float = 0.0
    #: While it is there: the process that serves it, as ``<machine>/<pid>``.
    worker: str = ""
    #: The host that it is on; empty where that was never said.
    host: str = ""


def agent_views(context: Context) -> list[AgentView]:
    """All agents with what they do, in the order they were spawned."""
    agents = [agent for agent in context.crew.agents().values() if agent.role not in TOWN_ROLES]
    return _views(context, agents)


def agent_view(context: Context, name: str) -> AgentView:
    """One agent.

    Raises:
        NotFoundError: there is none of this name.
    """
    return _views(context, [context.crew.agent(name).record])[0]


def _views(context: Context, agents: Sequence[Agent]) -> list[AgentView]:
    alive = context.crew.alive()
    work = {a.agent: a for a in context.store.live_attempts() if a.claimed}
    names = [agent.name for agent in agents]
    rounds, pending = context.crew.rounds(names), context.mail.counts(names)
    # Its process is there some seconds before the agent says so itself.
    late = any(agent.name not in alive and agent.state not in ENDED for agent in agents)
    processes = {p.name: p for p in towns.processes(context.town)} if late else {}
    place = seats.processes(context.town) if late else {}
    found = []
    for agent in agents:
        process = processes.get(place.get(agent.name, ""))
        live, since = _at_hand(context, work.get(agent.name))
        state = shown(
            agent,
            alive=agent.name in alive,
            at_work=live is not None,
            begins=process is not None and process.state in ("running", "starting", "restarting"),
            fails=process is not None and process.state == "restarting" and process.restarts >= FAILURES,
        )
        found.append(
            AgentView(
                name=agent.name,
                nickname=agent.nickname,
                label=agent.label,
                role=agent.role,
                cli=agent.cli,
                state=state.value,
                why=_why(agent, state, process),
                state_since=agent.since or agent.spawned_at,
                returns=agent.returns,
                parent=agent.parent,
                rounds=rounds[agent.name],
                max_rounds=agent.max_rounds,
                item=live.item if live else "",
                purpose=live.purpose if live else "",
                since=since,
                mission=live.mission if live else "",
                spawned_at=agent.spawned_at,
                worker=agent.worker if agent.name in alive and agent.state not in ENDED else "",
                host=agent.host,
                pending={kind: pending[agent.name][kind] for kind in KINDS},
            )
        )
    return found


def _at_hand(context: Context, live: LiveAttempt | None) -> tuple[LiveAttempt | None, float | None]:
    """What an agent works on, and since when."""
    if live is None:
        return None, None
    try:
        attempt = context.store.item(live.mission, live.item).record.attempt
    except NotFoundError:
        return None, None
    return live, attempt.claimed_at if attempt is not None else None


def _why(agent: Agent, state: AgentState, process: ProcessStatus | None) -> str:
    if state is AgentState.ERROR and process is not None:
        return f"its process ends again and again, with exit code {process.last_exit}; see {process.log}"
    if state is AgentState.STOPPED and agent.state is not AgentState.STOPPED:
        return "there is no sign of its worker"
    if state in (AgentState.IDLE, AgentState.WORKING, AgentState.STARTING):
        return ""
    return agent.why
