"""``tt work``: one work item in full."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from tinytown.cli.render import ago, money, safe
from tinytown.cli.session import reach

if TYPE_CHECKING:
    from tinytown.engine.work import WorkView


@click.group()
def work() -> None:
    """Look into the work on an item."""


@work.command()
@click.argument("item", metavar="ITEM")
@click.option("--run", metavar="ID", help="The mission; default: the newest active one.")
@click.option("--brief", is_flag=True, help="Only the exact brief of its newest attempt.")
@click.option("--log", is_flag=True, help="Only the logs of its attempts.")
@click.option("--attempt", type=int, metavar="N", help="With `--brief` or `--log`: of this attempt.")
@click.option("--follow", "-f", is_flag=True, help="Follow the log of the attempt that runs.")
@click.option("--diff", is_flag=True, help="Only its change.")
@click.option("--json", "as_json", is_flag=True, help="Print the item and its attempts as JSON.")
def show(
    item: str, run: str | None, brief: bool, log: bool, attempt: int | None, follow: bool, diff: bool, as_json: bool
) -> None:
    """Show an item: its attempts, what they cost, their brief, logs and change."""
    from tinytown.engine import work as works
    from tinytown.engine.status import current_mission, item_json

    context = reach()
    mission = current_mission(context) if run is None else context.store.find_mission(run)
    view = works.work_view(context, mission, item)
    if as_json:
        attempts = [a.model_dump(mode="json") for a in view.attempts]
        click.echo(json.dumps({**item_json(view.item), "history": attempts}))
    elif diff:
        click.echo(safe(works.diff(context, view), lines=True), nl=False)
    elif brief:
        click.echo(safe(works.brief(view.of(attempt)), lines=True), nl=False)
    elif follow:
        _follow(view)
    elif log:
        _logs(view.of(attempt))
    else:
        _summary(view, context.store.now())


def _summary(view: WorkView, now: float) -> None:
    item = view.item
    click.echo(f"Issue #{item.number}: {safe(item.title)}")
    click.echo(f"   {item.key}, {item.state.value.replace('_', ' ')}, {item.role}, branch {item.branch}")
    for attempt in view.attempts:
        what = "merge" if attempt.target == "merge" else attempt.purpose.value
        took = f" in {ago(attempt.ended_at - attempt.claimed_at)}" if attempt.claimed_at else ""
        cost = f", {money(attempt.report.cost_usd)}" if attempt.report.cost_usd else ""
        verdict = attempt.report.verdict
        # The run did what it was to do; what it found is another matter.
        refused = verdict is not None and not verdict.passed
        outcome = "refused it" if refused else attempt.report.outcome.value.replace("_", " ")
        said = f": {safe(attempt.report.summary)}" if attempt.report.summary else ""
        click.echo(f"   {attempt.number:>3}  {what:<7}{attempt.agent or '':<14}{outcome}{took}{cost}{said}")
    live = item.attempt
    if live is not None:
        since = f"for {ago(now - live.claimed_at)}" if live.claimed_at else "sent"
        click.echo(f"   {live.number:>3}  {live.purpose.value:<7}{live.agent or '':<14}runs {since}")
    if item.waiting is not None:
        click.echo(f"   waits ({item.waiting.reason.value.replace('_', ' ')}): {safe(item.waiting.remedy)}")
    if item.news and not item.state.settled:
        click.echo(f"   ✏️  its issue {safe(item.news)}")
    click.echo("   `--brief`, `--log` and `--diff` show more.")


def _logs(view: WorkView) -> None:
    from tinytown.engine import work as works

    anything = False
    for number, name, text in works.logs(view):
        if text:
            anything = True
            click.echo(f"── attempt {number}, {name}")
            click.echo(safe(text, lines=True))
    if not anything:
        click.echo("No logs on this machine.")


def _follow(view: WorkView) -> None:
    """Print the running attempt's output as it grows, until the file stops and is closed by its end."""
    from tinytown.engine import work as works
    from tinytown.errors import StateError

    live = view.item.attempt
    if live is None:
        raise StateError(f"{view.item.key} has no attempt that runs", remedy="`--log` shows those that ended")
    context = reach()
    grown = works.Growth(view.folders[live.number])
    while True:
        now = context.store.item(view.mission.id, view.item.key).record.attempt
        # Looked at once more after its end, for its last words.
        for text in grown.news():
            click.echo(safe(text, lines=True), nl=False)
        if now is None or now.number != live.number:
            return
        time.sleep(0.3)
