"""What the drivers of the vendors' CLIs have in common."""

from __future__ import annotations

import abc
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from tinytown.agents import login, records, relative
from tinytown.agents.answer import Said, judge
from tinytown.agents.driver import Excerpt, Invocation, Opening, Output, Place, Request, Result, Sort
from tinytown.agents.faults import Faults
from tinytown.missions.states import Outcome
from tinytown.settings import AgentCliSettings


class VendorDriver(abc.ABC):
    """A driver that says how to call one CLI and how to read it; the rules of ``answer`` make the result of that.

    ``invocation`` and ``read`` are all that a driver must have: ``pi`` reads a stream of records, ``aider`` text, and
    ``records.document`` gives a single JSON object. A model is the CLI's own default, or what a variable in
    ``[agent_clis.NAME] env`` names: that reaches the CLI anyway, and what of it moves the CLI's own files is looked at
    here too.
    """

    #: Name of the program on the ``PATH``.
    program: ClassVar[str]
    #: How a line begins by which it says outside its records that it failed, where nothing else of it begins so.
    own_lines: ClassVar[re.Pattern[str]] = re.compile(r"(?:error|fatal)(?: \w{1,20})?: ", re.IGNORECASE)
    #: Where it looks for a log-in; ``None`` where that is not known for certain.
    ways: ClassVar[login.Ways | None] = None
    #: ``login_check`` sees every way in, so its no is one even where the files leave a doubt.
    check_sees_all: ClassVar[bool] = True
    #: See ``NeedsHosts``.
    hosts: Sequence[str] = ()
    #: See ``ReadsRules``.
    house_rules: Sequence[str] = ()
    #: See ``AnswersAlone``.
    answers_alone: bool = True
    #: See ``Configured``.
    configures: Sequence[str] = ()

    def __init__(self, name: str, settings: AgentCliSettings) -> None:
        self.name = name
        relative.require(f"agent_clis.{name}.env", [], settings.env)
        self._env = settings.env
        self._faults = Faults(settings)

    def conversation(self, opening: Opening) -> Sequence[str]:
        """Most take a first message as their argument."""
        return [self.program, opening.words]

    @abc.abstractmethod
    def invocation(self, request: Request) -> Invocation:
        """How to start the CLI for this request."""

    @abc.abstractmethod
    def read(self, output: Output) -> Said:
        """What the output says; never raises."""

    def result(self, output: Output) -> Result:
        """What the run came to."""
        result = judge(self.read(output), output, own=self.own_lines)
        if result.outcome is Outcome.FAILED and (fault := self._faults.find(output, "")):
            result = replace(result, outcome=fault.outcome, retry_after=fault.retry_after)
        return result

    def sort(self, line: str) -> Sort:
        """What a line of its stdout is, by its record."""
        if not line.strip():
            return "frame"
        record = records.parse(line) if line.startswith("{") else None
        return self.sort_record(record) if isinstance(record, dict) else "work"

    def sort_record(self, record: dict[str, Any]) -> Sort:  # noqa: ARG002 - for those that tell
        """What a record is; of a CLI that ends by itself when its model does not answer, none is trouble."""
        return "work"

    def executable(self) -> str:
        """Name of the program."""
        return self.program

    def version_check(self) -> Sequence[str] | None:
        """They all have the same option for it."""
        return [self.program, "--version"]

    def login_check(self) -> Sequence[str] | None:
        """Argv whose exit code tells whether the CLI is logged in; most have none."""
        return None

    def logged_in(self, place: Place) -> bool | None:
        """By the places in which it looks."""
        return None if self.ways is None else login.logged_in(self.ways, place)

    def _folder(self, request: Request, variable: str, usual: str) -> Path:
        """A folder of the CLI: ``variable`` moves it, ``usual`` is below the home."""
        moved = self._env.get(variable)
        return Path(moved) if moved else request.home / usual


def parts_of(folder: Path, excerpts: Mapping[str, Excerpt]) -> dict[Path, Excerpt]:
    """Excerpts of files below ``folder``, by their names there."""
    return {folder / name: pick for name, pick in excerpts.items()}


def within(folder: Path, names: str | Iterable[str]) -> list[Path]:
    """Paths below ``folder``; a text names them between blanks."""
    return [folder / name for name in (names.split() if isinstance(names, str) else names)]


def other_output(stdout: str) -> str:
    """What a CLI that writes records wrote besides them."""
    return "\n".join(line for line in stdout.splitlines() if not line.lstrip().startswith(("{", "[")))
