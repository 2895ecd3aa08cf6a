"""``tt`` inside a run of the unattended conductor: it looks, and answers the one question that it has.

All of it goes through the socket of the run; what may be done is decided there. Answers are JSON.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import click

from tinytown.cli import inside
from tinytown.errors import ConfigurationError


class _Group(click.Group):
    """A group whose other commands are a person's."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or _refused(f"{self.name}.{cmd_name}")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return args[0], self.get_command(ctx, args[0]), args[1:]


def _refused(verb: str) -> click.Command:
    def refuse(words: tuple[str, ...]) -> NoReturn:  # noqa: ARG001
        inside.call(verb)
        raise ConfigurationError(f"`{verb}` cannot be used here")

    context = {"ignore_unknown_options": True, "help_option_names": []}
    words = click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)
    return click.Command(verb, callback=refuse, params=[words], context_settings=context)


#: Options that people have, and which change nothing where all is told as JSON.
_HABITS = ("--json", "--work", "--watch", "--all", "--log", "--brief", "--diff")


def _looks(command: click.Command) -> click.Command:
    """Let a command that looks take the options that it has for people."""
    known = {word for one in command.params for word in one.opts}
    for word in _HABITS:
        if word not in known:
            command.params.append(click.Option([word], is_flag=True, expose_value=False, hidden=True))
    return command


def _show(verb: str, **args: Any) -> None:
    click.echo(json.dumps(inside.call(verb, **args), indent=1))


def _do(verb: str, **args: Any) -> None:
    done = inside.call(verb, **args)
    click.echo(done if isinstance(done, str) else "Done.")


def _two(words: tuple[str, ...], least: int = 1) -> tuple[str, str]:
    """``[RUN] WORD``; without RUN it is the mission that the question is about."""
    if not least <= len(words) <= 2:
        raise ConfigurationError("write [RUN] and one word more", remedy="put a note into quotation marks")
    return (words[0], words[1]) if len(words) == 2 else ("", words[0] if words else "")


@click.group(cls=_Group, name="mission")
def mission() -> None:
    """Look at missions, and answer the one that asks."""


@mission.command("list")
def list_missions() -> None:
    """The missions that have not ended, in a line each."""
    _show("mission.summaries")


@mission.command()
@click.argument("run", metavar="[RUN]", default="")
@click.option("--run", "named", default="", hidden=True)
def status(run: str, named: str) -> None:
    """How a mission stands, and what its items wait for."""
    _show("mission.status", mission=named or run)


@mission.command()
@click.argument("words", metavar="[RUN] NOTE", nargs=-1)
@click.option("--remark", is_flag=True, help="It is a remark for its agents, whatever it says.")
def note(words: tuple[str, ...], remark: bool) -> None:
    """Answer a mission: "retry ITEM", "redirect ITEM to NAME", "cancel ITEM", "pause", or a remark."""
    run, text = _two(words)
    _do("mission.note", mission=run, text=text, remark=remark)


@mission.command()
@click.argument("words", metavar="[RUN] [ITEM]", nargs=-1)
def retry(words: tuple[str, ...]) -> None:
    """Try an item again."""
    run, item = _two(words)
    _do("mission.retry", mission=run, item=item)


@click.group(cls=_Group, name="task")
def task() -> None:
    """Look at tasks, try them again or cancel them; and end your own run."""


@task.command("list")
def list_tasks() -> None:
    """The tasks of the plan and those given by hand."""
    _show("task.list")


@task.command("show")
@click.argument("task_id", metavar="ID")
def show_task(task_id: str) -> None:
    """A task as it stands."""
    _show("task.find", id=task_id)


@task.command("retry")
@click.argument("task_id", metavar="ID")
def retry_task(task_id: str) -> None:
    """Try a task again."""
    _do("task.retry", id=task_id)


@task.command("cancel")
@click.argument("task_id", metavar="ID")
def cancel_task(task_id: str) -> None:
    """End a task."""
    _do("task.cancel", id=task_id)


@task.command()
def current() -> None:
    """The question that you have."""
    _show("task.current")


@task.command()
@click.argument("result", default="")
def complete(result: str) -> None:
    """Say what you decided, and why."""
    _do("task.complete", result=result)


@task.command()
@click.argument("why")
def fail(why: str) -> None:
    """Leave the question to a person, and say why."""
    _do("task.fail", why=why)


@click.group(cls=_Group, name="work")
def work() -> None:
    """Look at the work on an item."""


@work.command("show")
@click.argument("words", metavar="[RUN] ITEM", nargs=-1)
@click.option("--run", "named", default="", hidden=True)
def show_work(words: tuple[str, ...], named: str) -> None:
    """The attempts at an item: what they did, and how they ended."""
    run, item = _two(words)
    _show("work.show", mission=named or run, item=item)


@click.group(cls=_Group, name="backlog")
def backlog() -> None:
    """Look at the work that nobody has yet."""


@backlog.command("list")
@click.option("--tag", default="", help="Only those with this tag.")
def list_entries(tag: str) -> None:
    """The entries of the backlog, and why each waits."""
    _show("backlog.list", tag=tag)


@click.command("list")
def list_agents() -> None:
    """The agents, and what they do."""
    _show("list")


@click.command()
@click.option("-n", "limit", default=30, help="How many events.")
def history(limit: int) -> None:
    """What happened last."""
    _show("history", limit=limit)


@click.command()
@click.argument("name", default="conductor")
@click.option("--history", is_flag=True, help="All that it still holds.")
def inbox(name: str, history: bool) -> None:
    """A mailbox: yours, or that of an agent."""
    _show("mail.read", name=name, history=history)


@click.command()
@click.argument("to")
@click.argument("text")
@click.option("--query", "kind", flag_value="query", help="Expects an answer.")
@click.option("--info", "kind", flag_value="info", help="Expects no answer.")
@click.option("--ack", "kind", flag_value="ack", help="Acknowledges a message.")
@click.option("--urgent", is_flag=True, help="Mark the message as urgent.")
def send(to: str, text: str, kind: str | None, urgent: bool) -> None:
    """Tell an agent something, or answer it."""
    _do("send", to=to, text=text, kind=kind or "message", urgent=urgent)


@click.command(hidden=True, context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def other(context: click.Context, words: tuple[str, ...]) -> None:  # noqa: ARG001
    """Any other command is a person's."""
    inside.call(str(context.info_name))


#: Every command that there is here.
COMMANDS: dict[str, click.Command] = {
    "mission": mission,
    "task": task,
    "work": work,
    "backlog": backlog,
    "list": list_agents,
    "history": history,
    "inbox": inbox,
    "send": send,
}

for _command in (
    list_missions, status, list_tasks, show_task, current, show_work, list_entries, list_agents, history, inbox,
):  # fmt: skip
    _looks(_command)
