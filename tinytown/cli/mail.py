"""``tt inbox`` and ``tt send``: messages between agents, people and the conductor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import click

from tinytown.cli import inside
from tinytown.cli.questions import show_questions
from tinytown.cli.render import ago, safe

if TYPE_CHECKING:
    from tinytown.missions.records.agent import Message


@click.command(
    epilog="""\b
    Examples:
      tt inbox
      tt inbox backend --all
    """
)
@click.argument("name", metavar="[NAME]", default="conductor")
@click.option("--all", "everything", is_flag=True, help="Include messages that were already read.")
@click.option("--json", "as_json", is_flag=True, help="Print the messages as a JSON array.")
def inbox(name: str, everything: bool, as_json: bool) -> None:
    """Read a mailbox (default: the conductor's, where missions ask for help).

    Questions stay listed until they are answered, even after they have been read.
    """
    if inside.inside():
        _show_inside(inside.inbox(everything=everything), as_json=as_json)
        return
    from tinytown.cli.session import open_to_read
    from tinytown.commands import mail, operator
    from tinytown.engine.views.mailbox import question_json

    context = open_to_read()
    caller = operator(context)
    box = mail.read(caller, mail.Read(name, everything))
    if as_json:
        click.echo(json.dumps(mail.read.shape(box)))
    else:
        now = context.store.now()
        show_questions([question_json(question) for question in box.asked], now)
        # Open questions are listed above already.
        rest = [m for m in box.new if everything or m.id not in box.open]
        if not rest and not box.asked:
            click.echo(f"No new messages for {safe(name)}; use `--all` to see those already read.")
        for message in rest:
            _show(message, now, settled=message.id in box.settled)
    # Only now: a message that was not printed has not been read.
    if box.last:
        mail.seen(caller, mail.Seen(box.name, box.last))


def _show(message: Message, now: float, *, settled: bool) -> None:
    """Print a message, and whether a question in it is settled."""
    from tinytown.engine.conductor.questions import ANSWER

    sign = "☑️ " if settled else "❓" if message.kind == "query" else "✉️ "
    urgent = " urgent" if message.urgent and not settled else ""
    since = ", settled since" if settled else ""
    click.echo(f"{sign} {safe(message.sender)}{urgent}, {ago(now - message.at)} ago{since}")
    for line in message.text.splitlines():
        if not (settled and message.sender == "dispatcher" and line.startswith(ANSWER)):
            click.echo(f"   {safe(line)}")


def _show_inside(messages: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(messages))
        return
    for message in messages:
        # For an agent: no text in a message can pass for another message, or for the town's own words.
        click.echo(f"{safe(str(message['sender']))} writes:")
        for line in str(message["text"]).splitlines():
            click.echo(f"  > {safe(line)}")


@click.command(
    epilog="""\b
    Examples:
      tt send backend "Use the new login form."
      tt send conductor --query "Which database?"
    """
)
@click.argument("to", metavar="TO")
@click.argument("text", metavar="TEXT")
@click.option("--query", "kind", flag_value="query", help="Expects an answer.")
@click.option("--info", "kind", flag_value="info", help="Expects no answer.")
@click.option("--ack", "kind", flag_value="ack", help="Acknowledges a message.")
@click.option("--urgent", is_flag=True, help="Mark the message as urgent.")
@click.option("--from", "sender", default="operator", metavar="NAME", help="Sender.")
def send(to: str, text: str, kind: Literal["query", "info", "ack"] | None, urgent: bool, sender: str) -> None:
    """Send a message to an agent or the conductor."""
    if inside.inside():
        inside.send(to, text, kind=kind or "message", urgent=urgent)
        return
    from tinytown.cli.session import reach
    from tinytown.commands import mail, operator

    mail.send(operator(reach()), mail.Send(to, text, kind or "message", urgent, sender))
    click.echo(f"✉️  sent to {safe(to)}")
