"""Who is meant by a name in messages, and in whose name somebody may write.

The conductor and the person at the terminal have one mailbox: either may answer what is asked there.
"""

from __future__ import annotations

from tinytown import contract
from tinytown.engine.context import Context
from tinytown.errors import ConfigurationError, NotFoundError
from tinytown.missions.crew import TOWN_ROLES
from tinytown.missions.records.agent import Agent
from tinytown.missions.roles import RoleBook
from tinytown.nearest import nearest
from tinytown.state.mail import CONDUCTOR

#: Who types `tt`, as the sender of messages.
OPERATOR = "operator"
#: The names of the conductor.
CONDUCTORS = contract.CONDUCTOR_NAMES
#: Names that no agent can have: they mean something else.
RESERVED = CONDUCTORS | {OPERATOR, "control", "checks", "forge", "beat", "server", "dispatcher", "all"}
#: Characters of a name that somebody typed, in a message about it.
_SHOWN = 80


def recipient(context: Context, word: str, *, read_only: bool = False) -> str:
    """Whose mailbox is meant: the conductor's, or that of an agent by its name, nickname or label.

    With ``read_only`` also that of an agent whose record was removed.

    Raises:
        NotFoundError: nobody is called so; says who has this role, or a similar name.
        StateError: several agents are.
    """
    if _folded(word) in CONDUCTORS | {OPERATOR}:
        return CONDUCTOR
    try:
        return context.crew.find(word)
    except NotFoundError:
        if read_only and contract.is_name(word) and context.mail.count(word):
            return word
        agents = [agent for agent in context.crew.agents().values() if agent.role not in TOWN_ROLES]
        raise _unknown(word, agents, RoleBook(context.town.settings.roles).find(word)) from None


def sender(context: Context, word: str) -> str:
    """In whose name a person may write: the person's own, the conductor's, or that of an agent.

    Raises:
        NotFoundError: nobody is called so.
        StateError: several agents are.
    """
    if not word or _folded(word) == OPERATOR:
        return OPERATOR
    return recipient(context, word)


def require_free(word: str) -> None:
    """An agent may be called so: it is not the name of a part of the town.

    Raises:
        ConfigurationError: it is.
    """
    if _folded(word) in CONDUCTORS:
        raise ConfigurationError(
            f"`{word[:_SHOWN]}` is the conductor, not an agent",
            remedy="choose another name; `tt conductor` opens the conductor",
        )
    if _folded(word) in RESERVED:
        raise ConfigurationError(f"`{word[:_SHOWN]}` is the name of a part of the town", remedy="choose another name")


def require_worker(context: Context, word: str) -> None:
    """Tasks can be given to somebody called so: it is a role, or at least not the name of a part of the town.

    Raises:
        ConfigurationError: nobody can ever do them.
    """
    if RoleBook(context.town.settings.roles).find(word) is not None:
        return
    if _folded(word) in contract.NO_AGENTS:
        raise ConfigurationError(
            f"`{word[:_SHOWN]}` is no agent, and takes no tasks",
            remedy="name an agent or a role; `tt send conductor` writes to the conductor",
        )
    if _folded(word) in RESERVED:
        raise ConfigurationError(
            f"`{word[:_SHOWN]}` is a part of the town, and takes no tasks",
            remedy="name an agent or a role; see `tt list`",
        )


def _folded(word: str) -> str:
    return word.strip().casefold()


def _unknown(word: str, agents: list[Agent], role: str | None) -> NotFoundError:
    said = f"there is no agent `{word[:_SHOWN]}`"
    if role is not None:
        holders = [agent.name for agent in agents if agent.role == role]
        if holders:
            names = ", ".join(f"`{name}`" for name in holders[:5]) + (", …" if len(holders) > 5 else "")
            return NotFoundError(
                f"{said}, it is a role: agents that have it are {names}",
                remedy=f'name one of them, e.g. `tt send {holders[0]} "…"`; `tt assign {word} "…"` is for any of them',
            )
        return NotFoundError(f"{said}, it is a role that no agent has", remedy=f"run `tt spawn {word}` first")
    known = {name.casefold(): name for agent in agents for name in (agent.nickname, agent.name) if name}
    known |= {name: name for name in CONDUCTORS}
    near = nearest(_folded(word), list(known))
    hint = f"did you mean `{known[near[0]]}`? Else " if near else ""
    return NotFoundError(said, remedy=f"{hint}see `tt list`; `conductor` always exists")
