"""Commands on the agents of a town."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinytown.commands.table import ACTS, LOOKS, Caller, command

if TYPE_CHECKING:
    from tinytown.engine.views.agents import AgentView
    from tinytown.missions.records.agent import Agent


@dataclass(frozen=True)
class Everybody:
    """All agents."""


@dataclass(frozen=True)
class Named:
    """An agent by its name."""

    name: str


@dataclass(frozen=True)
class Spawn(Named):
    """A new agent; ``None`` is what its name or the town's configuration says."""

    cli: str | None = None
    role: str | None = None
    nickname: str = ""


@command("spawn", Spawn, by=ACTS)
def spawn(caller: Caller, wanted: Spawn) -> tuple[Agent, bool]:
    """Record an agent; ``False`` if it was here already. ``operate.agents.begin`` then starts its worker."""
    from tinytown.engine.operate import agents

    return agents.spawn(caller.context, wanted.name, cli=wanted.cli, role=wanted.role, nickname=wanted.nickname)


@command("list", Everybody, by=LOOKS)
def list_all(caller: Caller, _everybody: Everybody) -> Sequence[AgentView]:
    """The agents and what they do."""
    from tinytown.engine.views.agents import agent_views

    return agent_views(caller.context)


@command("kill", Named, by=ACTS)
def kill(caller: Caller, named: Named) -> bool:
    """End an agent; ``False`` if it was not running."""
    from tinytown.engine.operate import agents

    return agents.kill(caller.context, named.name)
