"""``tt inbox`` and ``tt send``: messages between agents, people and the conductor."""

from __future__ import annotations

import json
from typing import Any

import click

from tinytown.cli import inside
from tinytown.cli.render import ago, safe


@click.command()
@click.argument("name", metavar="[NAME]", default="conductor")
@click.option("--all", "everything", is_flag=True, help="Those that were read, too.")
@click.option("--json", "as_json", is_flag=True, help="Print an array of messages.")
def inbox(name: str, everything: bool, as_json: bool) -> None:
    """Read a mailbox: by default the conductor's, where missions ask for help."""
    if inside.inside():
        _show_inside(inside.inbox(everything=everything), as_json=as_json)
        return
    from tinytown.cli.session import reach
    from tinytown.engine import messages

    context = reach()
    messages.require_mailbox(context, name)
    after = "-" if everything else context.mail.seen(name)
    found = context.mail.read(name, after=after)
    if as_json:
        click.echo(json.dumps([m.model_dump(mode="json") for m in found]))
    elif not found:
        click.echo(f"No new messages for {safe(name)}; `--all` shows those that were read.")
    else:
        now = context.store.now()
        for message in found:
            sign = "❓" if message.kind == "query" else "✉️ "
            urgent = " urgent" if message.urgent else ""
            click.echo(f"{sign} {safe(message.sender)}{urgent}, {ago(now - message.at)} ago")
            for line in message.text.splitlines():
                click.echo(f"   {safe(line)}")
    if found:
        context.mail.mark_seen(name, found[-1].id)


def _show_inside(messages: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(messages))
        return
    for message in messages:
        click.echo(f"{safe(str(message['sender']))}: {safe(str(message['text']))}")


@click.command()
@click.argument("to", metavar="TO")
@click.argument("text", metavar="TEXT")
@click.option("--query", "kind", flag_value="query", help="It wants an answer.")
@click.option("--info", "kind", flag_value="info", help="It wants none.")
@click.option("--ack", "kind", flag_value="ack", help="It confirms one.")
@click.option("--urgent", is_flag=True, help="Mark it urgent.")
@click.option("--from", "sender", default="operator", metavar="NAME", help="Who sends it.")
def send(to: str, text: str, kind: str | None, urgent: bool, sender: str) -> None:
    """Send a message to an agent or the conductor."""
    if inside.inside():
        inside.send(to, text, kind=kind or "message", urgent=urgent)
        return
    from tinytown.cli.session import reach
    from tinytown.engine import messages

    context = reach()
    messages.send(context, to, text, sender=sender, kind=kind or "message", urgent=urgent)
    click.echo(f"✉️  sent to {safe(to)}")
