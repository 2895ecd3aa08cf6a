"""``tt spawn``, ``tt list``, ``tt kill``: the agents of a town."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from tinytown.cli import columns
from tinytown.cli.render import ago, icon, safe
from tinytown.cli.session import open_to_read, reach, reach_started

if TYPE_CHECKING:
    from tinytown.engine.operate.agents import AgentView


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--cli", metavar="CLI", help="Agent CLI (default: the role's, or `default_cli`).")
@click.option("--role", metavar="ROLE", help="Role (default: NAME, if it is a role or an alias of one, else `worker`).")
@click.option("--nickname", default="", metavar="TEXT", help="Display name.")
@click.option("--foreground", is_flag=True, help="Run its worker in the foreground, until interrupted.")
def spawn(name: str, cli: str | None, role: str | None, nickname: str, foreground: bool) -> None:
    """Start an agent: a worker that serves its role's queue and its own."""
    from tinytown.commands import agents as commands
    from tinytown.commands import operator
    from tinytown.engine.operate import agents

    context = reach_started()
    agent, fresh = commands.spawn(operator(context), commands.Spawn(name, cli, role, nickname))
    click.echo(f"🤖 {agent.name}: {agent.role} with {agent.cli}" + ("" if fresh else " (already here)"))
    if not fresh:
        return
    if foreground:
        sys.exit(agents.run_here(context, agent))
    agents.begin(context, agent)


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the agents as a JSON array.")
def list_agents(as_json: bool) -> None:
    """List the agents and what they are doing."""
    from tinytown.commands import agents, operator

    context = open_to_read()
    views = agents.list_all(operator(context), agents.Everybody())
    if as_json:
        click.echo(json.dumps(agents.list_all.shape(views)))
        return
    if not views:
        click.echo("No agents; spawn one with `tt spawn NAME --cli CLI`.")
        return
    now = context.store.now()
    columns.show(("", "AGENT", "ROLE", "CLI", "STATE", "FOR", "WORK"), (_row(view, now) for view in views))


def _row(view: AgentView, now: float) -> tuple[str, ...]:
    return (
        icon(view.state),
        f"{view.name} ({safe(view.nickname)})" if view.nickname else view.name,
        view.role,
        safe(view.cli),
        view.state,
        ago(now - view.since) if view.since else "-",
        f"{view.purpose} {view.item}, mission {view.mission[:8]}" if view.since else "-",
    )


@click.command()
@click.argument("name", metavar="NAME")
def kill(name: str) -> None:
    """Stop an agent; its work is kept and its task goes back to the queue."""
    from tinytown.commands import agents, operator

    ran = agents.kill(operator(reach()), agents.Named(name))
    click.echo(f"🪦 {name} is gone" + ("" if ran else " (it was not running)"))
