"""``tt save|restore|reset|migrate``: the town as a whole."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from tinytown.cli.options import chosen_folder
from tinytown.cli.render import plural, safe, size_text
from tinytown.errors import EXIT_FAILED

#: Completed by the shell as a file.
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    epilog="""\b
    Examples:
      tt save town.zip
      tt save --force ~/backups/auth.zip
      tt save "backup-$(date +%F).zip" --json
    """
)
@click.argument("file", metavar="FILE", type=_FILE)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print what was saved as JSON.")
def save(file: Path, force: bool, as_json: bool) -> None:
    """Save the town into FILE: missions, agents and messages, the work of missions, and the settings without secrets.

    It is the town as it stands at one moment; it goes on meanwhile, and need not run. `tt restore FILE` brings it
    back. Not in it: the clones and logs of runs. A run that is under way is done again after a restore.
    """
    from tinytown.cli.session import open_to_read
    from tinytown.commands import operator, upkeep

    context = open_to_read()
    done = upkeep.save(operator(context), upkeep.Save(str(file.absolute()), force))
    if as_json:
        click.echo(json.dumps(upkeep.save.shape(done)))
        return
    what = f"{plural(done.missions, 'mission')}, {plural(done.items, 'item')}, {plural(done.agents, 'agent')}"
    click.echo(f"💾 Saved {safe(context.town.name)} to {safe(str(file))}: {what} ({size_text(done.size)})")
    if done.running:
        click.echo(f"note: {plural(done.running, 'run')} under way; after a restore this is done again", err=True)
    if done.left_out:
        click.echo(f"note: left out, because it may be secret: {safe(', '.join(done.left_out))}", err=True)


@click.command(
    epilog="""\b
    Examples:
      tt restore town.zip                 in a clone of the repository, or in a town without missions
      tt stop && tt restore --replace town.zip
      tt start                            goes on
    """
)
@click.argument("file", metavar="FILE", type=_FILE)
@click.option("--replace", is_flag=True, help="Put it in the place of what the town has, which is saved first.")
@click.option("--json", "as_json", is_flag=True, help="Print what was restored as JSON.")
def restore(file: Path, replace: bool, as_json: bool) -> None:
    """Restore the town that `tt save` wrote into FILE, in this repository.

    The town here must not run. If there is none, it is made, with the settings in FILE unless there is a tinytown.toml.
    FILE is checked as a whole before anything is changed. Then `tt start` goes on with the missions.
    """
    from tinytown.commands import keeper, upkeep

    wanted = upkeep.Restore(str(file.absolute()), str(chosen_folder()), replace)
    done = upkeep.restore(keeper(), wanted)
    if as_json:
        click.echo(json.dumps(upkeep.restore.shape(done)))
    else:
        what = f"{plural(done.missions, 'mission')}, {plural(done.items, 'item')}, {plural(done.agents, 'agent')}"
        then = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(done.saved_at))
        click.echo(f"📦 Restored {safe(done.name)} in {safe(done.root)} as of {then}: {what}; `tt start` goes on")
        if done.before:
            click.echo(f"note: what was here before is in {safe(done.before)}", err=True)
    for remark in done.remarks:
        click.echo(f"note: {safe(remark)}", err=True)


@click.command(
    epilog="""\b
    Examples:
      tt reset                      what would be removed
      tt reset --force
      tt reset --agents-only --force
    """
)
@click.option("--force", is_flag=True, help="Do it; without this, what would be removed is shown.")
@click.option("--agents-only", is_flag=True, help="Remove the agents and their messages; missions stay.")
@click.option("--json", "as_json", is_flag=True, help="Print what was, or would be, removed as JSON.")
def reset(force: bool, agents_only: bool, as_json: bool) -> None:
    """Begin the town anew: remove its missions, agents and messages. Without --force nothing is changed.

    All of it is saved in .tt/saved first, so `tt restore --replace` brings it back. Branches, and the work of missions
    in the mirror, stay. A town that runs is stopped for this and started again.
    """
    from tinytown.cli.session import here, open_to_read
    from tinytown.commands import keeper, operator, upkeep

    extent = upkeep.Extent(agents_only)
    if not force:
        found = upkeep.preview_reset(operator(open_to_read()), extent)
    elif agents_only:
        found = upkeep.reset(operator(open_to_read()), extent)
    else:
        found = upkeep.reset(keeper(here()), extent)
    if as_json:
        click.echo(json.dumps(upkeep.reset.shape(found)))
        return
    parts = [] if agents_only else [f"{plural(found.missions, 'mission')} with {plural(found.items, 'item')}"]
    parts += [plural(found.agents, "agent"), plural(found.messages, "message")]
    if found.backlog:
        parts.append(f"{plural(found.backlog, 'task')} in the backlog")
    active = f" (active: {found.active})" if found.active else ""
    if not found.done:
        again = "tt reset --agents-only --force" if agents_only else "tt reset --force"
        click.echo(f"🗑️  A reset would remove {', '.join(parts)}{active}")
        click.echo(f"   Nothing was changed: `{again}` does it, and saves all of it first")
        return
    click.echo(f"🗑️  Removed {', '.join(parts)}{active}")
    if found.before:
        click.echo(f"note: all of it is saved in {safe(found.before)}", err=True)


@click.command(
    epilog="""\b
    Examples:
      tt migrate --dry-run
      tt migrate
    """
)
@click.option("--dry-run", is_flag=True, help="Show what would be written; change nothing.")
@click.option("--force", is_flag=True, hidden=True, help="Nothing is asked anyway.")
@click.option("--json", "as_json", is_flag=True, help="Print what was, or would be, written as JSON.")
@click.pass_context
def migrate(context: click.Context, dry_run: bool, force: bool, as_json: bool) -> None:  # noqa: ARG001
    """Write records of older releases of tinytown in the form of this one.

    They are read without that too. The town may work meanwhile; it is saved in .tt/saved first. Records of a newer
    tinytown are named and left as they are; then the exit code is 1.
    """
    from tinytown.cli.session import open_to_read
    from tinytown.commands import operator, upkeep

    caller = operator(open_to_read())
    done = (upkeep.preview_migration if dry_run else upkeep.migrate)(caller, upkeep.Records())
    if as_json:
        click.echo(json.dumps(upkeep.migrate.shape(done)))
    elif not done.changes:
        click.echo(f"✅ Nothing to migrate: {plural(done.looked, 'record')}, all in the form of this release")
    else:
        kinds = {"mission": done.missions, "item": done.items, "attempt": done.attempts}
        parts = [plural(count, kind) for kind, count in kinds.items() if count]
        parts += [f"the indexes of {plural(done.indexes, 'mission')}"] if done.indexes else []
        said = "✅ Wrote anew" if done.done else "🔍 A migration would write anew"
        click.echo(f"{said}: {', '.join(parts)}")
        if not done.done:
            click.echo("   Nothing was changed: `tt migrate` does it")
    if done.before:
        click.echo(f"note: the town as it was is saved in {safe(done.before)}", err=True)
    for mission in done.newer:
        click.echo(
            f"note: mission {mission} was made by a newer tinytown and stays as it is: update tinytown", err=True
        )
    for mission in done.damaged:
        click.echo(f"note: mission {mission} has a damaged record and stays as it is: run `tt doctor`", err=True)
    if done.newer or done.damaged:
        context.exit(EXIT_FAILED)
