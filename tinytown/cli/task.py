"""``tt task`` inside an attempt: what is to be done, and the agent's own word on how it went."""

from __future__ import annotations

from typing import Any

import click

from tinytown.cli import inside
from tinytown.errors import StateError


@click.group()
def task() -> None:
    """Show, complete or fail the current task (only inside an agent's run)."""


@task.command()
def current() -> None:
    """Show the current task."""
    for name, value in _ask("task.current").items():
        if value not in (None, ""):
            click.echo(f"{name}: {value}")


@task.command(short_help="Mark the task as done, with its RESULT.")
@click.argument("result", metavar="[RESULT]", default="")
def complete(result: str) -> None:
    """Mark the task as done. The reviewer and the agents of dependent items read RESULT."""
    _ask("task.complete", result=result)
    click.echo("Noted: complete. End your run when you are ready.")


@task.command()
@click.argument("why")
def fail(why: str) -> None:
    """Mark the task as failed, and say WHY."""
    _ask("task.fail", why=why)
    click.echo("Noted: failed. End your run when you are ready.")


def _ask(verb: str, **args: str) -> Any:
    if not inside.inside():
        raise StateError("there is no current task here", remedy="see `tt mission status --work` for what is running")
    return inside.call(verb, **args)
