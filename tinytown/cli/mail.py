"""``tt inbox`` and ``tt send``: messages between agents, people and the conductor."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Literal

import click

from tinytown import contract
from tinytown.cli import inside, quick
from tinytown.cli.questions import show_questions
from tinytown.cli.render import ago, kind_letter, mail_counts, plural, safe
from tinytown.errors import StateError

#: Bytes of a text that are taken: a longer one is too long for a message anyway, and for the socket of a run.
TEXT_LIMIT = 40 << 10
#: Messages of each mailbox in the list of all, and characters of each.
PREVIEWS = 5
PREVIEW_WIDTH = 100
#: Begins the line of a question that says how to answer it.
_ANSWER = "Answer with "


@click.command(
    epilog="""\b
    Examples:
      tt inbox                    the conductor's mailbox: what is asked, and what is new
      tt inbox backend            what the agent backend has not got yet
      tt inbox --all              what is pending of every agent and of the conductor
      tt inbox backend --history  what it got before, too
      tt inbox --mark-read        show what is new, and show it no more
    """
)
@click.argument("name", metavar="[AGENT]", default="")
@click.option("-a", "--all", "everybody", is_flag=True, help="What is pending of everybody; all of AGENT's.")
@click.option("--history", is_flag=True, help="Include what was delivered, read or answered before.")
@click.option("--mark-read", is_flag=True, help="Mark what is shown of the conductor's mailbox as read.")
@click.option("--json", "as_json", is_flag=True, help="Print the messages as a JSON array.")
def inbox(name: str, everybody: bool, history: bool, mark_read: bool, as_json: bool) -> None:
    """Look into a mailbox (default: the conductor's, where agents and missions ask). A look changes nothing.

    An agent's mailbox shows what is pending: what was in no brief that it finished. The conductor's (`conductor`,
    `supervisor` and `operator` are one) shows open questions until they are answered, and what else came until
    `--mark-read`, which removes nothing.

    T are messages that want something done, Q queries, I information, and C acknowledgements.
    """
    if everybody and (mark_read or (history and not name)):
        raise click.UsageError("--all shows what is pending in every mailbox, and takes no more options")
    if everybody and name:
        # All of one mailbox.
        everybody, history = False, True
    if inside.inside():
        _inbox_inside(name, everybody=everybody, history=history, mark_read=mark_read, as_json=as_json)
    elif everybody:
        _show_all(as_json=as_json)
    else:
        _inbox(name or "conductor", history=history, mark_read=mark_read, as_json=as_json)


def _inbox(name: str, *, history: bool, mark_read: bool, as_json: bool) -> None:
    box, now = quick.see("mail.read", name=name, history=history)
    conductors = box["name"] == "conductor"
    if mark_read and not conductors:
        raise StateError(
            f"only the conductor's mailbox is marked as read; `{box['name']}` gets its messages with its briefs",
            remedy=f"look with `tt inbox {box['name']}`",
        )
    if as_json:
        click.echo(json.dumps(box["messages"]))
    else:
        _show(box, now, history=history)
    # Only now: a message that was not printed has not been read.
    if mark_read and box["last"]:
        from tinytown.cli.session import reach
        from tinytown.commands import mail, operator

        mail.seen(operator(reach()), mail.Seen(box["last"]))
    elif conductors and not as_json and any(one["pending"] and not one["open"] for one in box["messages"]):
        click.echo("`tt inbox --mark-read` marks these as read", err=True)


def _show(box: Mapping[str, Any], now: float, *, history: bool) -> None:
    name, conductors = safe(box["name"]), box["name"] == "conductor"
    show_questions(box["questions"], now)
    # Open questions are listed above already.
    rest = [one for one in box["messages"] if history or not one["open"]]
    if not rest and not box["questions"]:
        what = "new" if conductors else "pending"
        before = "those already read" if conductors else "what it got before"
        click.echo(f"No {what} messages for {name}; `tt inbox {name} --history` shows {before}.")
        return
    click.echo(f"📬 {name}: {mail_counts(box['counts'], 'new' if conductors else 'pending')}")
    for message in rest:
        click.echo(f"   {_headline(message, now)}:")
        for line in _lines(message):
            click.echo(f"      {safe(line)}")


def _show_all(*, as_json: bool) -> None:
    boxes, now = quick.see("mail.all", most=None if as_json else PREVIEWS)
    if as_json:
        click.echo(json.dumps(boxes))
        return
    if not boxes:
        click.echo("No pending messages.")
    for box in boxes:
        who = f"{box['name']} ({safe(box['label'])}, {box['state']})" if box["label"] else box["name"]
        click.echo(f"📬 {who}: {mail_counts(box['counts'], 'pending' if box['label'] else 'new')}")
        for message in box["messages"]:
            first = safe(next(iter(_lines(message)), ""))
            short = first if len(first) <= PREVIEW_WIDTH else f"{first[:PREVIEW_WIDTH]}…"
            click.echo(f"   {_headline(message, now)}: {short}")
        if (more := sum(box["counts"].values()) - len(box["messages"])) > 0:
            click.echo(f"   and {plural(more, 'more message')}: `tt inbox {box['name']}`")


def _headline(message: Mapping[str, Any], now: float) -> str:
    """``[Q] m12 from ann, 3m ago, urgent``: all about a message but its text."""
    urgent = ", urgent" if message["urgent"] and not message["settled"] else ""
    about = f", answers {message['reply_to']}" if message["reply_to"] else ""
    if not about and message["thread"] not in ("", message["id"]):
        about = f", about {message['thread']}"
    stands = ", settled since" if message["settled"] else ""
    which = f"{safe(message['id'])} " if message["id"].startswith("m") else ""
    letter = kind_letter(message["kind"])
    return f"[{letter}] {which}from {safe(message['sender'])}, {ago(now - message['at'])} ago{urgent}{about}{stands}"


def _lines(message: Mapping[str, Any]) -> list[str]:
    """Its text, without how to answer it once it is settled."""
    lines = str(message["text"]).splitlines()
    if message["settled"] and message["sender"] == "dispatcher":
        return [line for line in lines if not line.startswith(_ANSWER)]
    return lines


def _inbox_inside(name: str, *, everybody: bool, history: bool, mark_read: bool, as_json: bool) -> None:
    own = os.environ.get(contract.ENV_AGENT, "")
    if everybody or mark_read or name not in ("", own):
        raise StateError(
            "inside its run an agent sees its own mailbox only",
            remedy="use `tt inbox`, or `tt inbox --history` for what it got before",
        )
    messages = inside.inbox(everything=history)
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
      tt send backend --query "How far are you?"
      tt send conductor --query "Which database?"
      git diff | tt send reviewer -
    """
)
@click.argument("to", metavar="TO")
@click.argument("text", metavar="TEXT|-")
@click.option("--query", is_flag=True, help="Ask something: it expects an answer.")
@click.option("--info", is_flag=True, help="Only tell something: nobody has to do anything.")
@click.option("--ack", is_flag=True, help="Acknowledge a message.")
@click.option("--urgent", is_flag=True, help="Before other messages.")
@click.option("--from", "sender", default="", metavar="NAME", help="In the name of the conductor, or of an agent.")
@click.option("--json", "as_json", is_flag=True, help="Print the message's id as JSON.")
def send(to: str, text: str, query: bool, info: bool, ack: bool, urgent: bool, sender: str, as_json: bool) -> None:
    """Send a message to an agent, or to the conductor.

    TO is an agent's name or nickname; `conductor` and `supervisor` are the conductor. With `-` the text is read from
    stdin. Inside an agent's run the sender is that agent. A town that is stopped is started for a message to an agent.
    """
    kind = _kind(query=query, info=info, ack=ack)
    text = _taken(text)
    if inside.inside():
        answer = inside.send(to, text, kind=kind, urgent=urgent, sender=sender)
    else:
        from tinytown.cli.session import reach, reach_started
        from tinytown.commands import mail, operator

        # What is for the conductor only waits there.
        context = reach() if to in contract.CONDUCTOR_NAMES else reach_started()
        answer = mail.send(operator(context), mail.Send(to, text, kind, urgent, sender))
    if as_json:
        click.echo(json.dumps(answer))
    elif inside.inside():
        click.echo(f"sent to {safe(to)}")
    else:
        joined = f", together with {answer['task']}" if answer["task"] not in ("", answer["id"]) else ""
        click.echo(f"✉️  sent to {safe(answer['to'])} as {answer['id']}{joined}: {safe(answer['then'])}")


def _kind(**flags: bool) -> Literal["message", "query", "info", "ack"]:
    chosen: list[Any] = [name for name, wanted in flags.items() if wanted]
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(f'--{name}' for name in chosen)} cannot be used together")
    return chosen[0] if chosen else "message"


def _taken(text: str) -> str:
    """The text, from stdin if it is ``-``: as much of it as tells that it is too long, if it is."""
    if text == "-":
        return sys.stdin.buffer.read(TEXT_LIMIT).decode("utf-8", "replace").rstrip("\n")
    return text.encode("utf-8", "surrogateescape")[:TEXT_LIMIT].decode("utf-8", "replace")
