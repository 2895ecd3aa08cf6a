"""``tt task``: tasks given by hand or by a plan; inside an attempt, the agent's own word on how its task went."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from tinytown import keys
from tinytown.cli import columns, inside, quick
from tinytown.cli.render import ago, icon, safe

if TYPE_CHECKING:
    from tinytown.engine.plan.by_hand import Given

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the task as JSON.")
#: Tasks that are named of those that begin anew.
_AFTER = 10


@click.group()
def task() -> None:
    """List, show, complete, fail, retry or cancel tasks.

    Inside an agent's run `current`, `complete` and `fail` are about its own task, and need no id.
    """


@task.command(
    "list",
    epilog="""\b
    Examples:
      tt task list --state failed
      tt task list --tag backend
    """,
)
@click.option("-s", "--state", default="", metavar="STATE", help="Only those in this state.")
@click.option("--tag", default="", metavar="TAG", help="Only those with this tag.")
@click.option("-a", "--agent", default="", metavar="AGENT", help="Only those of this agent.")
@click.option("--json", "as_json", is_flag=True, help="Print the tasks as a JSON array.")
def list_tasks(state: str, tag: str, agent: str, as_json: bool) -> None:
    """List the tasks of the plan, and those given by hand."""
    _only_outside("task list")
    state = "_".join(state.casefold().replace("-", " ").split())  # As it is shown, too: `in review`.
    found, _ = quick.see("task.list" if as_json else "task.lines", state=state, tag=tag, agent=agent)
    if as_json:
        click.echo(json.dumps(found))
    elif not found:
        click.echo("No tasks.")
    else:
        columns.show(("", "TASK", "STATE", "AGENT", "TAGS", "TITLE"), map(_row, found))


def _row(given: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        icon(given["state"]),
        safe(given["id"]),
        given["state"].replace("_", " "),
        safe(given["who"]),
        ", ".join(map(safe, given["tags"])) or "-",
        safe(given["title"]),
    )


@task.command(
    epilog="""\b
    Examples:
      tt task show t3
      tt task show build --json | jq -r .state
    """,
)
@click.argument("task_id", metavar="ID")
@_JSON
def show(task_id: str, as_json: bool) -> None:
    """Show a task and what it left; `tt work show` has its attempts."""
    _only_outside("task show")
    found, _ = quick.see("task.show", id=task_id)
    if as_json:
        click.echo(json.dumps(found))
        return
    state, waiting = found["state"], found["waiting"]
    said = state.replace("_", " ")
    click.echo(f"{icon(state)} Task {safe(found['id'])}: {safe(found['title'])} — {said}")
    if waiting and waiting["remedy"] and state not in ("done", "skipped"):
        click.echo(f"   {safe(waiting['remedy'])}")
    for name, value in _details(found):
        if value:
            click.echo(f"   {name:<9}{value}")
    for title, text in (("what it asks for", found["text"]), ("what it left", found["result"])):
        if text:
            click.echo(f"   {title}:")
            for line in text.splitlines():
                click.echo(f"      {safe(line)}")
    click.echo(f"   `tt work show {safe(found['id'])}` shows its attempts")


def _details(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "agent", safe(found["agent"] or found["directed_to"] or f"anybody with the role {found['role']}")
    yield "after", ", ".join(safe(keys.typed(edge["on"])) for edge in found["depends_on"])
    yield "tags", ", ".join(map(safe, found["tags"]))
    yield "backlog", f"{safe(found['entry'])} until it was claimed" if found["entry"] else ""
    yield "mission", found["mission"][:8]
    yield "started", columns.moment(found["started_at"]) if found["started_at"] else ""
    took = ago(found["settled_at"] - found["started_at"]) if found["settled_at"] and found["started_at"] else ""
    yield (
        "ended",
        columns.moment(found["settled_at"]) + (f", after {took}" if took else "") if found["settled_at"] else "",
    )
    yield "runs", str(found["attempts"]) if found["attempts"] else ""
    yield "merged", (found["merged"] or "")[:10]


@task.command(
    epilog="""\b
    Examples:
      tt task current           what every agent is at
      tt task current backend
    """
)
@click.argument("agent", metavar="[AGENT]", default="")
@click.option("--json", "as_json", is_flag=True, help="Print them as a JSON array; inside a run the task as an object.")
def current(agent: str, as_json: bool) -> None:
    """Show what an agent is at work on, or what all are.

    Inside an agent's run it is the agent's own task, with all there is to know of it.
    """
    if inside.inside():
        if agent:
            raise click.UsageError("inside a run this is about its own task")
        found = inside.call("task.current")
        if as_json:
            click.echo(json.dumps(found))
            return
        for name, value in found.items():
            if value not in (None, ""):
                click.echo(f"{name}: {value}")
        return
    rows, now = quick.see("task.at_hand", agent=agent)
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"📋 {row['agent']}: {row['purpose']} {safe(row['task'])}, for {ago(now - row['since'])}")
        click.echo(f"   {safe(row['title'])}")
        click.echo(f"   `tt work show {safe(row['task'])} --run {row['mission'][:8]} --log` shows what it does")
    if not rows:
        click.echo(f"📭 {safe(agent)} is at work on nothing." if agent else "📭 Nobody is at work.")


@task.command(
    short_help="Say that a task is done.",
    epilog="""\b
    Examples:
      tt task complete t3 --result "deployed by hand"
    """,
)
@click.argument("word", metavar="[ID|RESULT]", default="")
@click.option("--result", default="", metavar="TEXT", help="What came of it; its dependents' briefs have it.")
@_JSON
def complete(word: str, result: str, as_json: bool) -> None:
    """Say that the task ID is done, e.g. because you did it yourself.

    Inside an agent's run no id is needed: it is the agent's own task, and the reviewer and the agents of dependent
    items read RESULT.
    """
    if inside.inside():
        inside.call("task.complete", result=result or word)
        _noted("complete", as_json=as_json)
        return
    from tinytown.commands import operator, tasks

    given = tasks.done(operator(_reach(word)), tasks.Settle(word, result))
    _show(given, f"✅ Task {given.item.typed} is done", as_json=as_json)
    if given.item.salvage and given.item.head is None:
        click.echo(f"What its agents wrote is not merged: see `tt work show {given.item.typed}`.", err=True)


@task.command(
    short_help="Say that a task cannot be done, and why.",
    epilog="""\b
    Examples:
      tt task fail t3 "the staging machine is gone"
    """,
)
@click.argument("words", metavar="[ID] WHY", nargs=-1, required=True)
@_JSON
def fail(words: tuple[str, ...], as_json: bool) -> None:
    """Say that the task ID cannot be done, and WHY. Inside an agent's run no id is needed."""
    wanted = 1 if inside.inside() else 2
    if len(words) != wanted:
        raise click.UsageError("give the reason as one text" + ("" if wanted == 1 else ", after the id of the task"))
    if inside.inside():
        inside.call("task.fail", why=words[0])
        _noted("failed", as_json=as_json)
        return
    from tinytown.commands import operator, tasks

    given = tasks.give_up(operator(_reach(words[0])), tasks.Settle(*words))
    _show(given, f"❌ Task {given.item.typed} failed", as_json=as_json)


@task.command(
    epilog="""\b
    Examples:
      tt task retry t3              it failed, was cancelled or waits for you
      tt task retry design --from   it is to be done again, and all that came after it
    """
)
@click.argument("task_id", metavar="ID")
@click.option("--from", "onwards", is_flag=True, help="Also if it is done, and whatever came after it.")
@_JSON
def retry(task_id: str, onwards: bool, as_json: bool) -> None:
    """Try a task again that failed, was cancelled or waits for a person; what is done stays done.

    With `--from` it is done again even if it was done, and so is every task that waited for it, directly or not. What
    they had merged stays merged: each begins from the base, which holds it. Work of theirs that is not merged yet is
    gone on from. Nothing else is touched.
    """
    from tinytown.commands import operator, tasks

    _only_outside("task retry")
    given, begun = found = tasks.retry(operator(_reach(task_id)), tasks.Retry(task_id, onwards))
    if as_json:
        click.echo(json.dumps(tasks.retry.shape(found)))
        return
    click.echo(f"🔁 Task {given.item.typed} is tried again: {safe(given.item.title)}")
    after = [one for one in begun if one != given.item.typed]
    if after:
        more = f" and {len(after) - _AFTER} more" if len(after) > _AFTER else ""
        click.echo(f"   and after it {', '.join(map(safe, after[:_AFTER]))}{more}")


@task.command(
    epilog="""\b
    Examples:
      tt task cancel t3
    """
)
@click.argument("task_id", metavar="ID")
@_JSON
def cancel(task_id: str, as_json: bool) -> None:
    """End a task, and the run of its agent; its work is kept."""
    from tinytown.commands import operator, tasks

    _only_outside("task cancel")
    given = tasks.cancel(operator(_reach(task_id)), tasks.Named(task_id))
    _show(given, f"🚫 Task {given.item.typed} is cancelled", as_json=as_json)


def _show(given: Given, words: str, *, as_json: bool) -> None:
    from tinytown.commands import tasks

    click.echo(json.dumps(tasks.task_json(given)) if as_json else f"{words}: {safe(given.item.title)}")


def _noted(word: str, *, as_json: bool) -> None:
    click.echo(json.dumps({"noted": word}) if as_json else f"Noted: {word}. End your run when you are ready.")


def _reach(task_id: str) -> Any:
    from tinytown.cli.session import reach_started

    if not task_id:
        raise click.UsageError("name the task by its id; `tt task list` has it")
    return reach_started()


def _only_outside(command: str) -> None:
    if inside.inside():
        inside.refuse(command)
