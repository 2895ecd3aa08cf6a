"""``tt spawn``, ``tt list``: the agents of a town."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tinytown.cli import columns, quick
from tinytown.cli.render import ago, by_kind, icon, safe


@click.command(
    epilog="""\b
    Examples:
      tt spawn backend                     the role backend, with `default_cli`
      tt spawn ann --role tester -c codex  a tester with another CLI
      tt spawn worker --count 3            worker, worker-2 and worker-3
      tt spawn helper --max-rounds 5       one that stops after five runs
      tt spawn backend --host barn         on another host of the town
    """
)
@click.argument("name", metavar="NAME")
@click.option("-c", "--cli", metavar="CLI", help="Agent CLI (default: the role's, or `default_cli`).")
@click.option("--role", metavar="ROLE", help="Role (default: NAME, if it is a role or an alias of one, else `worker`).")
@click.option("--count", default=1, type=click.IntRange(min=1), help="So many: NAME, NAME-2, NAME-3, and so on.")
@click.option("--nickname", default="", metavar="TEXT", help="What people call it (default: one is chosen).")
@click.option("--max-rounds", type=click.IntRange(min=1), help="Stop after so many runs (default: never).")
@click.option("--parent", default="", metavar="AGENT", help="The agent that it is spawned for.")
@click.option("--host", default="", metavar="HOST", help="Host of the town (default: this one, if its CLI is here).")
@click.option("--foreground", is_flag=True, help="Run its worker in the foreground, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print the agents as a JSON array.")
def spawn(
    name: str,
    cli: str | None,
    role: str | None,
    count: int,
    nickname: str,
    max_rounds: int | None,
    parent: str,
    host: str,
    foreground: bool,
    as_json: bool,
) -> None:
    """Start an agent, which takes the work of its role and what is meant for it alone."""
    from tinytown.cli.session import reach_started
    from tinytown.commands import agents as commands
    from tinytown.commands import operator
    from tinytown.engine.dispatch import placement
    from tinytown.engine.operate import agents

    if foreground and count > 1:
        raise click.UsageError("--foreground runs one agent")
    if foreground and host:
        raise click.UsageError("--foreground runs an agent in this terminal, and so on this host")
    if foreground and as_json:
        raise click.UsageError("--foreground prints no JSON")
    context = reach_started()
    wanted = role or agents.role_of(context, name)
    made = []
    for one in agents.named(name, count):
        order = commands.Spawn(one, cli, wanted, nickname, parent, max_rounds or 0, host)
        agent, fresh = commands.spawn(operator(context), order)
        made.append({**commands.spawn.shape((agent, fresh))[0], "fresh": fresh})
        away = placement.is_elsewhere(context, agent)
        where = f" on {safe(agent.host)}" if away else ""
        if not as_json:
            there = "already there" if away else "already here"
            click.echo(f"🤖 {agent.name}: {agent.role} with {agent.cli}{where}" + ("" if fresh else f" ({there})"))
        if fresh and foreground and not away:
            sys.exit(agents.run_here(context, agent))
        if fresh:
            agents.begin(context, agent)
    if as_json:
        click.echo(json.dumps(made))


@click.command(
    "list",
    epilog="""\b
    Examples:
      tt list
      tt list --json | jq -r '.[] | select(.state == "idle") | .name'
    """,
)
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
    header: tuple[str, ...] = ("", "AGENT", "LABEL", "CLI", "STATE", "FOR", "INBOX", "WORK")
    rows = [_row(agent, now) for agent in found]
    if several_hosts(found):
        header = (*header[:4], "HOST", *header[4:])
        rows = [(*row[:4], safe(agent["host"]) or "-", *row[4:]) for row, agent in zip(rows, found, strict=True)]
    columns.show(header, rows)


def several_hosts(agents: Sequence[Mapping[str, Any]]) -> bool:
    """Whether some of these agents are on another host than the others, or than this machine."""
    return bool({agent["host"] for agent in agents if agent["host"]} - {socket.gethostname()})


def _row(agent: Mapping[str, Any], now: float) -> tuple[str, ...]:
    since = agent["since"]
    work = f"{agent['purpose']} {agent['item']}, mission {agent['mission'][:8]}" if since else "-"
    return (
        icon(agent["state"]),
        agent["name"],
        safe(agent["label"]),
        safe(agent["cli"]),
        agent["state"],
        ago(now - since) if since else "-",
        by_kind(agent["pending"]) if any(agent["pending"].values()) else "-",
        ", ".join([work, *remarks(agent)]) if since or not remarks(agent) else ", ".join(remarks(agent)),
    )


def remarks(agent: Mapping[str, Any]) -> list[str]:
    """What else there is to say of an agent, for people."""
    said = [safe(agent["why"])] if agent["why"] else []
    if agent["returns"]:
        said.append("starts again when there is work for it")
    if agent["max_rounds"]:
        said.append(f"{agent['rounds']} of {agent['max_rounds']} runs")
    if agent["parent"]:
        said.append(f"child of {agent['parent']}")
    return said
