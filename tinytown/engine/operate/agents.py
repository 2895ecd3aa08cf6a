"""Agents: spawn, list, pause, kill. An agent is a worker process under the supervisor, and a record."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tinytown import contract, plugins
from tinytown import processes as programs
from tinytown import programs as tools
from tinytown.engine.context import Context, event
from tinytown.errors import ConfigurationError, NotFoundError, StateError
from tinytown.host import lifecycle as towns
from tinytown.host import process_specs
from tinytown.host.supervisor import grace, working_folder
from tinytown.missions.records.agent import Agent
from tinytown.missions.roles import RoleBook
from tinytown.missions.scheduler import CHECKS_ROLE
from tinytown.missions.states import AgentState
from tinytown.settings import AgentCliSettings
from tinytown.town import Town

#: Seconds beyond its grace for which a process may be ending, and between two looks at it.
_END_SECS, _PAUSE = 5.0, 0.05
#: Names that mean something else.
_RESERVED = frozenset({"conductor", "control", "checks", "beat", "server", "dispatcher", "supervisor", "all"})


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


def spawn(
    context: Context, name: str, *, cli: str | None = None, role: str | None = None, nickname: str = ""
) -> tuple[Agent, bool]:
    """Record an agent and have its process kept running; ``False`` if it ran already.

    Raises:
        ConfigurationError: the name, the role or the CLI is unknown.
        StateError: the CLI is not installed, the name is taken by another kind of agent or one that is still ending, or
            the town is full.
    """
    settings = context.town.settings
    book = RoleBook(settings.roles)
    if name in _RESERVED:
        raise ConfigurationError(f"`{name}` is the name of a part of the town", remedy="choose another name")
    if not contract.is_name(name):
        raise ConfigurationError(
            f"`{name}` cannot be an agent's name", remedy="use lower-case letters, digits, `-` and `_`, 48 at most"
        )
    wanted = book.resolve(role) if role else book.role_of_agent_name(name)
    role_cli = settings.roles[wanted].cli if wanted in settings.roles else None
    tool = cli or role_cli or settings.default_cli
    require_cli(context, tool)
    known = context.crew.agents()
    old = context.crew.agent(name) if name in known else None
    if old is not None and (old.record.role, old.record.cli) != (wanted, tool) and _runs(context, name):
        raise StateError(
            f"`{name}` already exists as {old.record.role} with {old.record.cli}", remedy=f"run `tt kill {name}` first"
        )
    others = [a for a in known.values() if a.name != name and a.role != CHECKS_ROLE and _runs(context, a.name)]
    if len(others) >= settings.max_agents:
        raise StateError(
            f"the town already has {settings.max_agents} agents, the most it may have",
            remedy="raise `max_agents` in tinytown.toml, or `tt kill NAME`",
        )
    now = context.store.now()
    agent = Agent(name=name, role=wanted, cli=tool, nickname=nickname, spawned_at=now)
    if old is not None and _runs(context, name):
        return old.record, False
    _wait_for_end(context.town, name)
    context.crew.put(old, agent)
    change = context.store.change()
    change.event(event("agent_spawned", at=now, agent=name, role=wanted, cli=tool))
    change.commit()
    return agent, True


def begin(context: Context, agent: Agent) -> None:
    """Have the supervisor keep the agent's worker running."""
    argv = [sys.executable, "-m", "tinytown_workers", "--agent", agent.name]
    if process_name(agent.name) in process_specs.read_specs(context.town):
        return  # It is kept running already; another environment would restart it.
    # The town may have been started with another PATH. The folder of a program in the repository holds what agents
    # wrote, and nothing there may pass for a tool of the worker's.
    program, found = _program(context, agent.cli)
    folder = Path(found).absolute().parent if found is not None and not programs.is_relative(program) else None
    env = {contract.ENV_CLI_FOLDER: str(folder)} if folder is not None else {}
    towns.add_process(context.town, process_name(agent.name), argv, kind="agent", env=env)


def _wait_for_end(town: Town, name: str) -> None:
    """Wait until a killed agent's process has ended: a new spec before that would keep the old process alive."""
    if process_name(name) in process_specs.read_specs(town) or process_specs.supervisor(town) is None:
        return
    state = process_specs.read_states(town).get(process_name(name))
    deadline = time.monotonic() + (grace(town, state) + _END_SECS if state else 0.0)
    while state is not None and state.alive:
        if time.monotonic() > deadline:
            raise StateError(
                f"the process of the `{name}` that was killed is still ending", remedy="wait a moment, then do it again"
            )
        time.sleep(_PAUSE)


def process_name(name: str) -> str:
    """What the town calls the process of an agent, and that process's log."""
    return f"agent-{name}"


def _runs(context: Context, name: str) -> bool:
    """Its process has a spec, or it says that it is alive (a worker in the foreground, or on another machine)."""
    known = {p.name for p in towns.processes(context.town)}
    return process_name(name) in known or name in context.crew.alive()


def require_cli(context: Context, name: str) -> None:
    """The CLI must be known and installed.

    Raises:
        ConfigurationError: no driver and no ``[agent_clis.NAME] command`` has this name.
        StateError: its program is not there.
    """
    program, found = _program(context, name)
    if found is None:
        raise StateError(
            f"the CLI `{name}` is not installed: `{program}` was not found",
            remedy=f"install it, or set `command` under [agent_clis.{name}] in tinytown.toml",
        )


def is_installed(context: Context, name: str) -> bool:
    """Whether the program of a CLI is on this machine."""
    try:
        return _program(context, name)[1] is not None
    except ConfigurationError:
        return False


def _program(context: Context, name: str) -> tuple[str, str | None]:
    """The program of a CLI, and where it is found."""
    configured = context.town.settings.agent_clis
    cli = configured.get(name) or AgentCliSettings()
    program = str(plugins.driver(name, cli, configured=configured).executable())
    return program, shutil.which(program, path=tools.agents_path(os.environ.get("PATH") or os.defpath))


def kill(context: Context, name: str) -> bool:
    """End an agent: its run is salvaged and given back; ``False`` if it was not running.

    Raises:
        NotFoundError: there is no such agent.
    """
    context.crew.agent(name)
    ran = _runs(context, name)
    towns.remove_process(context.town, process_name(name))
    context.crew.leave(name)
    context.crew.remove(name)
    change = context.store.change()
    change.event(event("agent_killed", at=context.store.now(), agent=name))
    change.commit()
    return ran


def views(context: Context) -> list[AgentView]:
    """All agents with what they do, in the order they were spawned."""
    alive = context.crew.alive()
    work = {a.agent: a for a in context.store.live_attempts() if a.claimed}
    agents = context.crew.agents()
    # Its process is there some seconds before the agent says so itself.
    up = {} if alive >= agents.keys() else {p.name: p.state for p in towns.processes(context.town)}
    found = []
    for agent in agents.values():
        if agent.role == CHECKS_ROLE:
            continue
        live = work.get(agent.name)
        state = agent.state
        if agent.name not in alive:
            begins = agent.state is AgentState.STARTING or up.get(process_name(agent.name)) in ("running", "starting")
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


def run_here(context: Context, agent: Agent) -> int:
    """Run an agent's worker as a child of this process until it ends; returns its exit code."""
    argv = [sys.executable, "-m", "tinytown_workers", "--agent", agent.name]
    env = {**contract.for_processes(os.environ), contract.ENV_TOWN: str(context.town.root), "PYTHONSAFEPATH": "1"}
    return programs.run_attached(argv, cwd=working_folder(context.town), env=env)
