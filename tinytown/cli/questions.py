"""What waits for an answer, on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from tinytown.cli.render import ago, plural, safe


def show_questions(asked: Sequence[Mapping[str, Any]], now: float) -> None:
    """Print what waits for an answer, with its age and the command that answers."""
    if asked:
        click.echo(f"🆘 Open questions: {len(asked)}")
    for question in asked:
        sender = question["sender"]
        who = f"mission {question['mission'][:8]}" if sender == "dispatcher" else sender
        again = f", asked {plural(question['asked'], 'time')}" if question["asked"] > 1 else ""
        click.echo(f"   {safe(who)}, {ago(now - question['since'])} ago{again}:")
        for reason in question["reasons"]:
            click.echo(f"   - {safe(reason)}")
        if question.get("unattended"):
            click.echo(f"     {safe(question['unattended'])}")
        click.echo(f"     answer: {safe(question['answer'])}")
