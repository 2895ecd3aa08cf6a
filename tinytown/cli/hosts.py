"""``tt join``, ``hosts``, ``leave``: the hosts of a town."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import click

from tinytown.cli import columns, quick
from tinytown.cli.options import chosen_folder
from tinytown.cli.render import ago, icon, plural, safe


@click.command(
    epilog="""\b
    Examples:
      tt join redis://:PASSWORD@server.example.org:6379/0
      REDIS_URL=redis://:PASSWORD@server.example.org:6379/0 tt join --max-agents 4
      tt join --id 0a1b2c3d --name barn
    """
)
@click.argument("url", metavar="[SERVER]", required=False)
@click.option("--id", "which", default="", metavar="TOWN", help="Id of the town, where the server has several.")
@click.option("--name", "-n", default="", metavar="TEXT", help="Name of this host (default: the machine's name).")
@click.option("--max-agents", type=click.IntRange(min=1), help="How many agents may be on this host.")
@click.option("--json", "as_json", is_flag=True, help="Print the host as JSON.")
def join(url: str | None, which: str, name: str, max_agents: int | None, as_json: bool) -> None:
    """Make this empty folder a host of a town that runs elsewhere, and start it.

    SERVER is the address of the town's server (default: REDIS_URL). It is stored without its password: set REDIS_URL in
    the shells in which you use this folder after the host was stopped.
    """
    from tinytown.cli.session import say_weaknesses
    from tinytown.host import join as joining

    url = url or os.environ.get("REDIS_URL")
    if not url:
        raise click.UsageError("name the server of the town, or set REDIS_URL")
    # What is started here finds it there, and nowhere else.
    os.environ["REDIS_URL"] = url
    done = joining.join(chosen_folder(), url, town=which, name=name, max_agents=max_agents)
    town = done.town
    for one in done.started:
        click.echo(f"started {one}", err=True)
    if as_json:
        made = {"name": town.name, "id": town.id, "host": town.host, "root": str(town.root), "joined": not done.existed}
        click.echo(json.dumps(made))
    elif done.existed:
        click.echo(f"This folder is the host {town.host} of {safe(town.name)} already: nothing was changed")
    else:
        click.echo(f"🏘️  {town.host} is a host of {safe(town.name)} now, in {safe(str(town.root))}")
    for remark in done.remarks:
        click.echo(f"note: {safe(remark)}", err=True)
    say_weaknesses(town)
    if not as_json and not done.existed:
        click.echo("   next: `tt spawn NAME --cli CLI` starts an agent here", err=True)


@click.command(
    epilog="""\b
    Examples:
      tt hosts
      tt hosts --json | jq -r '.[] | select(.state == "away") | .name'
    """
)
@click.option("--json", "as_json", is_flag=True, help="Print the hosts as a JSON array.")
def hosts(as_json: bool) -> None:
    """List the hosts of the town: whether they are there, their agents, and the agent CLIs that they have.

    `?` after a CLI: whether it is logged in cannot be told; `!`: it is not.
    """
    found, now = quick.see("hosts")
    if as_json:
        click.echo(json.dumps(found))
        return
    columns.show(("", "HOST", "STATE", "AGENTS", "RELEASE", "SANDBOX", "CLIS"), (_row(one, now) for one in found))
    for one in found:
        if one["unknown_settings"]:
            names = ", ".join(one["unknown_settings"])
            click.echo(f"note: {one['name']} does not know {safe(names)}: its release is older", err=True)


def _row(one: Mapping[str, Any], now: float) -> tuple[str, ...]:
    away = one["state"] == "away"
    state = f"away for {ago(now - one['seen_until'])}" if away else str(one["state"])
    working = f" ({one['working']} working)" if one["working"] else ""
    marks = {True: "", False: "!", None: "?"}
    return (
        icon("stopped" if away else "draining" if one["state"] == "draining" else "running"),
        safe(one["name"]) + (" (home)" if one["home"] else ""),
        state,
        f"{one['agents']} of {one['max_agents']}{working}",
        safe(one["release"]),
        safe(one["sandbox"]),
        ", ".join(safe(cli["name"]) + marks[cli["logged_in"]] for cli in one["clis"]) or "-",
    )


@click.command(
    epilog="""\b
    Examples:
      tt leave
      tt leave barn --now
      tt leave barn --gone
    """
)
@click.argument("host", metavar="[HOST]", required=False)
@click.option("--now", is_flag=True, help="End what runs there at once; its work is kept.")
@click.option("--gone", is_flag=True, help="It is away and does not come back: forget it.")
@click.option("--json", "as_json", is_flag=True, help="Print the host and its agents as JSON.")
def leave(host: str | None, now: bool, gone: bool, as_json: bool) -> None:
    """Take a host (default: this one) out of the town.

    It takes nothing new, its running attempts end and are handed in, then it stops. Its agents end with it. Its folder
    stays: `tt join` there brings it back.
    """
    from tinytown import commands
    from tinytown.cli.session import reach

    if now and gone:
        raise click.UsageError("--now is for a host that is there, --gone for one that is not")
    tell = lambda said: click.echo(said, err=True)  # noqa: E731
    wanted = commands.hosts.Leave(host or "", now=now, gone=gone, tell=tell)
    left = commands.hosts.leave(commands.operator(reach()), wanted)
    if as_json:
        click.echo(json.dumps(commands.hosts.leave.shape(left)))
        return
    click.echo(
        f"{safe(left.name)} has left the town" + (f"; {plural(len(left.agents), 'agent')} ended" if left.agents else "")
    )
    for name in left.agents:
        click.echo(f"   {name} ended; `tt spawn {name} --host HOST` starts it on another host", err=True)
