"""``tt interrupt``, ``resume``, ``close``, ``kill``, ``restart``, ``wait`` and ``prune``: what is done with agents."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tinytown.cli.render import icon, plural, safe
from tinytown.errors import NotFoundError

if TYPE_CHECKING:
    from tinytown.engine.context import Context
    from tinytown.engine.operate.present import AgentView

_NAME = click.argument("name", metavar="NAME")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the agent as JSON.")


def _show(view: AgentView, words: str, *, as_json: bool) -> None:
    click.echo(json.dumps(asdict(view)) if as_json else f"{icon(view.state)} {words}")


def _at_hand(view: AgentView) -> str:
    return f"{view.purpose} {safe(view.item)} (mission {view.mission[:8]})"


@click.command(
    epilog="""\b
    Examples:
      tt interrupt backend
      tt interrupt "Ada [backend]"
      tt resume backend
    """
)
@_NAME
@_JSON
def interrupt(name: str, as_json: bool) -> None:
    """Suspend an agent: its run stands still where it is, and it takes nothing more.

    All processes of the run are stopped, and no time limit of it counts meanwhile. `tt resume` lets it go on, `tt kill`
    ends it. Other agents are not disturbed.
    """
    from tinytown.cli.session import reach
    from tinytown.commands import agents, operator

    view = agents.interrupt(operator(reach()), agents.Named(name))
    held = f"; its run stands still: {_at_hand(view)}" if view.item else ""
    _show(view, f"{view.name} is interrupted{held}", as_json=as_json)
    if not as_json:
        click.echo(f"   `tt resume {view.name}` lets it go on", err=True)


@click.command(
    epilog="""\b
    Examples:
      tt resume backend
    """
)
@_NAME
@_JSON
def resume(name: str, as_json: bool) -> None:
    """Let an agent go on that was interrupted."""
    from tinytown.cli.session import reach
    from tinytown.commands import agents, operator

    view = agents.resume(operator(reach()), agents.Named(name))
    _show(view, f"{view.name} goes on" + (f" with {_at_hand(view)}" if view.item else ""), as_json=as_json)


@click.command(
    epilog="""\b
    Examples:
      tt close backend
      tt close backend && tt wait backend --timeout 3600
    """
)
@_NAME
@_JSON
def close(name: str, as_json: bool) -> None:
    """Let an agent finish what it is at, then stop it; it takes nothing more.

    It is `cold` then, until `tt restart` brings it back.
    """
    from tinytown.cli.session import reach
    from tinytown.commands import agents, operator

    view = agents.close(operator(reach()), agents.Named(name))
    then = f" once it has finished {_at_hand(view)}" if view.item else ""
    _show(view, f"{view.name} stops{then}", as_json=as_json)


@click.command(
    epilog="""\b
    Examples:
      tt kill backend
      tt kill backend && tt prune
    """
)
@_NAME
@_JSON
def kill(name: str, as_json: bool) -> None:
    """Stop an agent at once; its work is kept and its task goes back to the queue.

    It stays listed until `tt prune`; `tt restart` or `tt spawn` brings it back.
    """
    from tinytown.cli.session import reach
    from tinytown.commands import agents, operator

    killed = agents.kill(operator(reach()), agents.Named(name))
    if as_json:
        click.echo(json.dumps({**asdict(killed.agent), "ran": killed.ran}))
        return
    click.echo(f"🪦 {killed.agent.name} is stopped" + ("" if killed.ran else " (it was not running)"))


@click.command(
    epilog="""\b
    Examples:
      tt restart backend
      tt restart helper --rounds 5
    """
)
@_NAME
@click.option("--rounds", "--max-rounds", "rounds", type=click.IntRange(min=1), help="Stop after so many runs.")
@click.option("--foreground", is_flag=True, help="Run its worker in the foreground, until interrupted.")
@_JSON
def restart(name: str, rounds: int | None, foreground: bool, as_json: bool) -> None:
    """Bring an agent back that has ended: killed, closed, at its limit of runs, or lost."""
    from tinytown.cli.session import reach_started
    from tinytown.commands import agents as commands
    from tinytown.commands import operator
    from tinytown.engine.operate import agents, present

    context = reach_started()
    agent = commands.restart(operator(context), commands.Restart(name, rounds))
    if not as_json:
        click.echo(f"🤖 {agent.name}: {agent.role} with {agent.cli}, again")
    if foreground:
        sys.exit(agents.run_here(context, agent))
    agents.begin(context, agent)
    if as_json:
        click.echo(json.dumps(asdict(present.agent_view(context, agent.name))))


@click.command(
    epilog="""\b
    Examples:
      tt wait backend
      tt wait backend --idle --timeout 600
      tt wait t3
    """
)
@click.argument("name", metavar="AGENT|ID")
@click.option("--idle", is_flag=True, help="Also end when the agent has nothing to do.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECS", help="Give up after so long, with exit code 1."
)
@_JSON
def wait(name: str, idle: bool, timeout: float | None, as_json: bool) -> None:
    """Wait until an agent has ended (it is `stopped`, `cold` or `error`), or a task, by its id.

    The exit code is 1 where a task ended without being done.
    """
    from tinytown.cli.session import reach
    from tinytown.commands import agents, operator

    context = reach()
    if _is_task(context, name):
        from tinytown.cli.assign import wait_for

        if idle:
            raise click.UsageError(f"`{name}` is a task, and `--idle` is for agents")
        wait_for(context, name, timeout=timeout, as_json=as_json)
        return
    view = agents.wait(operator(context), agents.Wait(name, timeout, idle))
    _show(view, f"{view.name} is {view.state}" + (f": {safe(view.why)}" if view.why else ""), as_json=as_json)


def _is_task(context: Context, name: str) -> bool:
    """Whether a task is meant: an agent of that name goes first."""
    from tinytown.commands import operator, tasks

    try:
        context.crew.find(name)
    except NotFoundError as error:
        try:
            tasks.find(operator(context), tasks.Named(name))
        except NotFoundError:
            raise NotFoundError(
                f"there is neither an agent nor a task `{name[:80]}`", remedy=f"{error.remedy} and `tt task list`"
            ) from None
        return True
    return False


@click.command(
    epilog="""\b
    Examples:
      tt prune --dry-run
      tt prune
    """
)
@click.option("--all", "everything", is_flag=True, help="Cold agents, too, that would start again by themselves.")
@click.option("--dry-run", is_flag=True, help="Only list them.")
@click.option("--json", "as_json", is_flag=True, help="Print the agents as a JSON array.")
def prune(everything: bool, dry_run: bool, as_json: bool) -> None:
    """Remove agents from the list that have ended. Their mailboxes, work and history stay."""
    from tinytown.cli.session import reach
    from tinytown.commands import agents, operator

    gone = agents.prune(operator(reach()), agents.Prune(everything, dry_run))
    if as_json:
        click.echo(json.dumps(agents.prune.shape(gone)))
        return
    for view in gone:
        done = "would be removed" if dry_run else "removed"
        click.echo(f"🗑️  {view.name} {done} ({view.state}" + (f": {safe(view.why)})" if view.why else ")"))
    if not gone:
        click.echo("No agent has ended; there is nothing to remove.")
    elif not dry_run:
        click.echo(f"{plural(len(gone), 'agent')} removed")
