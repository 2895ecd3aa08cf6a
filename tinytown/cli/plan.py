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
from tinytown.cli.options import chosen_folder
from tinytown.cli.render import plural, safe
from tinytown.errors import ConfigurationError, NotATownError, NotFoundError
from tinytown.plans import reader
from tinytown.plans.model import FILE_NAME

if TYPE_CHECKING:
    from tinytown.missions.roles import RoleBook
    from tinytown.plans.reader import Reading


@click.command(short_help="Show the plan in tasks.toml, or begin one.")
@click.option("--init", "-i", "begin", is_flag=True, help="Write a tasks.toml to begin with; one that exists is kept.")
@click.option("--mermaid", is_flag=True, help="Print the graph as a Mermaid diagram.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(begin: bool, mermaid: bool, as_json: bool) -> None:
    """Show the tasks in tasks.toml: their order, what each waits for and who does it; or all that is wrong with them.

    The file is that of the town, or of this folder where there is no town. Nothing has to run.
    """
    if sum((begin, mermaid, as_json)) > 1:
        raise click.UsageError("--init, --mermaid and --json cannot be used together")
    root = _root()
    path = root / FILE_NAME
    source = FILE_NAME if root == Path.cwd() else str(path)
    if begin:
        _begin(path, source)
        return
    reading = reader.read(_content(path), source=source)
    if as_json:
        from tinytown.plans.view import plan_json

        click.echo(json.dumps(plan_json(reading)))
    _require(reading, path)
    if as_json:
        return
    from tinytown.cli import plan_view

    if mermaid:
        click.echo(plan_view.mermaid(reading.stages))
        return
    plan_view.show(reading, _roles(root))
    for remark in reading.stages.remarks():
        click.echo(f"note: {safe(remark.told(source))}", err=True)


def _begin(path: Path, source: str) -> None:
    """Write a file to begin with; one that is there is looked at and kept."""
    from tinytown.plans.template import TEMPLATE

    if os.path.lexists(path):
        reading = reader.read(_content(path), source=source)
        _require(reading, path)
        click.echo(f"📋 Kept {source}: {plural(len(reading.plan.tasks), 'task')}, nothing wrong; `tt plan` shows them")
        return
    files.write_atomically(path, TEMPLATE, mode=0o644)
    click.echo(f"📝 Created {source}: edit it to plan your work, then look at it with `tt plan`")


def _root() -> Path:
    """The town's folder, else the one that was named, else the working folder."""
    folder = chosen_folder()
    try:
        return settings.find_root(folder)
    except NotATownError:
        return folder


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(
            f"there is no {FILE_NAME} in {path.parent}", remedy="run `tt plan --init` to begin one"
        ) from None
    except OSError as error:
        raise files.read_error(path, error) from None


def _require(reading: Reading, path: Path) -> None:
    """Print all that is wrong, and end with an error where something is."""
    for problem in reading.problems:
        click.echo(safe(problem.told(reading.source)), err=True)
    if count := len(reading.problems):
        raise ConfigurationError(
            f"{plural(count, 'mistake')} in {path}",
            remedy=f"correct {'it' if count == 1 else 'them'}, then run `tt plan`",
        )


def _roles(root: Path) -> RoleBook:
    """The roles of the town, or those that every town has where there is none, or none that can be read."""
    from tinytown.missions.roles import RoleBook

    try:
        return RoleBook(settings.load(settings.find_root(root)).roles)
    except NotATownError:
        return RoleBook()
    except ConfigurationError as error:
        click.echo(f"note: the town's own roles are not known: {safe(str(error))}", err=True)
        return RoleBook()
