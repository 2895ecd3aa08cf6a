"""``tt completion``: the shell completes commands, options, missions, items and agents."""

from __future__ import annotations

import os

import click

from tinytown.errors import StateError

SHELLS = ("bash", "zsh", "fish")
#: The names of the program.
PROGRAMS = ("tt", "tinytown")
#: The variable by which the shell's function asks: it is set to ``bash_complete`` or the like.
VARIABLE = "_TT_COMPLETE"


@click.command(
    epilog="""\b
    Examples:
      tt completion bash >> ~/.bashrc
    """
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the shell completion script for `tt`.

    For bash: `eval "$(tt completion bash)"` in ~/.bashrc; for zsh the same in ~/.zshrc, after compinit; for fish:
    `tt completion fish > ~/.config/fish/completions/tt.fish`.
    """
    from click.shell_completion import get_completion_class

    from tinytown.cli.main import tt

    kind = get_completion_class(shell)
    if kind is None:
        raise StateError(f"there is no completion for {shell}", remedy=f"use {', '.join(SHELLS)}")
    for program in PROGRAMS:
        # Not `source()`, which first runs the installed bash to learn its version.
        click.echo(kind.source_template % kind(tt, {}, program, VARIABLE).source_vars())


def answer(cli: click.Command) -> int:
    """Answer the shell's function: one candidate a line. On any error there is just nothing to complete."""
    from click.shell_completion import shell_complete

    try:
        return shell_complete(cli, {}, "tt", VARIABLE, os.environ[VARIABLE])
    except Exception:  # noqa: BLE001 - an error would be shown in the middle of what is being typed
        return 1
