"""``tt conductor``: have the plan done, and follow it."""

from __future__ import annotations

import click

from tinytown.cli.render import safe
from tinytown.cli.session import reach_started


@click.command()
@click.option("--no-ai", is_flag=True, help="Do not open the AI conductor: start the plan and follow it.")
@click.pass_context
def conductor(click_context: click.Context, no_ai: bool) -> None:
    """Start the plan that was pushed, or go on with it, and follow it until it ends.

    Ctrl-C leaves; the plan goes on.

    \b
    Examples:
      tt sync push && tt conductor --no-ai
    """
    from tinytown.cli.follow import follow
    from tinytown.commands import operator
    from tinytown.commands import plans as commands

    context = reach_started()
    head = commands.start(operator(context), commands.Nothing())
    if not no_ai:
        click.echo("note: the AI conductor is not there yet; the plan runs without it", err=True)
    click.echo(f"🚀 The plan runs: mission {safe(head.short)}")
    click_context.exit(follow(context, head.id))
