"""``tt mission``: start missions, see how they stand, and answer them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinytown import keys
from tinytown.cli import mission_answers
from tinytown.cli.dollars import Dollars
from tinytown.cli.render import icon, plural, safe
from tinytown.cli.session import open_as_is, open_to_read, reach_started

if TYPE_CHECKING:
    from tinytown.engine.context import Context


@click.group()
def mission() -> None:
    """Turn issues into merged, reviewed code."""


for answer in mission_answers.ALL:
    mission.add_command(answer)


def _start_options(command: click.decorators.FC) -> click.decorators.FC:
    """What ``start`` and ``plan`` have in common."""
    for option in reversed(
        [
            click.argument("words", nargs=-1, metavar="[ISSUE]..."),
            click.option("--all", "everything", is_flag=True, help="All open issues that no mission has taken yet."),
            click.option(
                "--issue", "-i", "issues", multiple=True, metavar="ISSUE", help="Issue to work on; repeatable."
            ),
            click.option(
                "--doc",
                "-d",
                "docs",
                type=click.Path(),
                multiple=True,
                metavar="PATH",
                help="Document to add to every brief; repeatable.",
            ),
            click.option(
                "--manifest",
                type=click.Path(path_type=Path, dir_okay=False),
                metavar="FILE",
                help="File with overrides (TOML).",
            ),
            click.option(
                "--max-parallel", type=click.IntRange(min=1), metavar="N", help="How many items may run at once."
            ),
            click.option("--no-reviewer", is_flag=True, help="Do not require a reviewer's approval."),
            click.option(
                "--budget-usd",
                type=Dollars(),
                metavar="USD",
                help="Pause when this much has been spent.",
            ),
            click.option(
                "--budget-tokens",
                type=click.IntRange(min=1),
                metavar="N",
                help="Pause when so many tokens have been used.",
            ),
            click.option("--again", is_flag=True, help="Include issues that an earlier mission completed."),
            click.option(
                "--trust", is_flag=True, help="Include issues by people without write access: you have read them."
            ),
            click.option("--no-base-check", is_flag=True, help="Do not run the checks on the base branch first."),
        ]
    ):
        command = option(command)
    return command


@mission.command(
    short_help="Start a mission on one or more issues.",
    epilog="""\b
    Examples:
      tt mission start --issue 12 --issue 13
      tt mission start 12 13 --budget-usd 5
    """,
)
@_start_options
@click.option("--json", "as_json", is_flag=True, help="Print the mission as JSON.")
def start(
    words: tuple[str, ...],
    everything: bool,
    issues: tuple[str, ...],
    docs: tuple[str, ...],
    manifest: Path | None,
    max_parallel: int | None,
    no_reviewer: bool,
    budget_usd: float | None,
    budget_tokens: int | None,
    again: bool,
    trust: bool,
    no_base_check: bool,
    as_json: bool,
) -> None:
    """Start a mission on one or more issues: `1 2 3`, `1-6`, `1,3-5`, or all open ones (`--all`)."""
    from tinytown.cli.base_steps import BaseSteps
    from tinytown.cli.mission_preview import show_notes
    from tinytown.commands import missions, operator
    from tinytown.engine.start.order import Order

    context = reach_started()
    order = Order(
        issues=_wanted(context, words, issues, everything=everything, again=again, trust=trust),
        docs=docs,
        manifest=manifest,
        max_parallel=max_parallel,
        no_reviewer=no_reviewer,
        budget_usd=budget_usd,
        budget_tokens=budget_tokens,
        again=again,
        trust=trust,
        base_check=not no_base_check,
    )
    caller = operator(context, observer=BaseSteps())
    started = missions.start(caller, order)
    names = keys.names(item.key for item in started.items)
    show_notes(started.remarks, started.unread, names)
    if as_json:
        view = missions.status.shape(missions.status(caller, missions.Named(started.mission.id)))
        unread = [asdict(one) for one in started.unread]
        click.echo(json.dumps({**view, "remarks": list(started.remarks), "unread_mentions": unread}))
        return
    click.echo(f"🚀 Mission started: {started.mission.id}")
    click.echo(f"📋 Objectives: {plural(len(started.mission.objectives), 'issue')}")
    work = [i for i in started.items if i.state.value != "skipped"]
    click.echo(f"📦 Work items: {len(work)}")
    for item in work:
        click.echo(f"   {icon('pending')} {item.noun} {names[item.key]}: {safe(item.title)}")


@mission.command(
    short_help="Show what a mission would do, without starting it.",
    epilog="""\b
    Examples:
      tt mission plan 12 13
      tt mission plan --all --mermaid
    """,
)
@_start_options
@click.option("--mermaid", is_flag=True, help="Print the graph as a Mermaid diagram.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(
    words: tuple[str, ...],
    everything: bool,
    issues: tuple[str, ...],
    docs: tuple[str, ...],
    manifest: Path | None,
    max_parallel: int | None,
    no_reviewer: bool,
    budget_usd: float | None,
    budget_tokens: int | None,
    again: bool,
    trust: bool,
    no_base_check: bool,
    mermaid: bool,
    as_json: bool,
) -> None:
    """Show what a mission would do: the order, who could take what, and what would wait. Starts nothing."""
    from tinytown.cli import mission_preview as views
    from tinytown.commands import missions, operator
    from tinytown.engine.start.order import Order

    if mermaid and as_json:
        raise click.UsageError("--mermaid and --json cannot be used together")
    context = open_as_is()
    order = Order(
        issues=_wanted(context, words, issues, everything=everything, again=again, trust=trust),
        docs=docs,
        manifest=manifest,
        max_parallel=max_parallel,
        no_reviewer=no_reviewer,
        budget_usd=budget_usd,
        budget_tokens=budget_tokens,
        again=again,
        trust=trust,
        base_check=not no_base_check,
    )
    made = missions.preview(operator(context), order)
    if as_json:
        click.echo(json.dumps(missions.preview.shape(made)))
    elif mermaid:
        click.echo(views.mermaid(made))
    else:
        views.show(made)


@mission.command(
    epilog="""\b
    Examples:
      tt mission status 0a1b2c3d --work --watch
      tt mission status 0a1b2c3d --follow
    """
)
@click.argument("named", metavar="[RUN]", required=False)
@click.option("--run", "-r", metavar="RUN", help="Mission (default: the newest active one, else the newest).")
@click.option("--all", "everything", is_flag=True, help="Show every work item, however many there are.")
@click.option("--work", is_flag=True, help="Show every work item in detail.")
@click.option("--watch", is_flag=True, help="Show the gates that are being watched.")
@click.option(
    "--dispatcher",
    is_flag=True,
    help="Show the dispatcher's heartbeat, the policy, the last events, and requests for help.",
)
@click.option(
    "--follow", "-f", is_flag=True, help="Follow live until the mission ends; the exit code says how it ended."
)
@click.option("--until-help", is_flag=True, help="Like --follow, but also stop when the mission asks for help.")
@click.option("--json", "as_json", is_flag=True, help="Print the mission as JSON.")
@click.pass_context
def status(
    click_context: click.Context,
    named: str | None,
    run: str | None,
    everything: bool,
    work: bool,
    watch: bool,
    dispatcher: bool,
    follow: bool,
    until_help: bool,
    as_json: bool,
) -> None:
    """Show the state of a mission and what it is waiting for.

    Of a mission with more than 100 work items, it shows those that run, need somebody or go next.
    """
    follow = follow or until_help
    if follow and as_json:
        raise click.UsageError("--follow and --json cannot be used together")
    if run and named:
        raise click.UsageError("--run and RUN cannot be used together")
    from tinytown.cli import mission_view as views
    from tinytown.cli import words as typed
    from tinytown.commands import missions, operator

    context = open_to_read()
    mission_id = typed.shown(context, run or named)
    if follow:
        from tinytown.cli.follow import follow as follow_mission

        click_context.exit(follow_mission(context, mission_id, until_help=until_help))
    if as_json:
        click.echo(json.dumps(missions.status.shape(missions.status(operator(context), missions.Named(mission_id)))))
        return
    look = missions.status if everything or work or watch else missions.glance
    view = look(operator(context), missions.Named(mission_id))
    views.show(view, work=work, watch=watch)
    if dispatcher:
        views.show_dispatcher(context, view)


@mission.command(
    "list",
    epilog="""\b
    Examples:
      tt mission list
      tt mission list --all --json
    """,
)
@click.option("--all", "everything", is_flag=True, help="Include missions that ended.")
@click.option("--json", "as_json", is_flag=True, help="Print the missions as a JSON array.")
def list_missions(everything: bool, as_json: bool) -> None:
    """List missions, newest first."""
    from tinytown.cli.mission_list import show
    from tinytown.commands import missions, operator, upkeep

    which = missions.Which(ended=everything)
    if as_json:
        click.echo(json.dumps(missions.list_all.shape(missions.list_all(operator(open_to_read()), which))))
        return
    caller = operator(open_to_read())
    found = missions.summaries(caller, which)
    if everything and (archived := upkeep.archive(caller, upkeep.Old()))["missions"]:
        click.echo(f"note: {archived['missions']} older missions are archived in {archived['folder']}", err=True)
    if not found:
        click.echo("No missions." if everything else "No active missions; use `--all` to see those that ended.")
        return
    show(found)


@mission.command(
    short_help="Run the dispatcher in the foreground and print what happens.",
    epilog="""\b
    Examples:
      tt mission dispatch
      tt mission dispatch --run 0a1b2c3d --once
    """,
)
@click.option("--run", "-r", metavar="RUN", help="Dispatch only this mission; exit when it ends.")
@click.option("--once", is_flag=True, help="Run one round and exit.")
def dispatch(run: str | None, once: bool) -> None:
    """Run the dispatcher in the foreground, one round every 30 s, and print what happens."""
    from tinytown.cli.dispatch import dispatch_rounds

    context = reach_started()
    dispatch_rounds(context, context.store.find_mission(run) if run else None, once=once)


def _wanted(
    context: Context, words: Sequence[str], issues: Sequence[str], *, everything: bool, again: bool, trust: bool
) -> Sequence[str]:
    """The issues that a command line asks for, however it names them."""
    from tinytown.cli import words as typed
    from tinytown.engine.start.open_issues import open_issues

    named = typed.issues((*issues, *words))
    if not everything:
        return named
    if named:
        raise click.UsageError("--all cannot be combined with issue numbers")
    found, remarks = open_issues(context, again=again, trust=trust)
    for remark in remarks:
        click.echo(f"note: {safe(remark)}", err=True)
    return found
