"""``tt work``: one work item in full."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from tinytown import characters
from tinytown.cli import columns
from tinytown.cli.render import ago, due, icon, money, safe
from tinytown.cli.session import open_to_read, reach
from tinytown.missions.fences import ALIKE, NOT_PLAIN, told

if TYPE_CHECKING:
    from tinytown.engine.views.items import WorkView
    from tinytown.missions.records.attempt import AttemptRecord
    from tinytown.missions.records.item import Item


@click.group()
def work() -> None:
    """Show the work on an item."""


@work.command(
    epilog="""\b
    Examples:
      tt work show 12
      tt work show 12 --diff
      tt work show 12 --log --follow
    """
)
@click.argument("item", metavar="ITEM")
@click.option("--run", "-r", metavar="RUN", help="Mission (default: the newest one with the item, active ones first).")
@click.option("--brief", is_flag=True, help="Show only the brief of its newest attempt.")
@click.option("--log", is_flag=True, help="Show only the logs of its attempts.")
@click.option("--attempt", type=int, metavar="N", help="Attempt to show with `--brief` or `--log`.")
@click.option("--follow", "-f", is_flag=True, help="Follow the log of the running attempt.")
@click.option("--diff", is_flag=True, help="Show only its change, as a diff.")
@click.option("--json", "as_json", is_flag=True, help="Print the item and its attempts as JSON.")
def show(
    item: str, run: str | None, brief: bool, log: bool, attempt: int | None, follow: bool, diff: bool, as_json: bool
) -> None:
    """Show an item: its attempts and their cost, briefs, logs and diff."""
    from tinytown.commands import items, operator
    from tinytown.engine.views import items as works

    context = open_to_read()
    mission = works.mission_with(context, item) if run is None else context.store.find_mission(run)
    view = items.show(operator(context), items.Named(mission, item))
    if as_json:
        click.echo(json.dumps(items.show.shape(view)))
    elif diff:
        _show_diff(works.diff(context, view))
    elif brief:
        click.echo(safe(works.brief(view.of(attempt)), lines=True), nl=False)
    elif follow:
        follow_attempt(view)
    elif log:
        show_logs(view.of(attempt))
    else:
        _summary(view, context.store.now())


def _show_diff(text: str) -> None:
    """Print the diff with every unusual character named, after how many there are and which words mix scripts."""
    if odd := characters.count(text):
        click.echo(f"# Characters that are not plain: {told(odd)}\n# {NOT_PLAIN}\n")
    if mixed := characters.mixed(text):
        click.echo(f"# Letters that look alike: {told(mixed)}\n# {ALIKE}\n")
    click.echo(characters.shown(text), nl=False)


@work.command(
    "list",
    short_help="List the work items of a mission.",
    epilog="""\b
    Examples:
      tt work list
      tt work list 0a1b2c3d --json
    """,
)
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the work items as a JSON array.")
def list_items(run: str | None, as_json: bool) -> None:
    """List the work items of a mission (default: the newest active one, else the newest)."""
    from tinytown import keys
    from tinytown.cli import words
    from tinytown.commands import missions, operator
    from tinytown.engine.views.missions import item_json

    context = open_to_read()
    view = missions.status(operator(context), missions.Named(words.shown(context, run)))
    if as_json:
        click.echo(json.dumps([item_json(item) for item in view.items]))
        return
    names = keys.names(item.key for item in view.items)
    header = ("", "ISSUE", "STATE", "ROLE", "AGENT", "RUNS", "TOOK", "COST", "TITLE")
    columns.show(header, (_row(item, names[item.key], view.now) for item in view.items))


def _row(item: Item, name: str, now: float) -> tuple[str, ...]:
    took = ago((item.settled_at or now) - item.started_at) if item.started_at else "-"
    return (
        icon(item.state.value),
        name,
        item.state.value.replace("_", " "),
        item.role,
        item.agent or "-",
        str(item.attempts),
        took,
        money(item.cost_usd) if item.cost_usd else "-",
        safe(item.title),
    )


def _summary(view: WorkView, now: float) -> None:
    item = view.item
    click.echo(f"{item.noun} {item.name}: {safe(item.title)}")
    click.echo(f"   mission {view.mission.short}, {view.mission.state.value}")
    click.echo(f"   {item.key}, {item.state.value.replace('_', ' ')}, {item.role}, branch {item.branch}")
    if item.change_url:
        click.echo(f"   {safe(item.change_url)}")
    if view.attempts or item.attempt is not None:
        click.echo(f"   {'TRY':>3}  {'WHAT':<8}{'AGENT':<14}{'SINCE':<18}RESULT")
    for attempt in view.attempts:
        what = attempt.purpose.value
        took = f" in {ago(attempt.ended_at - attempt.claimed_at)}" if attempt.claimed_at else ""
        cost = f", {money(attempt.report.cost_usd)}" if attempt.report.cost_usd else ""
        outcome = _outcome(attempt)
        said = f": {safe(attempt.report.summary)}" if attempt.report.summary else ""
        cli = f" with {attempt.cli}" if attempt.cli else ""
        began = columns.moment(attempt.claimed_at or attempt.sent_at)
        who = f"{attempt.agent or '-':<14}{began:<18}"
        click.echo(f"   {attempt.number:>3}  {what:<8}{who}{outcome}{cli}{took}{cost}{said}")
        if attempt.report.refused:
            click.echo(f"        its network refused: {safe(', '.join(attempt.report.refused))}")
    live = item.attempt
    if live is not None:
        since = f"for {ago(now - live.claimed_at)}" if live.claimed_at else "sent"
        who = f"{live.agent or '-':<14}{columns.moment(live.claimed_at or live.sent_at):<18}"
        click.echo(f"   {live.number:>3}  {live.purpose.kind.value:<8}{who}runs {since}")
    _show_review_warnings(item)
    if item.waiting is not None:
        reason = item.waiting.reason.value.replace("_", " ")
        click.echo(f"   waits ({reason}): {safe(item.waiting.remedy)}{due(item.waiting.until, now)}")
    if item.news and not item.state.settled:
        click.echo(f"   ✏️  its issue {safe(item.news)}")
    click.echo("   `--brief`, `--log` and `--diff` show more.")


def _outcome(attempt: AttemptRecord) -> str:
    """What the attempt came to: a run may succeed, and refuse the change or give no verdict."""
    verdict, outcome = attempt.report.verdict, attempt.report.outcome.value
    if verdict is not None and not verdict.passed:
        return "refused it"
    if attempt.purpose == "review" and verdict is None and outcome == "succeeded":
        return "no verdict"
    return outcome.replace("_", " ")


def _show_review_warnings(item: Item) -> None:
    """Print what the change does to what judges it."""
    if item.doubt is not None and item.doubt.sha == item.head:
        click.echo(f"   ⚠️  with the checks as the base defines them: {safe(item.doubt.why)}")
    warnings = item.review_warnings
    if warnings is None or warnings.sha != item.head:
        return
    for remark in warnings.remarks:
        click.echo(f"   ⚠️  {safe(remark.path)}: {safe(remark.text)}")
    if warnings.more:
        click.echo(f"   ⚠️  and {warnings.more} more")


def show_logs(view: WorkView) -> None:
    """Print what the attempts at an item said."""
    from tinytown.engine.views import items as works

    anything = False
    for number, name, text in works.logs(view):
        if text:
            anything = True
            click.echo(f"── attempt {number}, {name}")
            click.echo(safe(text, lines=True))
    if not anything:
        click.echo("There are no logs on this machine, and none are kept of other hosts.")


def follow_attempt(view: WorkView) -> None:
    """Print the running attempt's output as it grows, until the file stops and is closed by its end."""
    from tinytown.engine.views import items as works
    from tinytown.errors import StateError

    live = view.item.attempt
    if live is None:
        raise StateError(f"{view.item.key} has no running attempt", remedy="use `--log` for the attempts that ended")
    context = reach()
    grown = works.growth(context, view, live.number)
    while True:
        now = context.store.item(view.mission.id, view.item.key).record.attempt
        # Read once more after its end, for the last output.
        for text in grown.news():
            click.echo(safe(text, lines=True), nl=False)
        if now is None or now.number != live.number:
            return
        time.sleep(0.3)
