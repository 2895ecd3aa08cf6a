"""``tt task``: tasks given by hand or by a plan; inside an attempt, the agent's own word on how its task went."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tinytown.cli import inside
from tinytown.cli.render import icon, safe
from tinytown.errors import StateError

if TYPE_CHECKING:
    from tinytown.engine.plan.by_hand import Given


@click.group()
def task() -> None:
    """List, show, complete, fail, retry or cancel tasks.

    Inside an agent's run `current`, `complete` and `fail` are about its own task, and need no id.
    """


@task.command("list")
@click.option("--state", default="", metavar="STATE", help="Only those in this state.")
@click.option("--tag", default="", metavar="TAG", help="Only those with this tag.")
@click.option("--agent", default="", metavar="NAME", help="Only those of this agent.")
@click.option("--json", "as_json", is_flag=True, help="Print the tasks as a JSON array.")
def list_tasks(state: str, tag: str, agent: str, as_json: bool) -> None:
    """List the tasks of the plan, and those given by hand.

    \b
    Examples:
      tt task list --state failed
      tt task list --tag backend
    """
    from tinytown.cli import columns
    from tinytown.cli.session import open_to_read
    from tinytown.commands import operator, tasks

    _only_outside("task list")
    found = tasks.list_all(operator(open_to_read()), tasks.Which(state, tag, agent))
    if as_json:
        click.echo(json.dumps(tasks.list_all.shape(found)))
    elif not found:
        click.echo("No tasks.")
    else:
        columns.show(("", "TASK", "STATE", "AGENT", "TAGS", "TITLE"), map(_row, found))


def _row(given: Given) -> tuple[str, ...]:
    item = given.item
    return (
        icon(item.state.value),
        item.typed,
        item.state.value.replace("_", " "),
        item.agent or item.directed_to or item.role,
        ", ".join(map(safe, item.labels)) or "-",
        safe(item.title),
    )


@task.command()
@click.argument("task_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the task as JSON.")
def show(task_id: str, as_json: bool) -> None:
    """Show a task and what it left; `tt work show` has its attempts."""
    from tinytown.cli.assign import show as show_task
    from tinytown.cli.session import open_to_read
    from tinytown.commands import operator, tasks

    _only_outside("task show")
    context = open_to_read()
    given = tasks.find(operator(context), tasks.Named(task_id))
    if as_json:
        click.echo(json.dumps(tasks.find.shape(given)))
        return
    show_task(context, given)
    click.echo(f"   mission {given.mission.short}; `tt work show {task_id}` shows its attempts")


@task.command()
def current() -> None:
    """Show the current task (only inside an agent's run)."""
    for name, value in _ask("task.current").items():
        if value not in (None, ""):
            click.echo(f"{name}: {value}")


@task.command(short_help="Say that a task is done.")
@click.argument("word", metavar="[ID|RESULT]", default="")
@click.option("--result", default="", metavar="TEXT", help="What came of it; its dependents' briefs have it.")
def complete(word: str, result: str) -> None:
    """Say that the task ID is done, e.g. because you did it yourself.

    Inside an agent's run no id is needed: it is the agent's own task, and the reviewer and the agents of dependent
    items read RESULT.

    \b
    Examples:
      tt task complete t3 --result "deployed by hand"
    """
    if inside.inside():
        _ask("task.complete", result=result or word)
        click.echo("Noted: complete. End your run when you are ready.")
        return
    from tinytown.commands import operator, tasks

    given = tasks.done(operator(_reach(word)), tasks.Settle(word, result))
    click.echo(f"✅ Task {given.item.typed} is done: {safe(given.item.title)}")


@task.command(short_help="Say that a task cannot be done, and why.")
@click.argument("words", metavar="[ID] WHY", nargs=-1, required=True)
def fail(words: tuple[str, ...]) -> None:
    """Say that the task ID cannot be done, and WHY. Inside an agent's run no id is needed.

    \b
    Examples:
      tt task fail t3 "the staging machine is gone"
    """
    wanted = 1 if inside.inside() else 2
    if len(words) != wanted:
        raise click.UsageError("give the reason as one text" + ("" if wanted == 1 else ", after the id of the task"))
    if inside.inside():
        _ask("task.fail", why=words[0])
        click.echo("Noted: failed. End your run when you are ready.")
        return
    from tinytown.commands import operator, tasks

    given = tasks.give_up(operator(_reach(words[0])), tasks.Settle(*words))
    click.echo(f"❌ Task {given.item.typed} failed: {safe(given.item.title)}")


@task.command()
@click.argument("task_id", metavar="ID")
def retry(task_id: str) -> None:
    """Try a task again that failed, was cancelled or waits for a person; what is done stays done."""
    from tinytown.commands import operator, tasks

    _only_outside("task retry")
    given = tasks.retry(operator(_reach(task_id)), tasks.Named(task_id))
    click.echo(f"🔁 Task {given.item.typed} is tried again: {safe(given.item.title)}")


@task.command()
@click.argument("task_id", metavar="ID")
def cancel(task_id: str) -> None:
    """End a task, and the run of its agent; its work is kept."""
    from tinytown.commands import operator, tasks

    _only_outside("task cancel")
    given = tasks.cancel(operator(_reach(task_id)), tasks.Named(task_id))
    click.echo(f"🚫 Task {given.item.typed} is cancelled: {safe(given.item.title)}")


def _reach(task_id: str) -> Any:
    from tinytown.cli.session import reach_started

    if not task_id:
        raise click.UsageError("name the task by its id; `tt task list` has it")
    return reach_started()


def _only_outside(command: str) -> None:
    if inside.inside():
        inside.refuse(command)


def _ask(verb: str, **args: str) -> Any:
    if not inside.inside():
        raise StateError("there is no current task here", remedy="see `tt mission status --work` for what is running")
    return inside.call(verb, **args)
