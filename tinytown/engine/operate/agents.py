"""Agents: spawn them. An agent is a seat in the worker process of its role, and a record; ``lives`` has the rest."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tinytown import contract, plugins
from tinytown import processes as programs
from tinytown import programs as tools
from tinytown.engine.conductor import names
from tinytown.engine.context import Context, event
from tinytown.errors import ConfigurationError, StateError
from tinytown.host import seats, terminal
from tinytown.host.supervisor import working_folder
from tinytown.missions import nicknames
from tinytown.missions.agent_states import ENDED
from tinytown.missions.records.agent import Agent
from tinytown.missions.roles import RoleBook
from tinytown.missions.scheduler import TOWN_ROLES
from tinytown.settings import AgentCliSettings


def named(name: str, count: int) -> list[str]:
    """Names for so many agents; for more later, the same ones come first."""
    return [name, *(f"{name}-{number}" for number in range(2, count + 1))]


def role_of(context: Context, name: str) -> str:
    """The role of an agent of this name, where nobody says another one."""
    return RoleBook(context.town.settings.roles).role_of_agent_name(name)


def spawn(
    context: Context,
    name: str,
    *,
    cli: str | None = None,
    role: str | None = None,
    nickname: str = "",
    parent: str = "",
    max_rounds: int = 0,
) -> tuple[Agent, bool]:
    """Record an agent that ``begin`` has run; ``False`` if it is there already.

    Raises:
        ConfigurationError: the name, the role or the CLI is unknown.
        NotFoundError: there is no agent ``parent``.
        StateError: the CLI is not installed, the name is taken by another kind of agent, or the town is full.
    """
    settings = context.town.settings
    book = RoleBook(settings.roles)
    for word in (name, nickname):
        names.require_free(word)
    if not contract.is_name(name):
        raise ConfigurationError(
            f"`{name}` cannot be an agent's name", remedy="use lower-case letters, digits, `-` and `_`, 48 at most"
        )
    wanted = book.resolve(role) if role else book.role_of_agent_name(name)
    role_cli = settings.roles[wanted].cli if wanted in settings.roles else None
    tool = cli or role_cli or settings.default_cli
    require_cli(context, tool)
    known = context.crew.agents()
    ancestor = context.crew.find(parent) if parent else ""
    old = context.crew.agent(name) if name in known else None
    here = name in running(context)
    if old is not None and (old.record.role, old.record.cli) != (wanted, tool) and here:
        raise StateError(
            f"`{name}` already exists as {old.record.role} with {old.record.cli}", remedy=f"run `tt kill {name}` first"
        )
    require_room(context, name)
    if old is not None and here:
        return old.record, False
    now = context.store.now()
    called = nickname or nicknames.pick(name, [a.nickname for a in known.values() if a.name != name])
    agent = Agent(
        name=name,
        role=wanted,
        cli=tool,
        nickname=called,
        spawned_at=now,
        since=now,
        parent=ancestor,
        max_rounds=max_rounds,
        cli_folder=folder_of(context, tool),
    )
    change = context.store.change()
    change.put_agent(old, agent, why="spawned", at=now, told=False)
    change.forget_rounds(name)
    before = old.record.state.value if old is not None else ""
    step = {"from": before, "to": agent.state.value}
    change.event(event("agent_spawned", at=now, agent=name, role=wanted, cli=tool).with_data(step))
    change.commit()
    return agent, True


def begin(context: Context, agent: Agent) -> None:
    """Have the agent served by the process of its role, which the supervisor keeps running."""
    seats.take(context.town, agent.name, agent.role, cli_folder=folder_of(context, agent.cli))


def folder_of(context: Context, cli: str) -> str:
    """The folder of a CLI's program: the town may have been started with another PATH.

    That of a program in the repository holds what agents wrote, and nothing there may pass for a tool of the worker's.
    """
    program, found = _program(context, cli)
    return str(Path(found).absolute().parent) if found is not None and not programs.is_relative(program) else ""


def running(context: Context) -> set[str]:
    """Those who have a seat here, or say that they are alive (in the foreground, or on another machine)."""
    agents = context.crew.agents()
    ended = {name for name, agent in agents.items() if agent.state in ENDED}
    return {*seats.processes(context.town), *context.crew.alive()} - ended


def require_room(context: Context, name: str) -> None:
    """Raise ``StateError`` if the town has all the agents beside ``name`` that it may have."""
    agents, there = context.crew.agents(), running(context)
    others = [
        a for a in agents.values() if a.name != name and a.role not in TOWN_ROLES and (a.name in there or a.returns)
    ]
    most = context.town.settings.max_agents
    if len(others) >= most:
        raise StateError(
            f"the town already has {most} agents, the most it may have",
            remedy="raise `max_agents` in tinytown.toml, or `tt kill NAME`",
        )


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


def run_here(context: Context, agent: Agent) -> int:
    """Run an agent's worker as a child of this process until it ends; returns its exit code."""
    argv = [sys.executable, "-m", "tinytown_workers", "--agent", agent.name]
    env = {**contract.for_processes(os.environ), contract.ENV_TOWN: str(context.town.root), "PYTHONSAFEPATH": "1"}
    return terminal.lend(argv, cwd=working_folder(context.town), env=env)
