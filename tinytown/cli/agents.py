"""``tt spawn``, ``tt list``, ``tt kill``: the agents of a town."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import click

from tinytown.cli import columns, quick
from tinytown.cli.render import ago, icon, safe


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--cli", metavar="CLI", help="Agent CLI (default: the role's, or `default_cli`).")
@click.option("--role", metavar="ROLE", help="Role (default: NAME, if it is a role or an alias of one, else `worker`).")
@click.option("--count", default=1, type=click.IntRange(min=1), help="So many: NAME, NAME-2, NAME-3, and so on.")
@click.option("--nickname", default="", metavar="TEXT", help="Display name.")
@click.option("--foreground", is_flag=True, help="Run its worker in the foreground, until interrupted.")
def spawn(name: str, cli: str | None, role: str | None, count: int, nickname: str, foreground: bool) -> None:
    """Start an agent, which takes the work of its role and what is meant for it alone."""
    from tinytown.cli.session import reach_started
    from tinytown.commands import agents as commands
    from tinytown.commands import operator
    from tinytown.engine.operate import agents

    if foreground and count > 1:
        raise click.UsageError("--foreground runs one agent")
    context = reach_started()
    wanted = role or agents.role_of(context, name)
    for one in agents.named(name, count):
        agent, fresh = commands.spawn(operator(context), commands.Spawn(one, cli, wanted, nickname))
        click.echo(f"🤖 {agent.name}: {agent.role} with {agent.cli}" + ("" if fresh else " (already here)"))
        if fresh and foreground:
            sys.exit(agents.run_here(context, agent))
        if fresh:
            agents.begin(context, agent)


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the agents as a JSON array.")
def list_agents(as_json: bool) -> None:
    """List the agents and what they are doing."""
    found, now = quick.see("list")
    if as_json:
        click.echo(json.dumps(found))
        return
    if not found:
        click.echo("No agents; spawn one with `tt spawn NAME --cli CLI`.")
        return
    header = ("", "AGENT", "ROLE", "CLI", "STATE", "FOR", "WORK")
    columns.show(header, (_row(agent, now) for agent in found))


def _row(agent: Mapping[str, Any], now: float) -> tuple[str, ...]:
    since = agent["since"]
    return (
        icon(agent["state"]),
        f"{agent['name']} ({safe(agent['nickname'])})" if agent["nickname"] else agent["name"],
        agent["role"],
        safe(agent["cli"]),
        agent["state"],
        ago(now - since) if since else "-",
        f"{agent['purpose']} {agent['item']}, mission {agent['mission'][:8]}" if since else "-",
    )


@click.command()
@click.argument("name", metavar="NAME")
def kill(name: str) -> None:
    """Stop an agent; its work is kept and its task goes back to the queue."""
    from tinytown.cli.session import reach
    from tinytown.commands import agents, operator

    ran = agents.kill(operator(reach()), agents.Named(name))
    click.echo(f"🪦 {name} is gone" + ("" if ran else " (it was not running)"))
