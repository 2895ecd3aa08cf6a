"""The options of every command: ``-t`` for the town, ``-v`` to tell what is being done.

Imported by ``tt --help``, so what is slow to import waits inside the functions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from tinytown import contract

if TYPE_CHECKING:
    from pathlib import Path

    from click.shell_completion import CompletionItem

#: By each word of a placeholder in the help: what the town can complete there.
NAMES = {
    "AGENT": "agents",
    "CLI": "clis",
    "ENTRY": "backlog",
    "HOST": "hosts",
    "ID": "items",
    "ITEM": "items",
    "NAME": "agents",
    "ROLE": "roles",
    "RUN": "missions",
    "STATE": "states",
    "TAG": "tags",
    "TO": "receivers",
}
#: Commands that belong to an attempt, which has one town and one task.
_INSIDE = frozenset({"review"})
#: Keys in click's context: the folder that ``-t`` named, and whether progress is to be told.
_CHOSEN, _SPEAKS = "tinytown.town", "tinytown.speaks"


def equip(name: str, command: click.Command) -> None:
    """Give a command, and all below it, the options that every command has."""
    if name in _INSIDE:
        return
    for option in (_town(), _verbose()):
        if not any(set(option.opts) & set(present.opts) for present in command.params):
            command.params.append(option)
    for parameter in command.params:
        kinds = [NAMES[word] for word in re.findall("[A-Z]+", parameter.metavar or "") if word in NAMES]
        if kinds and parameter._custom_shell_complete is None:  # noqa: SLF001 - ``shell_complete`` of it calls that
            parameter._custom_shell_complete = _completer(kinds)  # noqa: SLF001
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            equip("", inner)


def _completer(kinds: Sequence[str]) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Completes with what the running town has; with nothing of it if it is stopped or slow."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:  # noqa: ARG001
        from pathlib import Path

        from click.shell_completion import CompletionItem

        from tinytown.state import glimpse

        chosen = context.meta.get(_CHOSEN) or os.environ.get(contract.ENV_TOWN) or "."
        names = {name: what for kind in kinds for name, what in getattr(glimpse, kind)(Path(chosen))}
        return [CompletionItem(name, help=what) for name, what in names.items() if name.startswith(begun)]

    return complete


def chosen_folder() -> Path:
    """The folder that ``-t`` names, else the working folder."""
    from pathlib import Path

    context = click.get_current_context(silent=True)
    chosen = context.meta.get(_CHOSEN) if context is not None else None
    return Path(chosen) if chosen else Path.cwd()


def speaks() -> bool:
    """Whether ``-v`` was given."""
    context = click.get_current_context(silent=True)
    return context is not None and _SPEAKS in context.meta


def _town() -> click.Option:
    return click.Option(
        ["-t", "--town"],
        metavar="FOLDER",
        expose_value=False,
        is_eager=True,
        callback=_choose,
        help="Town to use (default: the one in this folder).",
    )


def _choose(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    if context.resilient_parsing:
        context.meta[_CHOSEN] = value
        return
    from pathlib import Path

    if not Path(value).is_dir():
        raise click.BadParameter(f"there is no folder {value}", ctx=context, param=parameter)
    context.meta[_CHOSEN] = value
    # Also for the processes that are started from here.
    os.environ[contract.ENV_TOWN] = str(Path(value).resolve())


def _verbose() -> click.Option:
    return click.Option(
        ["-v", "--verbose"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_speak,
        help="Print progress to stderr.",
    )


def _speak(context: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if not value or context.resilient_parsing:
        return
    context.meta[_SPEAKS] = True
    import logging

    from tinytown import log

    log.to_stderr(logging.WARNING)
    logging.getLogger("tinytown").setLevel(logging.DEBUG)
