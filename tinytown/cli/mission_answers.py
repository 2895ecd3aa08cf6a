"""What people say to a mission: ``tt mission stop|resume|note|retry|merge|approve``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tinytown.cli.dollars import Dollars
from tinytown.cli.render import safe
from tinytown.cli.session import reach, reach_started

if TYPE_CHECKING:
    from tinytown.missions.records.item import Item
    from tinytown.missions.records.mission import Mission

_RUN = click.argument("run", metavar="[RUN]", required=False)
_OF_A_MISSION = click.option("--json", "as_json", is_flag=True, help="Print the mission's id and state as JSON.")
_OF_AN_ITEM = click.option("--json", "as_json", is_flag=True, help="Print the item as JSON.")


def _show(head: Mission, words: str, *, as_json: bool) -> None:
    state = {"id": head.id, "state": head.state.value, "reason": head.reason}
    click.echo(json.dumps(state) if as_json else f"{words}: {head.id}")


def _show_item(item: Item, words: str, *, as_json: bool) -> None:
    from tinytown.engine.views.missions import item_json

    click.echo(json.dumps(item_json(item)) if as_json else words)


@click.command(
    short_help="Pause a mission, or cancel it with --force.",
    epilog="""\b
    Examples:
      tt mission stop
      tt mission stop 0a1b2c3d --force
    """,
)
@_RUN
@click.option("--force", is_flag=True, help="Cancel it: stop running attempts; their work is kept.")
@_OF_A_MISSION
def stop(run: str | None, force: bool, as_json: bool) -> None:
    """Pause a mission (resume with `tt mission resume`), or cancel it with --force."""
    from tinytown.cli import words as typed
    from tinytown.commands import missions, operator

    context = reach()
    named = missions.Named(typed.meant(context, run))
    if force:
        _show(missions.cancel(operator(context), named), "🛑 Mission cancelled", as_json=as_json)
    else:
        _show(missions.pause(operator(context), named), "⏸️  Mission paused", as_json=as_json)


@click.command(
    epilog="""\b
    Examples:
      tt mission resume
      tt mission resume 0a1b2c3d --budget-usd 20
    """
)
@_RUN
@click.option("--budget-usd", type=Dollars(), metavar="USD", help="New spending limit.")
@click.option("--budget-tokens", type=click.IntRange(min=1), metavar="N", help="New limit in tokens.")
@_OF_A_MISSION
def resume(run: str | None, budget_usd: float | None, budget_tokens: int | None, as_json: bool) -> None:
    """Resume a paused mission."""
    from tinytown.cli import words as typed
    from tinytown.commands import missions, operator
    from tinytown.missions.states import MissionState

    context = reach_started()
    mission_id = typed.meant(context, run)
    paused = context.store.mission(mission_id).record.state is MissionState.PAUSED
    head = missions.resume(operator(context), missions.Resume(mission_id, budget_usd, budget_tokens))
    said = "▶️  Mission resumed" if paused else "▶️  Mission was not paused, and continues"
    _show(head, said, as_json=as_json)


@click.command(
    short_help="Answer a mission that asks for help, or steer it.",
    epilog="""\b
    Examples:
      tt mission note 0a1b2c3d "retry 12"
      tt mission note 0a1b2c3d "redirect 12 to ann"
      tt mission note 0a1b2c3d "Keep the old API for now."
    """,
)
@click.argument("words", nargs=-1, metavar="[RUN] NOTE")
@click.option("--remark", is_flag=True, help="Treat NOTE as a remark even if it looks like a command.")
@click.option("--json", "as_json", is_flag=True, help="Print the mission's id and what was done as JSON.")
def note(words: tuple[str, ...], remark: bool, as_json: bool) -> None:
    """Answer a mission that asks for help, or steer it.

    NOTE is a command: "resume", "pause", "retry [ITEM]", "redirect ITEM to AGENT", "cancel ITEM" or "reread ITEM".
    "hold" is "pause"; "reassign", "reroute" and "rebind" are "redirect". A reason may follow a colon: "pause: the
    vendor is down". Any other text is a remark that agents see in their next briefs. A note that starts like a command
    but is not one is refused.
    """
    from tinytown.cli import words as typed
    from tinytown.commands import missions, operator

    context = reach()
    mission_id, text = typed.meant_note(context, words)
    done = missions.note(operator(context), missions.Note(mission_id, text, remark))
    said = f"📝 {mission_id[:8]}: {safe(done)}"
    click.echo(json.dumps({"id": mission_id, "done": done}) if as_json else said)


@click.command(
    epilog="""\b
    Examples:
      tt mission retry                all that failed or need help
      tt mission retry 0a1b2c3d 12    one of them
    """
)
@click.argument("words", nargs=-1, metavar="[RUN] [ITEM]")
@click.option("--json", "as_json", is_flag=True, help="Print the items as a JSON array.")
def retry(words: tuple[str, ...], as_json: bool) -> None:
    """Retry an item, or all items that failed or need help."""
    from tinytown.cli import words as typed
    from tinytown.commands import missions, operator
    from tinytown.engine.views.missions import item_json

    context = reach()
    mission_id, item = typed.meant_perhaps_item(context, words)
    revived = missions.retry(operator(context), missions.Retry(mission_id, item))
    if as_json:
        click.echo(json.dumps([item_json(found) for found in revived]))
        return
    if not revived:
        click.echo("Nothing to retry.")
    for found in revived:
        click.echo(f"🔁 {found.noun} {found.name}: {safe(found.title)}")


@click.command(
    epilog="""\b
    Examples:
      tt mission merge 12
      tt mission merge 0a1b2c3d 12 --by 3f2a9c1
    """
)
@click.argument("words", nargs=-1, metavar="[RUN] ITEM")
@click.option(
    "--by", metavar="COMMIT", help="You merged it yourself, perhaps in another form: this commit of the base has it."
)
@_OF_AN_ITEM
def merge(words: tuple[str, ...], by: str | None, as_json: bool) -> None:
    """Merge an item that passed its gates."""
    from tinytown.cli import words as typed
    from tinytown.commands import items, operator

    context = reach()
    mission_id, item = typed.meant_item(context, words)
    if by is not None:
        done = items.merged_by(operator(context), items.MergedBy(mission_id, item, by))
        said = f"🔀 {done.noun} {done.name} counts as merged by {(done.merged or '')[:12]}"
    else:
        done = items.merge(operator(context), items.Named(mission_id, item))
        said = f"🔀 {done.noun} {done.name} is queued for merging"
    _show_item(done, said, as_json=as_json)


@click.command(
    epilog="""\b
    Examples:
      tt mission approve 12
      tt mission approve 0a1b2c3d 12
    """
)
@click.argument("words", nargs=-1, metavar="[RUN] ITEM")
@_OF_AN_ITEM
def approve(words: tuple[str, ...], as_json: bool) -> None:
    """Approve a change that needs a person, exactly as it is now."""
    from tinytown.cli import words as typed
    from tinytown.commands import items, operator

    context = reach()
    mission_id, item = typed.meant_item(context, words)
    found = items.approve(operator(context), items.Named(mission_id, item))
    said = f"👍 {found.noun} {found.name} is approved at {(found.human_approved or '')[:12]}"
    _show_item(found, said, as_json=as_json)


#: In the order of the help.
ALL = (stop, resume, note, retry, merge, approve)
