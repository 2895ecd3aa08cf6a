"""``tt task`` inside an attempt: what is to be done, and the agent's own word on how it went."""

from __future__ import annotations

from typing import Any

import click

from tinytown.cli import inside
from tinytown.errors import StateError


@click.group()
def task() -> None:
    """The task at hand; only inside an agent's run."""


@task.command()
def current() -> None:
    """Show the task at hand."""
    for name, value in _ask("task.current").items():
        if value not in (None, ""):
            click.echo(f"{name}: {value}")


@task.command(short_help="Say that the task is done, and with which RESULT.")
@click.argument("result", metavar="[RESULT]", default="")
def complete(result: str) -> None:
    """Say that the task is done; RESULT is read by the reviewer and by those who depend on it."""
    _ask("task.complete", result=result)
    click.echo("Noted: complete. End your run when you are ready.")


@task.command()
@click.argument("why")
def fail(why: str) -> None:
    """Say that the task cannot be done, and WHY."""
    _ask("task.fail", why=why)
    click.echo("Noted: failed. End your run when you are ready.")


def _ask(verb: str, **args: str) -> Any:
    if not inside.inside():
        raise StateError("there is no task at hand here", remedy="see `tt mission status --work` for what runs")
    return inside.call(verb, **args)
