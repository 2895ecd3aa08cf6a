"""Commands of an agent inside its run: what it is to do, how that went, and a reviewer's verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinytown.commands.table import IN_A_RUN, IN_ANY_RUN, Caller, command


@dataclass(frozen=True)
class Nothing:
    """No arguments."""


@dataclass(frozen=True)
class Complete:
    """What came of the work; the reviewer and the agents of dependent items read it."""

    result: str = ""


@dataclass(frozen=True)
class Why:
    """The reason."""

    why: str


@dataclass(frozen=True)
class Words:
    """A command, word by word; no shell reads it."""

    argv: Sequence[str]


@command("task.current", Nothing, by=IN_ANY_RUN)
def current(caller: Caller, _nothing: Nothing) -> Mapping[str, Any]:
    """The work at hand."""
    return caller.run.task_current()


@command("task.complete", Complete, by=IN_ANY_RUN)
def complete(caller: Caller, wanted: Complete) -> None:
    """The agent says that it is done."""
    caller.run.complete(wanted.result)


@command("task.fail", Why, by=IN_ANY_RUN)
def fail(caller: Caller, wanted: Why) -> None:
    """The agent gives up."""
    caller.run.fail(wanted.why)


@command("review.approve", Nothing, by=IN_A_RUN)
def approve(caller: Caller, _nothing: Nothing) -> None:
    """Approve the change under review."""
    caller.run.judge(None)


@command("review.request_changes", Why, by=IN_A_RUN)
def request_changes(caller: Caller, wanted: Why) -> None:
    """Refuse the change under review."""
    caller.run.judge(wanted.why)


@command("review.run", Words, by=IN_A_RUN)
def have_run(caller: Caller, wanted: Words) -> Mapping[str, Any]:
    """Have a command of the project run in a clean clone of the commit under review."""
    return caller.run.have_run(wanted.argv)
