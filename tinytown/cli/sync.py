"""``tt sync``: the plan in tasks.toml to the town, and what became of its tasks back into the file."""

from __future__ import annotations

import json

import click

from tinytown.cli import plan_file
from tinytown.cli.render import plural, safe
from tinytown.cli.session import open_to_read, reach_started
from tinytown.engine.plan import sync as plans
from tinytown.engine.plan.sync import Pulled, Pushed

#: Tasks that are named in a line.
_NAMED = 10


@click.group(short_help="Bring tasks.toml to the town, and its states back.", invoke_without_command=True)
@click.pass_context
def sync(context: click.Context) -> None:
    """Keep tasks.toml and the town in step; `tt sync` alone is `tt sync push`."""
    if context.invoked_subcommand is None:
        context.invoke(push, force=False, dry_run=False, as_json=False)


@sync.command(
    epilog="""\b
    Examples:
      tt sync push --dry-run
      tt sync push && tt conductor --no-ai
    """,
)
@click.option("--force", is_flag=True, help="Also end running work whose task was removed or became another one.")
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
@click.option("--json", "as_json", is_flag=True, help="Print what it did as JSON.")
def push(force: bool, dry_run: bool, as_json: bool) -> None:
    """Bring the plan in tasks.toml to the town.

    Tasks are told apart by their ids. Pushing the same file again changes nothing. In a plan that runs, new tasks take
    their place, changed ones change, and removed ones go; what runs or is done is never started again. A change that
    would leave running work without its task is refused, unless you say --force.
    """
    from tinytown.commands import operator
    from tinytown.commands import plans as commands

    path = plan_file.place()
    reading, content = plan_file.read_with_content(path)
    plan_file.require(reading, path)
    context = reach_started()
    wanted = commands.Sync(content, plan_file.name(path), dry_run=dry_run, force=force)
    done = commands.push(operator(context), wanted)
    if as_json:
        click.echo(json.dumps(commands.push.shape(done)))
        return
    _tell_pushed(done, dry_run=dry_run)


@sync.command(
    epilog="""\b
    Examples:
      tt sync pull
      tt sync pull --dry-run
    """,
)
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
@click.option("--json", "as_json", is_flag=True, help="Print what it did as JSON.")
def pull(dry_run: bool, as_json: bool) -> None:
    """Write the states and results of the tasks into tasks.toml.

    Everything else in the file stays as it is: comments, order, spaces.
    """
    from tinytown.commands import operator
    from tinytown.commands import plans as commands

    path = plan_file.place()
    reading, content = plan_file.read_with_content(path)
    plan_file.require(reading, path)
    context = open_to_read()
    done = commands.pull(operator(context), commands.Sync(content, plan_file.name(path), dry_run=dry_run))
    if not dry_run:
        if done.content != content:
            plan_file.write(path, done.content, instead_of=content)
        plans.pulled(context, done)
    if as_json:
        click.echo(json.dumps(commands.pull.shape(done)))
        return
    _tell_pulled(done, plan_file.name(path), dry_run=dry_run)


def _tell_pushed(done: Pushed, *, dry_run: bool) -> None:
    found = done.difference
    if found.nothing and not done.new:
        click.echo(f"📋 Nothing to push: {plural(len(found.unchanged), 'task')} as recorded")
        return
    would = "Would push" if dry_run else "Pushed"
    parts = [
        f"{len(ids)} {word}"
        for word, ids in (
            ("added", found.added),
            ("changed", found.changed),
            ("removed", found.removed),
            ("unchanged", found.unchanged),
        )
        if ids
    ]
    click.echo(f"📋 {would} the plan: {', '.join(parts)}")
    _list("+", found.added)
    _list("~", [f"{one.id} ({', '.join(one.fields)})" for one in found.changed])
    _list("-", found.removed)
    if found.meta:
        click.echo(f"   [meta]: {', '.join(found.meta)}")
    if done.mission is not None and done.mission.reason == plans.NOT_STARTED and not dry_run:
        click.echo("   `tt conductor` starts it")


def _tell_pulled(done: Pulled, name: str, *, dry_run: bool) -> None:
    if not done.changed:
        click.echo(f"📋 Nothing to pull: {safe(name)} says how the tasks stand")
        return
    would = "Would update" if dry_run else "Updated"
    click.echo(f"📋 {would} {plural(len(done.changed), 'task')} in {safe(name)}")
    _list("~", done.changed)


def _list(sign: str, entries: tuple[str, ...] | list[str]) -> None:
    for entry in entries[:_NAMED]:
        click.echo(f"   {sign} {safe(entry)}")
    if len(entries) > _NAMED:
        click.echo(f"   {sign} and {len(entries) - _NAMED} more")
