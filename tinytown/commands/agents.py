"""Commands on the agents of a town. An agent is named by its name, its nickname or its label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinytown.commands.table import ACTS, SEES, Caller, command

if TYPE_CHECKING:
    from tinytown.engine.operate.lives import Killed
    from tinytown.engine.operate.present import AgentView
    from tinytown.engine.operate.recovery import Orphan, Recovery
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
    #: The agent that it is for.
    parent: str = ""
    #: It stops after so many runs; 0 for no limit.
    max_rounds: int = 0
    #: Where it shall be; empty: here if its CLI is, else where that is.
    host: str = ""


@dataclass(frozen=True)
class Restart(Named):
    """An agent to come back; ``None``: with as many runs as it was spawned for."""

    max_rounds: int | None = None


@dataclass(frozen=True)
class Wait(Named):
    """An agent to wait for, for so many seconds; ``None`` for ever."""

    timeout: float | None = None
    #: Until it has nothing to do, too.
    idle: bool = False


@dataclass(frozen=True)
class Recover:
    """Whether only to look."""

    dry: bool = False


@dataclass(frozen=True)
class Reclaim:
    """To whom it is given, if not only to be looked at; and whose it is, if not anybody's."""

    to: str = ""
    source: str = ""
    #: Into the backlog, and to whoever has the role.
    to_backlog: bool = False


@dataclass(frozen=True)
class Prune:
    """Which agents to forget that have ended."""

    #: Those, too, that would come back by themselves.
    all: bool = False
    #: Only tell which.
    dry: bool = False


@command("spawn", Spawn, by=ACTS)
def spawn(caller: Caller, wanted: Spawn) -> tuple[Agent, bool]:
    """Record an agent; ``False`` if it was here already. ``operate.agents.begin`` then starts its worker."""
    from tinytown.engine.operate import agents

    return agents.spawn(
        caller.context,
        wanted.name,
        cli=wanted.cli,
        role=wanted.role,
        nickname=wanted.nickname,
        parent=wanted.parent,
        max_rounds=wanted.max_rounds,
        host=wanted.host,
    )


@command("list", Everybody, by=SEES)
def list_all(caller: Caller, _everybody: Everybody) -> Sequence[AgentView]:
    """The agents and what they do."""
    from tinytown.engine.operate.present import agent_views

    return agent_views(caller.context)


@command("interrupt", Named, by=ACTS)
def interrupt(caller: Caller, named: Named) -> AgentView:
    """Suspend an agent and its run; gives it once that is so."""
    from tinytown.engine.operate import lives

    return lives.interrupt(caller.context, _find(caller, named))


@command("resume", Named, by=ACTS)
def resume(caller: Caller, named: Named) -> AgentView:
    """Have an agent go on that was interrupted."""
    from tinytown.engine.operate import lives
    from tinytown.engine.plan import claims

    found = lives.resume(caller.context, _find(caller, named))
    claims.take_up_quietly(caller.context)
    return found


@command("close", Named, by=ACTS)
def close(caller: Caller, named: Named) -> AgentView:
    """Have an agent finish what it is at, then stop."""
    from tinytown.engine.operate import lives

    return lives.close(caller.context, _find(caller, named))


@command("kill", Named, by=ACTS)
def kill(caller: Caller, named: Named) -> Killed:
    """End an agent now; its work is kept."""
    from tinytown.engine.operate import lives

    return lives.kill(caller.context, _find(caller, named))


@command("restart", Restart, by=ACTS)
def restart(caller: Caller, wanted: Restart) -> Agent:
    """Have an agent come back that ended; ``begin`` has it run."""
    from tinytown.engine.operate import lives

    return lives.restart(caller.context, _find(caller, wanted), max_rounds=wanted.max_rounds)


@command("wait", Wait, by=ACTS)
def wait(caller: Caller, wanted: Wait) -> AgentView:
    """Wait until an agent has ended, or has nothing to do."""
    from tinytown.engine.operate import lives

    return lives.wait(caller.context, _find(caller, wanted), timeout=wanted.timeout, idle=wanted.idle)


@command("prune", Prune, by=ACTS)
def prune(caller: Caller, wanted: Prune) -> Sequence[AgentView]:
    """Forget agents that have ended; gives them."""
    from tinytown.engine.operate import lives

    return lives.prune(caller.context, everything=wanted.all, dry=wanted.dry)


@command("recover", Recover, by=ACTS)
def recover(caller: Caller, wanted: Recover) -> Recovery:
    """Note which agents are gone, and send again what they held."""
    from tinytown.engine.operate import recovery

    return recovery.recover(caller.context, dry=wanted.dry)


@command("reclaim", Reclaim, by=ACTS)
def reclaim(caller: Caller, wanted: Reclaim) -> Sequence[Orphan]:
    """What agents that have ended left behind; gives it to another one if that is named, or to the backlog."""
    from tinytown.engine.operate import recovery
    from tinytown.engine.plan import claims

    found = recovery.reclaim(caller.context, to=wanted.to, source=wanted.source, to_backlog=wanted.to_backlog)
    if wanted.to_backlog:
        claims.take_up_quietly(caller.context)
    return found


def _find(caller: Caller, named: Named) -> str:
    return caller.context.crew.find(named.name)
