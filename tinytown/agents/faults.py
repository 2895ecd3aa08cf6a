"""Recognise faults of a CLI as its user has described them under ``[agent_clis.NAME]``.

Only failed runs are looked at: the exit code, then the last lines, each up to a length on which no allowed pattern is
slow. A pattern may have a group ``until`` or ``after``, which says when a usage limit ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinytown import patterns
from tinytown.agents import causes, clock
from tinytown.agents.driver import Output
from tinytown.missions.states import Outcome
from tinytown.settings import AgentCliSettings

#: How many last lines of each output are looked at; blank ones do not count.
LAST_LINES = 5


@dataclass(frozen=True)
class Fault:
    """Why a run failed through no fault of its agent."""

    outcome: Outcome
    #: The line that says it; empty if the exit code did.
    line: str = ""
    #: Seconds after which it may be tried again.
    retry_after: float | None = None


class Faults:
    """The faults of one CLI."""

    def __init__(self, settings: AgentCliSettings) -> None:
        self._codes = {
            code: outcome
            for outcome, codes in (
                (Outcome.NOT_LOGGED_IN, settings.exit_not_logged_in),
                (Outcome.USAGE_LIMIT, settings.exit_usage_limit),
                (Outcome.UNREACHABLE, settings.exit_unreachable),
            )
            for code in codes
        }
        self._patterns = [
            (outcome, patterns.compiled(text))
            for outcome, text in (
                (Outcome.NOT_LOGGED_IN, settings.not_logged_in),
                (Outcome.USAGE_LIMIT, settings.usage_limit),
                (Outcome.UNREACHABLE, settings.unreachable),
            )
            if text is not None
        ]

    def find(self, output: Output, stdout: str) -> Fault | None:
        """The fault that a failed run ended with, if it is a known one; ``stdout`` without the CLI's report."""
        if output.exit_code == 0:
            return None
        lines = [*_last_lines(output.stderr), *_last_lines(stdout)]
        for outcome, pattern in self._patterns:
            for line in lines:
                if found := pattern.search(line):
                    named = {name: text for name, text in found.groupdict().items() if text}
                    return Fault(outcome, line, _retry_after(named, line, output))
        outcome_of_code = self._codes.get(output.exit_code) if output.exit_code is not None else None
        if outcome_of_code is None:
            return None
        ends = (after for line in lines if (after := causes.retry_after(line, output)) is not None)
        return Fault(outcome_of_code, retry_after=next(ends, None))


def _last_lines(text: str) -> list[str]:
    lines = [line.strip()[: patterns.LINE_CHARS] for line in text[-causes.END_CHARS :].splitlines() if line.strip()]
    return lines[: -LAST_LINES - 1 : -1]


def _retry_after(named: dict[str, str], line: str, output: Output) -> float | None:
    if (after := named.get("after")) is not None:
        return clock.duration(after)
    if (until := named.get("until")) is not None:
        end = None if output.now is None else clock.moment(until, now=output.now, zone=output.zone)
        return None if end is None or output.now is None else end - output.now
    return causes.retry_after(line, output)
