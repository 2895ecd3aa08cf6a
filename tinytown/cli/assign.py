"""``tt assign``: a task for an agent, given by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tinytown.cli.render import icon, safe
from tinytown.errors import EXIT_FAILED
from tinytown.missions.states import WaitReason

if TYPE_CHECKING:
    from tinytown.engine.context import Context
    from tinytown.engine.plan.by_hand import Given


@click.command(
    epilog="""\b
    Examples:
      tt assign architect "Design the feature architecture"
      tt assign developer "Implement the feature" --after t1
      tt assign tester "Write tests for the feature" --wait
    """,
)
@click.argument("to", metavar="AGENT|ROLE")
@click.argument("text")
@click.option("--after", multiple=True, metavar="ID", help="Begin when this task is done; repeatable.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Word to find it by; repeatable.")
@click.option("--wait", "waits", is_flag=True, help="Wait for its end; exit with 1 if it was not done.")
@click.option("--json", "as_json", is_flag=True, help="Print the task as JSON.")
def assign(to: str, text: str, after: tuple[str, ...], tags: tuple[str, ...], waits: bool, as_json: bool) -> None:
    """Give a task to an agent, or to anybody with a role.

    It is on record at once, and done as soon as that agent can: in a clone of its own, with checks, review and merge
    like an issue. A task that changes nothing is done with its answer.
    """
    from tinytown.cli.session import reach_started
    from tinytown.commands import operator, tasks

    context = reach_started()
    given = tasks.assign(operator(context), tasks.Assign(to, text, after, tags))
    if not waits:
        click.echo(json.dumps(tasks.assign.shape(given)) if as_json else _given(given, to))
        return
    if not as_json:
        click.echo(_given(given, to))
    wait_for(context, given.item.typed, timeout=None, as_json=as_json)


def _given(given: Given, to: str) -> str:
    item = given.item
    said = f"📋 Assigned task {item.typed} to {safe(to)}: {safe(item.title)}"
    # Nobody may have this name: a slip, or an agent that is still to be spawned.
    if item.waiting is not None and item.waiting.reason is WaitReason.NO_WORKER:
        return f"{said}\n   {safe(item.waiting.remedy)}"
    return said


def wait_for(context: Context, id_: str, *, timeout: float | None, as_json: bool) -> None:
    """Wait for the end of a task and print it; exits with 1 if it was not done."""
    from tinytown.commands import operator, tasks

    given = tasks.wait(operator(context), tasks.Wait(id_, timeout))
    if as_json:
        click.echo(json.dumps(tasks.wait.shape(given)))
    else:
        show(context, given)
    if not given.item.state.settled:
        click.get_current_context().exit(EXIT_FAILED)


def show(context: Context, given: Given) -> None:
    """Print how a task stands, and what it left."""
    item = given.item
    click.echo(f"{icon(item.state.value)} Task {item.typed}: {safe(item.title)} — {item.state.value.replace('_', ' ')}")
    if item.waiting is not None and item.waiting.remedy and not item.state.settled:
        click.echo(f"   {safe(item.waiting.remedy)}")
    result = context.store.results(given.mission.id).get(item.key)
    for line in (result or "").splitlines():
        click.echo(f"   {safe(line)}")
