"""``tt gc``: clear away what a town needs no more."""

from __future__ import annotations

import json

import click

from tinytown.cli.render import plural, safe, size_text

#: Things of one kind that stay that are listed; ``--json`` has all.
_SHOWN = 20


@click.command(
    epilog="""\b
    Examples:
      tt gc --dry-run
      tt gc
      tt gc --json | jq '.parts[].stays'
      tt config retention.logs_days 7
    """
)
@click.option("--dry-run", is_flag=True, help="Show what would go and what would stay; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what went, or would go, and what stays as JSON.")
def gc(dry_run: bool, as_json: bool) -> None:
    """Clear away what is older than `[retention]` says: logs, branches and kept work, unreached objects, records.

    Nothing goes that is not proven to be elsewhere: a branch or kept work goes once a base holds its content, records
    go into .tt/archive first. What stays is listed with the reason. The town does this by itself once a day; it may
    work meanwhile, and may be interrupted. On a host that joined, its own logs and mirrors are cleared, of what the
    hub or a base has.
    """
    from tinytown.cli.session import open_to_read
    from tinytown.commands import operator, upkeep

    caller = operator(open_to_read())
    done = (upkeep.preview_clearing if dry_run else upkeep.clear)(caller, upkeep.Old())
    if as_json:
        click.echo(json.dumps(upkeep.clear.shape(done)))
        return
    for part in done.parts:
        if part.gone:
            room = f", {size_text(part.size)}" if part.size else ""
            click.echo(f"🧹 {part.kind}: {plural(part.gone, part.noun)}{room}")
    if not any(part.gone for part in done.parts):
        click.echo("✅ Nothing is old enough to go")
    elif dry_run:
        click.echo("   Nothing was changed: `tt gc` does it")
    for part in done.parts:
        for one in part.stays[:_SHOWN]:
            click.echo(f"   stays: {safe(one.what)}: {safe(one.why)}")
        if (more := len(part.stays) - _SHOWN) > 0:
            click.echo(f"   … and {more} more {part.kind} stay; `tt gc --json` has all")
