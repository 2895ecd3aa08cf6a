"""``tt conductor``: have the plan done, and open the AI conductor, or follow the plan without one."""

from __future__ import annotations

import click

from tinytown.cli.render import safe
from tinytown.cli.session import here, reach_started
from tinytown.engine.context import Context
from tinytown.errors import NotFoundError, StateError


@click.command(
    epilog="""\b
    Examples:
      tt conductor                            speak with the AI conductor
      tt config conductor_cli codex           choose its CLI
      tt sync push && tt conductor --no-ai    have the plan done, without one
      tt conductor --unattended               have questions answered while nobody is there
      tt conductor --attended                 answer them yourself again
    """
)
@click.option("--no-ai", is_flag=True, help="Open no AI conductor: start the plan and follow it.")
@click.option(
    "--unattended/--attended",
    default=None,
    help="Give each open question to a run of the conductor's CLI that nobody watches, from now on; or no more.",
)
@click.pass_context
def conductor(click_context: click.Context, no_ai: bool, unattended: bool | None) -> None:
    """Open the AI conductor in this terminal; start the plan that was pushed, or go on with it.

    The conductor is the CLI in `conductor_cli`, opened as you would open it yourself, with your rights. It is told how
    the town stands, and works with `tt`. Without a plan, it asks what is to be done. The exit code is that of the CLI.

    With `--unattended` nothing is opened: from now on, each open question (`tt inbox`) is given once to a run of that
    CLI, with a time limit and a budget, in the sandbox. It may look, send messages, and retry, redirect, cancel or
    pause what asks; what it cannot answer waits for you as before. `--attended` ends that.

    With `--no-ai` the plan is followed until it ends. Ctrl-C leaves; the plan goes on.
    """
    if unattended is not None:
        if no_ai:
            raise click.UsageError("--no-ai and --unattended exclude each other")
        _switch(on=unattended)
        return
    click_context.exit(_follow_plan() if no_ai else _open())


def _switch(*, on: bool) -> None:
    """Have questions answered without a person, or no more."""
    from tinytown.commands import conductor as commands
    from tinytown.commands import keeper

    town = here()
    new = commands.unattended(keeper(town), commands.Unattended(on))
    if not on:
        click.echo(
            f"🚂 The unattended conductor is off{'' if new else ' already'}: questions wait for you (`tt inbox`)"
        )
        return
    context = reach_started()
    context.send_questions()
    limits = town.settings.conductor
    name = commands.cli(keeper(town), commands.Nothing())
    click.echo(f"🚂 The unattended conductor is on{'' if new else ' already'}: {safe(name)}")
    click.echo(
        f"   it gets each open question once: {limits.timeout:g} s, {limits.max_runs} questions and "
        f"${limits.budget_usd:g} in 24 hours ([conductor] in tinytown.toml)"
    )
    click.echo("   it may not approve, merge, raise a budget, resume, or change settings; `tt inbox` shows what it did")
    click.echo("   switch it off with `tt conductor --attended`")


def _follow_plan() -> int:
    from tinytown.cli.follow import follow
    from tinytown.commands import operator, plans

    context = reach_started()
    head = plans.start(operator(context), plans.Nothing())
    click.echo(f"🚀 The plan runs: mission {safe(head.short)}")
    return follow(context, head.id)


def _open() -> int:
    import shlex

    from tinytown.cli.manual import manual
    from tinytown.commands import conductor as commands
    from tinytown.commands import keeper, operator
    from tinytown.host import terminal

    town = here()
    # Before anything is started for it.
    name = commands.cli(keeper(town), commands.Nothing())
    context = reach_started()
    news = _start_plan(context)
    opened = commands.prepare(operator(context), commands.Prepare(manual(), news))
    click.echo(f"🚂 The conductor: {safe(name)}; what it is told is in {safe(str(opened.context))}")
    if opened.say:
        click.echo(f"note: {safe(name)} takes nothing to begin with, so say to it: {safe(opened.say)}", err=True)
    click.echo(f"   {safe(_shown(shlex.join(opened.argv)))}")
    return terminal.lend(opened.argv, cwd=opened.folder, env=opened.env)


def _start_plan(context: Context) -> str:
    """What became of the plan, in a sentence; a town without one needs none."""
    from tinytown.commands import operator, plans

    try:
        head = plans.start(operator(context), plans.Nothing())
    except NotFoundError:
        return ""
    except StateError as error:
        said = f"The plan does not run: {error}"
        click.echo(f"note: {safe(said)}", err=True)
        return said
    click.echo(f"🚀 The plan runs: mission {safe(head.short)}")
    return ""


def _shown(command: str) -> str:
    """The beginning of a command: some are given all that the conductor is told."""
    return command if len(command) <= 200 else f"{command[:200]}…"
