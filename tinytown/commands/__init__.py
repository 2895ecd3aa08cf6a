"""Each command of a town once: its typed arguments, who may use it, and the use case that it calls.

The command line and the socket of an agent's run are thin faces over this table. ``table`` says what a command is;
``town``, ``hosts``, ``limits``, ``upkeep``, ``config``, ``history``, ``missions``, ``items``, ``plans``, ``tasks``,
``backlog``, ``agents``, ``mail``, ``conductor`` and ``run`` hold the commands. Use cases are imported when a command is
used, so that listing a table costs nothing.
"""

from __future__ import annotations

from tinytown.commands import (
    agents,
    backlog,
    conductor,
    config,
    history,
    hosts,
    items,
    limits,
    mail,
    missions,
    plans,
    run,
    tasks,
    town,
    upkeep,
)
from tinytown.commands.table import (
    COMMANDS,
    Caller,
    Command,
    Run,
    Who,
    agent,
    answering,
    keeper,
    operator,
    reader,
    show,
)

__all__ = [
    "COMMANDS", "Caller", "Command", "Run", "Who", "agent", "agents", "answering", "backlog", "conductor", "config",
    "history", "hosts", "items", "keeper", "limits", "mail", "missions", "operator", "plans", "reader", "run", "show",
    "tasks",     "town", "upkeep",
]  # fmt: skip
