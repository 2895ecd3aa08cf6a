"""Who answers what is asked through an agent's socket: the commands of an attempt, and what a reviewer may have run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tinytown import commands
from tinytown.engine.plan.by_hand import Given
from tinytown.engine.plan.claims import Added
from tinytown.engine.views.backlog import EntryView


class AgentCommands(Protocol):
    """What an attempt may ask of its town. Each may raise ``TinytownError``, which the agent is told."""

    def task_current(self) -> Mapping[str, Any]:
        """The work at hand: ``key``, ``title``, ``role``, ``purpose`` and whatever helps."""
        ...

    def send(self, to: str, text: str, *, kind: str, urgent: bool) -> Mapping[str, Any]:
        """Put a message into a mailbox; ``kind`` is ``message``, ``query``, ``info`` or ``ack``."""
        ...

    def inbox(self, *, everything: bool) -> Sequence[Mapping[str, Any]]:
        """This agent's new messages, or all of them."""
        ...

    def backlog(self, tag: str) -> Sequence[EntryView]:
        """The work that nobody has yet; with a tag only what has it."""
        ...

    def add_to_backlog(self, text: str, tags: Sequence[str]) -> Added:
        """Leave work for whoever is idle, in the agent's name."""
        ...

    def claim(self, id_: str, agent: str) -> Given:
        """Make an entry of the backlog this agent's next task; ``agent`` can only name itself."""
        ...


class Answers(Protocol):
    """Carries out the commands of a run that is no agent's."""

    def answer(self, verb: str, run: commands.Run, args: dict[str, Any]) -> Any:
        """Its answer as JSON; raises ``TinytownError``."""
        ...


class CommandRunner(Protocol):
    """What a reviewer may have run, apart from itself."""

    def run(self, argv: Sequence[str]) -> Mapping[str, Any]:
        """Run a command; gives ``code``, ``stdout``, ``stderr`` and ``why`` it was ended, if it was."""
        ...

    def end(self) -> None:
        """Run none any more; when it returns, none runs."""
        ...
