"""``tt``: finds the command, runs it, and turns every error into one sentence and an exit code.

Commands are imported only when they run: ``tt --help`` must not wait for Celery.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from tinytown import contract
from tinytown.cli import options
from tinytown.cli.render import safe
from tinytown.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_STATE, TinytownError

if TYPE_CHECKING:
    from pathlib import Path


class Entry(NamedTuple):
    """Where a command lives, and its line in the help."""

    module: str
    attribute: str
    help: str


#: Every command, in the order of the help.
COMMANDS: dict[str, Entry] = {
    "init": Entry("town", "init", "Set up a town in this git repository."),
    "join": Entry("hosts", "join", "Make this folder a host of a town that runs elsewhere."),
    "start": Entry("town", "start", "Start whatever is not running: server, control, checks, beat, agents."),
    "stop": Entry("town", "stop", "Stop everything the town runs."),
    "status": Entry("status", "status", "Show the town: its server, processes, agents and missions."),
    "doctor": Entry("town", "doctor", "Check this machine and the town; suggest a fix for each problem."),
    "metrics": Entry("metrics", "metrics", "Show the town in numbers, for Prometheus."),
    "limits": Entry("limits", "limits", "Show what today's work costs and may cost, or change today's limits."),
    "towns": Entry("towns", "towns", "List your towns on this machine."),
    "hosts": Entry("hosts", "hosts", "List the hosts of the town."),
    "leave": Entry("hosts", "leave", "Take a host out of the town."),
    "save": Entry("upkeep", "save", "Save the town into a file."),
    "restore": Entry("upkeep", "restore", "Restore a saved town."),
    "reset": Entry("upkeep", "reset", "Begin the town anew; show first what that removes."),
    "gc": Entry("gc", "gc", "Clear away what is old, and say what stays."),
    "migrate": Entry("upkeep", "migrate", "Write records of older releases in the form of this one."),
    "config": Entry("config", "config", "Show the settings, show one of them, or set one."),
    "spawn": Entry("agents", "spawn", "Start an agent."),
    "list": Entry("agents", "list_agents", "List the agents."),
    "interrupt": Entry("lives", "interrupt", "Suspend an agent and its run."),
    "resume": Entry("lives", "resume", "Let an interrupted agent go on."),
    "close": Entry("lives", "close", "Let an agent finish what it is at, then stop it."),
    "kill": Entry("lives", "kill", "Stop an agent at once."),
    "restart": Entry("lives", "restart", "Bring an agent back that has ended."),
    "wait": Entry("lives", "wait", "Wait until an agent, or a task, has ended."),
    "recover": Entry("recovery", "recover", "Note which agents are gone, and send again what they held."),
    "reclaim": Entry("recovery", "reclaim", "Give on what agents that have ended left behind."),
    "prune": Entry("lives", "prune", "Remove agents from the list that have ended."),
    "history": Entry("history", "history", "Show what happened last, and who did it."),
    "events": Entry("history", "events", "Show the events of the town or a mission, also as they come."),
    "plan": Entry("plan", "plan", "Show the plan in tasks.toml, or begin one."),
    "sync": Entry("sync", "sync", "Bring tasks.toml to the town, and its states back."),
    "conductor": Entry("conductor", "conductor", "Open the AI conductor; start the plan."),
    "mission": Entry("mission", "mission", "Turn issues into merged, reviewed work."),
    "work": Entry("work", "work", "Show the work on an item: attempts, briefs, logs, diff."),
    "logs": Entry("logs", "logs", "Show the logs of an agent, of an item, or of the town's processes."),
    "flower": Entry("flower", "flower", "Watch the town's tasks in a browser."),
    "assign": Entry("assign", "assign", "Give a task to an agent, or to anybody with a role."),
    "task": Entry("task", "task", "List, show, complete, retry or cancel tasks."),
    "backlog": Entry("backlog", "backlog", "Keep work that nobody has yet; idle agents take what fits them."),
    "review": Entry("review", "review", "Give a review verdict (for agents)."),
    "send": Entry("mail", "send", "Send a message to an agent or the conductor."),
    "inbox": Entry("mail", "inbox", "Read the messages of an agent or the conductor."),
    "help": Entry("help", "help_", "Show the help of tt, or of a command."),
    "completion": Entry("completion", "completion", "Print the shell completion script."),
}


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [name for name in COMMANDS if not _forbidden(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        if _answers():
            from tinytown.cli import answering

            return answering.COMMANDS.get(cmd_name, answering.other)
        if _forbidden(cmd_name):
            from tinytown.cli import inside

            inside.refuse(cmd_name)
        command = load(cmd_name)
        options.equip(cmd_name, command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word not in COMMANDS and not word.startswith("-"):
            from tinytown.nearest import nearest

            near = nearest(word, self.list_commands(ctx))
            ctx.fail(f"No such command '{word}'." + (f" Did you mean '{near[0]}'?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].help) for name in self.list_commands(ctx)])


def load(name: str) -> click.Command:
    """A command of ``COMMANDS``."""
    entry = COMMANDS[name]
    command = getattr(importlib.import_module(f"tinytown.cli.{entry.module}"), entry.attribute)
    if not isinstance(command, click.Command):
        raise TypeError(f"{entry.module}:{entry.attribute} is not a command")
    return command


def _forbidden(name: str) -> bool:
    """Whether this process runs inside an attempt, and the command is not for agents."""
    if contract.ENV_SOCKET not in os.environ:
        return False
    from tinytown.cli import inside

    if inside.answers():
        from tinytown.cli import answering

        return name not in answering.COMMANDS
    return name not in inside.COMMANDS


def _answers() -> bool:
    """Whether this is a run of the unattended conductor, which has commands of its own."""
    if contract.ENV_SOCKET not in os.environ:
        return False
    from tinytown.cli import inside

    return inside.answers()


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"tinytown {version('tinytown')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.option(
    "-V", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
def tt() -> None:
    """Turn a set of issues into merged, reviewed code with AI coding agents."""


if contract.ENV_SOCKET not in os.environ:
    options.equip("tt", tt)


def main(words: Sequence[str] | None = None) -> None:
    """Run ``tt`` and leave the process with its exit code."""
    # What a command makes is in use until it ends: looking through thousands of tasks for garbage finds none.
    gc.set_threshold(100_000)
    code = run(sys.argv[1:] if words is None else words)
    gc.freeze()  # The same holds for Python's last look, at its exit.
    sys.exit(code)


def run(words: Sequence[str]) -> int:
    """Run one command; gives its exit code, whatever happens."""
    contract.forget_foreign(os.environ)
    if "_TT_COMPLETE" in os.environ:
        from tinytown.cli import completion

        return completion.answer(tt)
    if sys.stdout is None:  # The shell closed it (`>&-`).
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    try:
        code = _obey(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has gone. Python would complain again when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    return code


def _obey(words: Sequence[str]) -> int:
    try:
        # As click's own ``main`` does it, which we do not call because it handles errors, pipes and the exit itself.
        with tt.make_context("tt", list(words), terminal_width=_width()) as context:
            tt.invoke(context)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _tell_misuse(error, words)
    except (KeyboardInterrupt, EOFError, click.Abort):
        click.echo("", err=True)
        return EXIT_INTERRUPTED
    except TinytownError as error:
        return _tell(error.message, error.remedy, error.exit_code)
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _tell("no space left on the disk", "free some space, then retry", EXIT_FAILED)
        if _is_nowhere():
            return _tell("the current folder no longer exists", "`cd` to a folder that exists", EXIT_STATE)
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and isinstance(error.filename, str):
            return _tell_forbidden(error, error.filename)
        return _tell_unexpected(error)
    except Exception as error:  # noqa: BLE001 - this is where surprises end
        return _tell_unexpected(error)
    return EXIT_OK


def _width() -> int:
    """Columns for the help. Click would ask ``shutil``, which loads three compressors first."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        columns = 80
    return max(min(columns, 100) - 2, 50)


def _tell(message: str, remedy: str, code: int) -> int:
    click.echo(f"error: {safe(message)}", err=True)
    if remedy:
        click.echo(f"  {safe(remedy)}", err=True)
    return code


def _tell_misuse(error: click.ClickException, words: Sequence[str]) -> int:
    """Report what click refuses like any other error: one sentence, and where to read more."""
    said = " ".join(error.format_message().split()).removesuffix(".")
    said = re.sub(r"\. \(?Did you mean (?:one of: )?(.*?)\??\)?$", r", did you mean \1", said)
    if said[:1].isupper() and not said[1:2].isupper():
        said = said[:1].lower() + said[1:]
    context = error.ctx if isinstance(error, click.UsageError) else None
    # Click's parser does not say which command lacks the value of an option.
    path = context.command_path if context is not None else _command_path(words)
    return _tell(said, f"see `{path} --help`", error.exit_code)


def _command_path(words: Sequence[str]) -> str:
    """The command that these words begin with: ``tt mission start``."""
    path, command = "tt", None
    for word in words:
        inner = COMMANDS.get(word) and load(word) if command is None else command.commands.get(word)
        if inner is not None:
            path = f"{path} {word}"
            if not isinstance(inner, click.Group):
                break
            command = inner
    return path


def _tell_forbidden(error: OSError, name: str) -> int:
    from pathlib import Path

    from tinytown import files

    told = files.write_error(Path(name), error)
    return _tell(told.message, told.remedy, told.exit_code)


def _is_nowhere() -> bool:
    """Whether the working folder was removed."""
    try:
        os.getcwd()  # noqa: PTH109 - pathlib would have to be imported for it
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _tell_unexpected(error: Exception) -> int:
    import traceback

    text = "".join(traceback.format_exception(error))
    said = f"{type(error).__name__}: {error}"
    try:
        return _tell(f"an unexpected error occurred: {said}", f"the details are in {_save(text)}", EXIT_FAILED)
    except OSError:
        return _tell(f"an unexpected error occurred: {said}", "", EXIT_FAILED)


def _save(text: str) -> Path:
    """Keep a traceback with the town's logs, or in the temporary folder where there is no town."""
    import tempfile
    import time
    from pathlib import Path

    here = Path.cwd()
    logs = next(
        (folder / ".tt" / "logs" for folder in (here, *here.parents) if (folder / ".tt" / "logs").is_dir()), None
    )
    descriptor, name = tempfile.mkstemp(prefix=f"tt-{time.strftime('%Y%m%d-%H%M%S')}-", suffix=".log", dir=logs)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return Path(name)


if __name__ == "__main__":
    main()
