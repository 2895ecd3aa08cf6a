"""Agents: spawn them. An agent is a seat in the worker process of its role, and a record; ``lives`` has the rest."""

from __future__ import annotations

import os
import sys

from tinytown import contract
from tinytown.engine.commit import commit
from tinytown.engine.conductor import names
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch import placement
from tinytown.engine.operate import hosts
from tinytown.errors import ConfigurationError, StateError
from tinytown.host import seats, terminal
from tinytown.host.process_specs import working_folder
from tinytown.missions import nicknames
from tinytown.missions.agent_states import ENDED
from tinytown.missions.records.agent import Agent
from tinytown.missions.roles import RoleBook
from tinytown.missions.states import AgentState
from tinytown.state.change import Change


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
    host: str = "",
) -> tuple[Agent, bool]:
    """Record an agent that ``begin`` has run; ``False`` if it is there already.

    ``host`` is where it shall be; empty: here if its CLI is, else on the host that has that CLI and most room.

    Raises:
        ConfigurationError: the name, the role or the CLI is unknown.
        NotFoundError: there is no agent ``parent``, or no such host.
        StateError: the CLI is not installed, the name is taken by another kind of agent, or the town or the host is
            full.
        UnreachableError: the host is away.
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
    place = hosts.place_for(context, tool, host)

    def decide(change: Change) -> tuple[Agent, bool]:
        version = context.store.admissions()
        known = context.crew.agents()
        ancestor = context.crew.find(parent) if parent else ""
        old = context.crew.agent(name) if name in known else None
        there = name in running(context)
        if old is not None and there and (old.record.role, old.record.cli) != (wanted, tool):
            raise StateError(
                f"`{name}` already exists as {old.record.role} with {old.record.cli}",
                remedy=f"run `tt kill {name}` first",
            )
        if old is not None and there and host and old.record.host not in ("", host):
            raise StateError(
                f"`{name}` is on {old.record.host} already", remedy=f"run `tt kill {name}` first, or use another name"
            )
        hosts.require_room(context, name, place)
        if old is not None and there:
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
            cli_folder=place.folder(context, tool),
            host=place.name,
        )
        # Two commands at once, on whatever hosts, see each other's agent and not only their own.
        change.admissions(version)
        change.put_agent(old, agent, why="spawned", at=now, told=False)
        change.forget_rounds(name)
        before = old.record.state.value if old is not None else ""
        step = {"from": before, "to": agent.state.value}
        more = {"host": place.name} if place.other else {}
        told = event("agent_spawned", at=now, agent=name, role=wanted, cli=tool, **more)
        change.event(told.with_data(step))
        return agent, True

    return commit(context, decide)


def begin(context: Context, agent: Agent) -> None:
    """Have the agent served by the process of its role, which the supervisor of its host keeps running."""
    placement.start(context, agent)


def running(context: Context) -> set[str]:
    """Those who have a seat here, or say that they are alive (in the foreground, or on another host).

    Also those who are to start on a host that looks for them: any host of a town that can have several.
    """
    town = context.town
    looks = not town.home or town.settings.redis.url is not None
    agents = context.crew.agents()
    ended = {name for name, agent in agents.items() if agent.state in ENDED}
    starting = {
        agent.name
        for agent in agents.values()
        if agent.state is AgentState.STARTING and (looks or placement.is_elsewhere(context, agent))
    }
    place = seats.processes(context.town)
    seated = {n for n in place if n not in agents or not placement.is_elsewhere(context, agents[n])}
    return {*seated, *starting, *context.crew.alive()} - ended


def run_here(context: Context, agent: Agent) -> int:
    """Run an agent's worker as a child of this process until it ends; returns its exit code."""
    argv = [sys.executable, "-m", "tinytown_workers", "--agent", agent.name]
    env = {**contract.for_processes(os.environ), contract.ENV_TOWN: str(context.town.root), "PYTHONSAFEPATH": "1"}
    return terminal.lend(argv, cwd=working_folder(context.town), env=env)
