"""All commands with their examples in one text, for the AI conductor: made from the commands themselves."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import click

from tinytown.cli import main
from tinytown.commands import COMMANDS, Who

#: What is a person's own: to approve; to begin, replace or empty a town; what serves their browser or shell.
_NOT_ITS = frozenset(
    {
        "init",
        "join",
        "leave",
        "restore",
        "reset",
        "conductor",
        "flower",
        "completion",
        "mission approve",
        "mission merge",
    }
)
#: Commands that are one thing inside an agent's run and another outside.
_SHARED = frozenset({"inbox", "task complete", "task fail"})
#: Examples of one command.
_EXAMPLES = 4
_TITLE = "Examples:"


def manual() -> str:
    """Each command that a person may use, what it does, and its first examples."""
    return "\n".join(line for name in main.COMMANDS for line in _of(main.load(name), name))


def _of(command: click.Command, name: str) -> Iterator[str]:
    if name in _NOT_ITS or command.hidden or not _is_for_people(name):
        return
    if isinstance(command, click.Group):
        for word, inner in sorted(command.commands.items()):
            yield from _of(inner, f"{name} {word}")
        return
    command = copy.copy(command)  # A command remembers the names of its help from the first context that asks.
    context = click.Context(command, info_name=f"tt {name}")
    arguments = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    yield f"- `{' '.join(['tt', name, *arguments])}` {command.get_short_help_str(200)}"
    yield from (f"      {example}" for example in _examples(command))


def _is_for_people(name: str) -> bool:
    """What the table says; ``_SHARED`` are in it under another name for people."""
    entry = COMMANDS.get(name.replace(" ", ".").replace("-", "_"))
    return entry is None or name in _SHARED or Who.OPERATOR in entry.by


def _examples(command: click.Command) -> list[str]:
    """From its help, or what follows that."""
    _, _, found = f"{command.help or ''}\n{command.epilog or ''}".partition(_TITLE)
    lines = [line.strip() for line in found.splitlines()]
    return [line for line in lines if line.startswith("tt ")][:_EXAMPLES]
