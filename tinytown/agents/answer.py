"""From what a CLI says about its run to the run's result: the same rules for every vendor.

In order: what the driver itself knows, the status that the model's service gave, the words of the CLI's own error, the
exit code. Exit code 0 and "no error" prove nothing, so a run that ended without the CLI's own last word has failed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tinytown.agents import causes
from tinytown.agents.driver import Output, Result
from tinytown.missions.states import Outcome

#: Longest summary, in characters.
SUMMARY_CHARS = 300
# It becomes an argument and a part of a path again.
_SESSION = re.compile(r"[A-Za-z0-9][\w.:-]{0,127}", re.ASCII)


@dataclass(frozen=True)
class Said:
    """What a CLI's output says, in no CLI's words."""

    #: The agent's answer.
    text: str = ""
    session: str | None = None
    cost_usd: float | None = None
    tokens: int | None = None
    #: See ``Result.counters``.
    counters: Mapping[str, float] = field(default_factory=dict)
    sent: int | None = None
    of_run: bool = False
    #: The record that ends every run of this CLI is there.
    ended: bool = False
    #: What it says went wrong; ``None`` if it says that nothing did.
    error: str | None = None
    #: ``error`` may quote the work and not be the CLI's own words, so no cause is read from it.
    quotes: bool = False
    #: Seconds after which it may be tried again, where it says so in a field of its own.
    retry_after: float | None = None
    #: HTTP status of the model's service that ended the run.
    status: int | None = None
    #: What the CLI's own word for it means, if it has one.
    outcome: Outcome | None = None
    #: A remark for people, if all went well.
    remark: str = ""
    #: What it wrote besides its records, where it may speak about itself too.
    other_output: str = ""


def judge(said: Said, output: Output, *, own: re.Pattern[str]) -> Result:
    """The result of a run; ``own`` is how a line begins by which the CLI, besides its records, says that it failed."""
    if said.ended and said.error is None and said.outcome is None and said.status is None and output.exit_code == 0:
        line = last_line(said.text)
        remark = f"{said.remark}; {line}" if said.remark and line else said.remark or line
        return _result(said, Outcome.SUCCEEDED, remark, "", output)
    error = said.error or ""
    other_output = "\n".join(filter(None, (causes.own_lines(text, own) for text in (said.other_output, output.stderr))))
    words = "" if said.quotes else error[: causes.CAUSE_CHARS]
    outcome = said.outcome
    if outcome is None and said.status is not None:
        outcome = causes.of_status(said.status)
    if outcome in (None, Outcome.FAILED) and said.outcome is None:
        outcome = (
            causes.of_words(words) or (causes.of_words(other_output) if not said.ended else None) or Outcome.FAILED
        )
    summary = (
        first_line(error)
        or _cause(other_output)
        or last_line(output.stderr)
        or last_line(said.text or said.other_output)
    )
    if not error and output.exit_code != 0:
        code = "no exit code" if output.exit_code is None else f"exit code {output.exit_code}"
        summary = f"{code}: {summary}" if summary else code
    elif not error:
        summary = f"it ended without a result: {summary}" if summary else "it ended without a result"
    return _result(said, outcome or Outcome.FAILED, summary, f"{words}\n{other_output}", output)


def _result(said: Said, outcome: Outcome, summary: str, words: str, output: Output) -> Result:
    return Result(
        outcome=outcome,
        summary=" ".join(summary.split())[:SUMMARY_CHARS],
        text=said.text,
        session=said.session if said.session and _SESSION.fullmatch(said.session) else None,
        cost_usd=said.cost_usd,
        tokens=said.tokens,
        counters=said.counters,
        sent=said.sent,
        of_run=said.of_run,
        silent=outcome is Outcome.SUCCEEDED and not said.text.strip(),
        retry_after=_retry_after(said, outcome, words, output),
        session_lost=outcome is Outcome.FAILED and causes.names_lost_session(words),
    )


def _retry_after(said: Said, outcome: Outcome, words: str, output: Output) -> float | None:
    if outcome not in (Outcome.USAGE_LIMIT, Outcome.UNREACHABLE):
        return None
    return said.retry_after if said.retry_after is not None else causes.retry_after(words, output)


def _cause(other_output: str) -> str:
    """The line that names a cause, else the last one."""
    lines = [line for line in other_output.splitlines() if line.strip()]
    named = [line for line in lines if causes.of_words(line) or causes.names_lost_session(line)]
    return (named or lines or [""])[-1]


def first_line(text: str) -> str:
    """The first line with any text."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def last_line(text: str) -> str:
    """The last line with any text."""
    return text.rstrip().rsplit("\n", 1)[-1].strip()
