"""``tt help``: the same as ``--help``, by a word that many type first."""

from __future__ import annotations

import click


@click.command(
    "help",
    epilog="""\b
    Examples:
      tt help mission start
    """,
)
@click.argument("words", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def help_(context: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of tt, or of a command.

    `tt help mission start` is the same as `tt mission start --help`.
    """
    here = context.find_root()
    for word in words:
        if not isinstance(here.command, click.Group):
            here.fail(f"No such command '{word}'.")
        _, command, _ = here.command.resolve_command(here, [word])
        assert command is not None  # Else it has failed.
        here = click.Context(command, info_name=word, parent=here, terminal_width=here.terminal_width)
    click.echo(here.command.get_help(here))
