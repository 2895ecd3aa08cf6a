"""Any command as an agent CLI: ``[agent_clis.NAME] command = "…"``.

The command is split into arguments like a shell would, but no shell runs it. ``{prompt_file}`` and ``{prompt}``
are replaced where they stand; with neither, the brief is its stdin. Exit code 0 means that it worked.

It may report on itself with a last line of stdout, every key of it optional::

    {"tinytown": {"cost_usd": 0.02, "tokens": 1200, "session": "…", "result": "what I did"}}

Only a reviewer's ``VERDICT:`` line may follow it. ``result`` then stands for all of the output before that. A run that
failed may name its ``fault`` too (``usage_limit``, ``not_logged_in`` or ``unreachable``), and with it ``retry_after``
in seconds. Otherwise nothing is guessed from its words: see ``faults`` for how a user says what its faults look like.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinytown.agents import arguments, records, relative
from tinytown.agents.driver import Invocation, Opening, Output, Request, Result
from tinytown.agents.faults import Fault, Faults
from tinytown.errors import ConfigurationError
from tinytown.missions.states import Outcome
from tinytown.settings import AgentCliSettings

#: Longest summary, in characters.
SUMMARY_CHARS = 300

#: What interpreters say of a file that is not there.
_MISSING = re.compile(r"ModuleNotFoundError|Cannot find module|cannot load such file|No such file or directory|ENOENT")
#: Begins the line that a reviewer ends with; its report may stand before it.
_VERDICT = "VERDICT:"


class CustomDriver:
    """The driver for a command that nobody knows more about.

    Raises:
        ConfigurationError: the command is missing, empty, has unbalanced quotes, or would run a file of a clone.
    """

    def __init__(self, name: str, settings: AgentCliSettings) -> None:
        self.name = name
        self._faults = Faults(settings)
        key = f"agent_clis.{name}.command"
        remedy = f'write `[agent_clis.{name}] command = "…"` in tinytown.toml'
        if settings.command is None:
            raise ConfigurationError(f"`{key}` is missing", remedy=remedy)
        try:
            self._template = shlex.split(settings.command)
        except ValueError:
            raise ConfigurationError(f"`{key}` has unbalanced quotes: {settings.command}", remedy=remedy) from None
        if not self._template or not self._template[0]:
            raise ConfigurationError(f"`{key}` is empty", remedy=remedy)
        relative.require(key, self._template)
        relative.require(f"agent_clis.{name}.env", [], settings.env)

    def invocation(self, request: Request) -> Invocation:
        used = arguments.placeholders(self._template)
        argv = arguments.filled(self._template, request.prompt, request.prompt_file)
        if "prompt" in used and not all(map(arguments.fits, argv)):
            longest = max(map(arguments.in_bytes, argv))
            raise ConfigurationError(
                f"the brief makes an argument of {longest} bytes, and the system takes {arguments.ARGUMENT_BYTES}",
                remedy=f"write `{{prompt_file}}` instead of `{{prompt}}` in `agent_clis.{self.name}.command`",
            )
        # From the template, never from the finished argv: a brief cannot name a file and thereby open it.
        files = [Path(part) for part in self._template[1:] if Path(part).is_absolute()]
        return Invocation(
            argv=argv,
            stdin=None if used else request.prompt,
            readable=[*files, request.prompt_file] if "prompt_file" in used else files,
            scripts=files,
        )

    def conversation(self, opening: Opening) -> Sequence[str]:
        return arguments.filled(self._template, opening.words, opening.file)

    def result(self, output: Output) -> Result:
        stdout, report, verdict = _split_report(output.stdout)
        text = records.string(report, "result")
        text = text if text is None else f"{text}{verdict}"
        values: dict[str, Any] = {
            "text": stdout if text is None else text,
            "session": records.string(report, "session"),
            "cost_usd": records.number(report, "cost_usd"),
            "tokens": records.whole(report, "tokens"),
            # It is asked for what this run used.
            "of_run": True,
        }
        if output.exit_code == 0:
            return Result(outcome=Outcome.SUCCEEDED, summary=_last_line(text or stdout), **values)
        fault = _reported(report) or self._faults.find(output, stdout) or Fault(Outcome.FAILED)
        said = fault.line or _last_line(output.stderr) or _last_line(text or stdout)
        code = "no exit code" if output.exit_code is None else f"exit code {output.exit_code}"
        summary = f"{code}: {said[:SUMMARY_CHARS]}" if said else code
        if fault.outcome is Outcome.FAILED and _MISSING.search(said):
            summary += f"; if the sandbox hides a file of its own, name that in `[agent_clis.{self.name}] readable`"
        return Result(outcome=fault.outcome, summary=summary, retry_after=fault.retry_after, **values)

    def executable(self) -> str:
        return self._template[0]


def _reported(report: dict[str, Any]) -> Fault | None:
    """What its report says stood in its way."""
    word = records.string(report, "fault")
    if word not in (Outcome.NOT_LOGGED_IN, Outcome.USAGE_LIMIT, Outcome.UNREACHABLE):
        return None
    return Fault(Outcome(word), retry_after=records.number(report, "retry_after"))


def _split_report(stdout: str) -> tuple[str, dict[str, Any], str]:
    """The output without its report, the report, and the verdict that follows it; both empty if there is no report."""
    body, _, last = stdout.rstrip().rpartition("\n")
    verdict = ""
    if last.startswith(_VERDICT):
        verdict = f"\n{last}"
        body, _, last = body.rstrip().rpartition("\n")
    if not last.lstrip().startswith("{"):
        return stdout, {}, ""
    report = records.parse(last)
    inner = report.get("tinytown") if isinstance(report, dict) else None
    return (f"{body}{verdict}", inner, verdict) if isinstance(inner, dict) else (stdout, {}, "")


def _last_line(text: str) -> str:
    lines = text.rstrip().rsplit("\n", 1)
    return lines[-1].strip()[:SUMMARY_CHARS]
