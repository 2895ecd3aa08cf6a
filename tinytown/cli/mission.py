"""``tt mission``: start missions, see how they stand, and answer them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tinytown.cli.dollars import Dollars
from tinytown.cli.render import icon, plural, safe
from tinytown.cli.session import glance, reach, reach_started


@click.group()
def mission() -> None:
    """Turn issues into merged, reviewed code."""


def _start_options(command: click.decorators.FC) -> click.decorators.FC:
    """What ``start`` and ``plan`` have in common."""
    for option in reversed(
        [
            click.option(
                "--issue", "-i", "issues", multiple=True, metavar="ISSUE", help="Issue to work on; repeatable."
            ),
            click.option("--doc", "docs", multiple=True, metavar="PATH", help="Document for every brief; repeatable."),
            click.option(
                "--manifest", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Overrides (TOML)."
            ),
            click.option("--max-parallel", type=click.IntRange(min=1), metavar="N", help="Items that may run at once."),
            click.option("--no-reviewer", is_flag=True, help="Settle without a reviewer's approval."),
            click.option(
                "--budget-usd",
                type=Dollars(),
                metavar="USD",
                help="Spend at which to pause.",
            ),
            click.option("--again", is_flag=True, help="Also issues that a mission has done already."),
            click.option(
                "--no-base-check", is_flag=True, help="Start although the checks may fail on the base itself."
            ),
        ]
    ):
        command = option(command)
    return command


@mission.command()
@_start_options
@click.option("--json", "as_json", is_flag=True, help="Print the mission as JSON.")
def start(
    issues: tuple[str, ...],
    docs: tuple[str, ...],
    manifest: Path | None,
    max_parallel: int | None,
    no_reviewer: bool,
    budget_usd: float | None,
    again: bool,
    no_base_check: bool,
    as_json: bool,
) -> None:
    """Start a mission on one or more issues."""
    from tinytown.cli.base_steps import BaseSteps
    from tinytown.cli.plan import show_notes
    from tinytown.engine.start import Order
    from tinytown.engine.start import start as start_mission
    from tinytown.engine.status import mission_view
    from tinytown.missions import keys

    context = reach_started()
    order = Order(
        issues=issues,
        docs=docs,
        manifest=manifest,
        max_parallel=max_parallel,
        no_reviewer=no_reviewer,
        budget_usd=budget_usd,
        again=again,
        base_check=not no_base_check,
    )
    started = start_mission(context, order, observer=BaseSteps())
    names = keys.names(item.key for item in started.items)
    show_notes(started.remarks, started.unread, names)
    if as_json:
        view = mission_view(context, started.mission.id).json()
        unread = [asdict(one) for one in started.unread]
        click.echo(json.dumps({**view, "remarks": list(started.remarks), "unread_mentions": unread}))
        return
    click.echo(f"🚀 Mission started: {started.mission.id}")
    click.echo(f"📋 Objectives: {plural(len(started.mission.objectives), 'issue')}")
    work = [i for i in started.items if i.state.value != "skipped"]
    click.echo(f"📦 Work items: {len(work)}")
    for item in work:
        click.echo(f"   {icon('pending')} Issue {names[item.key]}: {safe(item.title)}")


@mission.command(short_help="Show what a mission would do; changes nothing.")
@_start_options
@click.option("--mermaid", is_flag=True, help="Print the graph for Mermaid.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(
    issues: tuple[str, ...],
    docs: tuple[str, ...],
    manifest: Path | None,
    max_parallel: int | None,
    no_reviewer: bool,
    budget_usd: float | None,
    again: bool,
    no_base_check: bool,
    mermaid: bool,
    as_json: bool,
) -> None:
    """Show what a mission would do: its order, who could take what, and what would wait. Changes nothing."""
    from tinytown.cli import plan as views
    from tinytown.engine.plan import plan as make_plan
    from tinytown.engine.start import Order

    if mermaid and as_json:
        raise click.UsageError("--mermaid and --json exclude each other")
    order = Order(
        issues=issues,
        docs=docs,
        manifest=manifest,
        max_parallel=max_parallel,
        no_reviewer=no_reviewer,
        budget_usd=budget_usd,
        again=again,
        base_check=not no_base_check,
    )
    made = make_plan(glance(), order)
    if as_json:
        click.echo(json.dumps(made.json()))
    elif mermaid:
        click.echo(views.mermaid(made))
    else:
        views.show(made)


@mission.command()
@click.option("--run", metavar="ID", help="The mission; default: the newest active one.")
@click.option("--work", is_flag=True, help="Every work item in detail.")
@click.option("--watch", is_flag=True, help="The gates that are being watched.")
@click.option("--dispatcher", is_flag=True, help="The dispatcher's heartbeat and what it asked for.")
@click.option("--follow", "-f", is_flag=True, help="Live view until the mission ends.")
@click.option("--json", "as_json", is_flag=True, help="Print the mission as JSON.")
def status(run: str | None, work: bool, watch: bool, dispatcher: bool, follow: bool, as_json: bool) -> None:
    """Show how a mission stands and why anything waits."""
    if follow and as_json:
        raise click.UsageError("--follow and --json exclude each other")
    from tinytown.cli import mission_view as views
    from tinytown.engine.status import mission_view

    context = reach()
    mission_id = _find(context, run)
    if follow:
        views.follow(context, mission_id)
        return
    view = mission_view(context, mission_id)
    if as_json:
        click.echo(json.dumps(view.json()))
        return
    views.show(view, work=work, watch=watch)
    if dispatcher:
        views.show_dispatcher(context, view)


@mission.command("list")
@click.option("--all", "everything", is_flag=True, help="Ended missions too.")
@click.option("--json", "as_json", is_flag=True, help="Print an array of missions.")
def list_missions(everything: bool, as_json: bool) -> None:
    """List missions, the newest first."""
    from tinytown.engine.status import mission_view

    context = reach()
    found = [mission_view(context, i) for i in reversed(context.store.mission_ids(live=not everything))]
    if as_json:
        click.echo(json.dumps([v.json() for v in found]))
        return
    if not found:
        click.echo("No missions." if everything else "No active missions; `--all` shows those that ended.")
    for view in found:
        counts = ", ".join(f"{n} {s.replace('_', ' ')}" for s, n in view.counts().items())
        click.echo(f"{icon(view.mission.state.value)} {view.mission.id}  {view.mission.state.value:<10} {counts}")


@mission.command(short_help="Run the dispatcher here, and tell what happens.")
@click.option("--run", metavar="ID", help="Only this mission; ends with it.")
@click.option("--once", is_flag=True, help="One round only.")
def dispatch(run: str | None, once: bool) -> None:
    """Run the dispatcher in the foreground: a round every 30 s, and what happens meanwhile."""
    from tinytown.cli.dispatch import dispatch_rounds

    context = reach_started()
    dispatch_rounds(context, _find(context, run) if run else None, once=once)


@mission.command(short_help="Pause a mission, or end it with --force.")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--force", is_flag=True, help="End it: running attempts are ended, their work is kept.")
def stop(run: str | None, force: bool) -> None:
    """Pause a mission (resume with `tt mission resume`), or end it with --force."""
    from tinytown.engine import operate

    context = reach()
    mission_id = _find(context, run)
    if force:
        operate.cancel(context, mission_id)
        click.echo(f"🛑 Mission cancelled: {mission_id}")
    else:
        operate.pause(context, mission_id)
        click.echo(f"⏸️  Mission paused: {mission_id}")


@mission.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--budget-usd", type=Dollars(), metavar="USD", help="New spend cap.")
def resume(run: str | None, budget_usd: float | None) -> None:
    """Go on with a paused mission."""
    from tinytown.engine import operate

    context = reach_started()
    mission_id = _find(context, run)
    operate.resume(context, mission_id, budget_usd=budget_usd)
    click.echo(f"▶️  Mission resumed: {mission_id}")


@mission.command(short_help="Answer a mission that asks, or steer it.")
@click.argument("run", metavar="RUN")
@click.argument("text", metavar="NOTE")
@click.option("--remark", is_flag=True, help="Keep NOTE as a remark, whatever it looks like.")
def note(run: str, text: str, remark: bool) -> None:
    """Answer a mission that asks, or steer it.

    NOTE is a command: "resume", "pause", "retry [ITEM]", "redirect ITEM to AGENT", "cancel ITEM" or "reread ITEM".
    A reason may follow a colon: "pause: the vendor is down". Any other text is a remark that agents see in their
    next briefs. A note that begins like a command and is none is refused.
    """
    from tinytown.engine import operate

    context = reach()
    mission_id = _find(context, run)
    click.echo(f"📝 {mission_id[:8]}: {safe(operate.note(context, mission_id, text, remark=remark))}")


@mission.command()
@click.argument("run", metavar="RUN")
@click.argument("item", metavar="[ITEM]", required=False)
def retry(run: str, item: str | None) -> None:
    """Try an item again, or all that failed or wait for help."""
    from tinytown.engine import operate

    context = reach()
    mission_id = _find(context, run)
    revived = operate.retry(context, mission_id, item)
    if not revived:
        click.echo("Nothing needs a retry.")
    for found in revived:
        click.echo(f"🔁 Issue #{found.number}: {safe(found.title)}")


@mission.command()
@click.argument("run", metavar="RUN")
@click.argument("item", metavar="ITEM")
def merge(run: str, item: str) -> None:
    """Merge an item that has passed its gates."""
    from tinytown.engine import operate

    context = reach()
    mission_id = _find(context, run)
    found = operate.merge(context, mission_id, item)
    click.echo(f"🔀 Issue #{found.number} goes to the merge gate")


def _find(context: object, run: str | None) -> str:
    from tinytown.engine.context import Context
    from tinytown.engine.status import current_mission

    assert isinstance(context, Context)
    return current_mission(context) if run is None else context.store.find_mission(run)
