"""``tt plan``: the tasks in ``tasks.toml``, what is wrong with them and in which order they would run.

It needs no town, no server and no repository: a plan is a file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinytown import files, settings
from tinytown.cli import plan_file
from tinytown.cli.render import plural, safe
from tinytown.errors import ConfigurationError, NotATownError

if TYPE_CHECKING:
    from tinytown.missions.roles import RoleBook


@click.command(
    short_help="Show the plan in tasks.toml, or begin one.",
    epilog="""\b
    Examples:
      tt plan --init
      tt plan
    """,
)
@click.option("--init", "-i", "begin", is_flag=True, help="Write a tasks.toml to begin with; one that exists is kept.")
@click.option("--mermaid", is_flag=True, help="Print the graph as a Mermaid diagram.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(begin: bool, mermaid: bool, as_json: bool) -> None:
    """Show the tasks in tasks.toml: their order, what each waits for and who does it; or all mistakes in it.

    The file is that of the town, or of this folder where there is no town. Nothing has to run.
    """
    if sum((begin, mermaid, as_json)) > 1:
        raise click.UsageError("--init, --mermaid and --json cannot be used together")
    path = plan_file.place()
    if begin:
        _begin(path)
        return
    reading = plan_file.read(path, lines=as_json)
    if as_json:
        from tinytown.plans.view import plan_json

        click.echo(json.dumps(plan_json(reading)))
    plan_file.require(reading, path)
    if as_json:
        return
    from tinytown.cli import plan_view
    from tinytown.state import glimpse

    if mermaid:
        click.echo(plan_view.mermaid(reading.stages))
        return
    plan_view.show(reading, _roles(path.parent), dict(glimpse.agents(path.parent)))
    for remark in reading.stages.remarks():
        click.echo(f"note: {safe(remark.told(reading.source))}", err=True)


def _begin(path: Path) -> None:
    """Write a file to begin with; an existing one is checked and kept."""
    name = plan_file.name(path)
    if os.path.lexists(path):
        reading = plan_file.read(path)
        plan_file.require(reading, path)
        click.echo(f"📋 Kept {name}: {plural(len(reading.plan.tasks), 'task')}, nothing wrong; `tt plan` shows them")
        return
    from tinytown.plans.template import TEMPLATE

    files.write_atomically(path, TEMPLATE, mode=0o644)
    click.echo(f"📝 Created {name}: edit it to plan your work, then look at it with `tt plan`")


def _roles(root: Path) -> RoleBook:
    """The roles of the town; the built-in ones if there is no town or its settings cannot be read."""
    from tinytown.missions.roles import RoleBook

    try:
        return RoleBook(settings.load(settings.find_root(root)).roles)
    except NotATownError:
        return RoleBook()
    except ConfigurationError as error:
        click.echo(f"note: the town's own roles are not known: {safe(str(error))}", err=True)
        return RoleBook()
