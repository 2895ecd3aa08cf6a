"""``tt backlog``: work that nobody has yet, which idle agents take by themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tinytown.cli import inside, quick
from tinytown.cli.render import ago, plural, safe


@click.group()
def backlog() -> None:
    """Keep work that nobody has yet; idle agents take what fits their role.

    An entry whose tags name roles is for agents with these roles, any other for every agent but reviewers. The oldest
    goes first, and each agent takes one at a time. `auto_claim = false` leaves all of it to you.

    Inside an agent's run `add`, `list` and `claim ID` can be used.
    """


@backlog.command(
    epilog="""\b
    Examples:
      tt backlog add "Explain the settings in the README" --tags docs
      tt backlog add "Find out why the login is slow" --tags backend,urgent
    """
)
@click.argument("text", metavar="TEXT")
@click.option(
    "--tags", "--tag", "tags", multiple=True, metavar="TAG,TAG", help="Roles it is for, or words to find it by."
)
@click.option("--json", "as_json", is_flag=True, help="Print the entry as JSON.")
def add(text: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Put work into the backlog; an idle agent that it fits takes it at once."""
    if inside.inside():
        added = inside.call("backlog.add", text=text, tags=list(tags))
    else:
        from tinytown.cli.session import reach_started
        from tinytown.commands import backlog as table
        from tinytown.commands import operator

        added = table.add.shape(table.add(operator(reach_started()), table.Add(text, tags)))
    if as_json:
        click.echo(json.dumps(added))
        return
    click.echo(f"📋 Added task to backlog: {added['id']}")
    click.echo(f"   Description: {_title(added)}")
    if added["task"]:
        click.echo(f"   {added['agent']} has taken it, as task {added['task']}")
    elif added["waits"]:
        click.echo(f"   {safe(added['waits'])}")


@backlog.command(
    "list",
    epilog="""\b
    Examples:
      tt backlog list
      tt backlog list --tag docs
      tt backlog list --json | jq -r '.[] | .id + " " + .waits'
    """,
)
@click.option("--tag", default="", metavar="TAG", help="Only those with this tag.")
@click.option("--json", "as_json", is_flag=True, help="Print the entries as a JSON array.")
def list_entries(tag: str, as_json: bool) -> None:
    """List the work that nobody has yet, the oldest first, and why it waits."""
    found, now = (inside.call("backlog.list", tag=tag), None) if inside.inside() else quick.see("backlog.list", tag=tag)
    if as_json:
        click.echo(json.dumps(found))
        return
    if not found:
        click.echo("📋 Nothing in the backlog has this tag" if tag else "📋 Backlog is empty")
        return
    click.echo(f"📋 Backlog ({plural(len(found), 'task')}):")
    for one in found:
        age = f", {ago(now - one['at'])} ago" if now is not None else ""
        tags = f" [{', '.join(map(safe, one['tags']))}]" if one["tags"] else ""
        click.echo(f"   {one['id']} - {_title(one)}{tags} ({safe(one['by'])}{age})")
    _explain(found)


def _explain(found: Sequence[Mapping[str, Any]]) -> None:
    """Why they wait; a reason that several have is said once."""
    by_reason: dict[str, list[str]] = {}
    for one in found:
        by_reason.setdefault(one["waits"], []).append(one["id"])
    for reason, ids in by_reason.items():
        which = ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
        click.echo(f"   {which}: {safe(reason)}")


#: Entries that are named of those which wait for the same.
_NAMED = 5


@backlog.command(
    epilog="""\b
    Examples:
      tt backlog claim b3 backend
    """
)
@click.argument("entry", metavar="ENTRY")
@click.argument("agent", metavar="[AGENT]", default="")
@click.option("--json", "as_json", is_flag=True, help="Print the task as JSON.")
def claim(entry: str, agent: str, as_json: bool) -> None:
    """Make an entry the next task of an agent; inside an agent's run, its own.

    The entry leaves the backlog and becomes the task in one step, so nobody else can take it, too.
    """
    if inside.inside():
        task = inside.call("backlog.claim", id=entry, agent=agent)
    else:
        from tinytown.cli.session import reach_started
        from tinytown.commands import backlog as table
        from tinytown.commands import operator

        if not agent:
            raise click.UsageError("name the agent that is to do it; `tt list` has them")
        task = table.claim.shape(table.claim(operator(reach_started()), table.Claim(entry, agent)))
    if as_json:
        click.echo(json.dumps(task))
    else:
        whose = safe(task["directed_to"] or "")
        click.echo(f"✅ Claimed {task['entry']} and assigned it to '{whose}', as task {task['id']}")


@backlog.command(
    epilog="""\b
    Examples:
      tt backlog assign-all backend
    """
)
@click.argument("agent", metavar="AGENT")
@click.option("--json", "as_json", is_flag=True, help="Print how many there were as JSON.")
def assign_all(agent: str, as_json: bool) -> None:
    """Make all that is in the backlog now tasks of one agent, the oldest first."""
    _only_outside("backlog assign-all")
    from tinytown.cli.session import reach_started
    from tinytown.commands import backlog as table
    from tinytown.commands import operator

    count = table.assign_all(operator(reach_started()), table.All(agent))
    if as_json:
        click.echo(json.dumps({"assigned": count}))
    elif count:
        click.echo(f"✅ Assigned {plural(count, 'task')} from backlog to '{safe(agent)}'; see `tt task list`")
    else:
        click.echo("📋 Backlog is empty, no tasks to assign")


@backlog.command(
    epilog="""\b
    Examples:
      tt backlog remove b3
    """
)
@click.argument("entry", metavar="ENTRY")
@click.option("--json", "as_json", is_flag=True, help="Print what was removed as JSON.")
def remove(entry: str, as_json: bool) -> None:
    """Take an entry out of the backlog for good."""
    _only_outside("backlog remove")
    from tinytown.cli.session import open_to_read
    from tinytown.commands import backlog as table
    from tinytown.commands import operator

    removed = table.remove(operator(open_to_read()), table.Named(entry))
    if as_json:
        click.echo(json.dumps(table.remove.shape(removed)))
    else:
        click.echo(f"✅ Removed {removed.id} from backlog: {safe(removed.title)}")


def _title(one: Mapping[str, Any]) -> str:
    return safe(str(one["text"]).strip().partition("\n")[0])


def _only_outside(command: str) -> None:
    if inside.inside():
        inside.refuse(command)
