"""``tt towns``: the user's towns on this machine."""

from __future__ import annotations

import json

import click

from tinytown.cli.render import icon, safe


@click.command(
    epilog="""\b
    Examples:
      tt towns
      tt towns --json | jq -r '.[] | select(.state == "running") | .root'
      tt -t ~/project status        look at one of them from anywhere
    """
)
@click.option("--json", "as_json", is_flag=True, help="Print the towns as a JSON array.")
def towns(as_json: bool) -> None:
    """List your towns on this machine: whether they run, their agents and missions, and where they are.

    Folders that joined a town as its hosts are listed, too, with the agents of that host.

    A town whose folder is gone stays listed until its state folder is removed. Nothing is started.
    """
    from tinytown.cli import columns
    from tinytown.commands import keeper, town

    found = town.list_all(keeper(), town.Everything())
    if as_json:
        click.echo(json.dumps(town.list_all.shape(found)))
        return
    if not found:
        click.echo("No towns yet; `tt init` in a git repository makes one.")
        return
    rows = (
        (
            icon("error" if one.state in ("gone", "broken") else one.state),
            safe(one.name) + (f" (host {safe(one.host)})" if one.host else ""),
            one.state,
            _count(one.agents) + (f" ({one.working} working)" if one.working else ""),
            _count(one.missions),
            safe(one.root),
        )
        for one in found
    )
    columns.show(("", "TOWN", "STATE", "AGENTS", "MISSIONS", "FOLDER"), rows)
    for one in found:
        if one.problem:
            click.echo(f"note: {safe(one.name)}: {safe(one.problem)}; {safe(one.remedy)}", err=True)


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)
