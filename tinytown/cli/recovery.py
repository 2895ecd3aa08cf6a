"""``tt recover`` and ``tt reclaim``: after a crash, and for what agents left behind."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from tinytown.cli.render import plural, safe

#: Characters of a title or a message that are shown.
_SHOWN = 70


@click.command(
    epilog="""\b
    Examples:
      tt recover --dry-run
      tt recover
    """
)
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def recover(dry_run: bool, as_json: bool) -> None:
    """Note which agents are gone, and send again what they held.

    An agent is gone if it was not heard of for longer than its lease, and nobody on this machine starts it again: its
    terminal or its machine is gone. One that is there is never touched. Lost work is also sent again without this, with
    some delay.
    """
    from tinytown.cli.session import reach, reach_started
    from tinytown.commands import agents, operator

    found = agents.recover(operator(reach() if dry_run else reach_started()), agents.Recover(dry_run))
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    would = "would be " if dry_run else ""
    for name in found.gone:
        click.echo(f"⬛ {name} is gone; it {would or 'is '}noted as stopped: `tt restart {name}` brings it back")
    for name in found.coming:
        click.echo(f"⏳ {name} is not there; the town starts it again (see `tt logs {name}`)")
    for attempt in found.lost:
        click.echo(f"🔄 {safe(attempt)} was lost; its work {would or 'is '}taken up again")
    if not (found.gone or found.coming or found.lost):
        click.echo(f"✨ Nothing to recover ({plural(found.checked, 'agent')} checked)")


@click.command(
    epilog="""\b
    Examples:
      tt reclaim                        what there is; changes nothing
      tt reclaim --to backend
      tt reclaim --from helper --to-backlog
    """
)
@click.option("--to", default="", metavar="AGENT", help="Give it to this agent.")
@click.option("--to-backlog", is_flag=True, help="Give it to whoever is idle.")
@click.option("--from", "source", default="", metavar="AGENT", help="Only what this agent left.")
@click.option("--json", "as_json", is_flag=True, help="Print it as a JSON array.")
def reclaim(to: str, to_backlog: bool, source: str, as_json: bool) -> None:
    """Show what agents that have ended left behind, or give it to others.

    These are tasks and other items that were for them alone, and messages that they had not read. With --to-backlog,
    tasks that nobody has begun go there, other items to any agent with their role, and messages stay. Without --to and
    --to-backlog nothing is changed.
    """
    from tinytown.cli.session import reach
    from tinytown.commands import agents, operator

    orphans = agents.reclaim(operator(reach()), agents.Reclaim(to, source, to_backlog))
    if as_json:
        click.echo(json.dumps(agents.reclaim.shape(orphans)))
        return
    if not orphans:
        click.echo("Agents that have ended left nothing behind.")
        return
    for orphan in orphans:
        text = safe(orphan.text)
        text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        where = f" (mission {orphan.mission[:8]})" if orphan.mission else ""
        what = f"{safe(orphan.id)} {text}" if orphan.kind == "item" else f"✉️  {text}"
        click.echo(f"   {orphan.agent}: {what}{where}" + (f" → {_place(orphan.went)}" if orphan.went else ""))
    if not (to or to_backlog):
        click.echo("nothing is changed; `tt reclaim --to AGENT` or `--to-backlog` gives it to others", err=True)
    elif any(not orphan.went for orphan in orphans):
        click.echo("what has no arrow stays where it is; `tt reclaim --to AGENT` gives it to an agent", err=True)


def _place(went: str) -> str:
    return f"backlog, as {went}" if went[1:].isdecimal() and went.startswith("b") else safe(went)
