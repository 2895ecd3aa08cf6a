"""What a run used, from the figures of its CLI: in a resumed session some count what the whole session used so far.

The same CLI may do one in one release and the other in the next, so the figures themselves decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tinytown.agents import records
from tinytown.agents.driver import Result
from tinytown.missions.states import Outcome


@dataclass(frozen=True)
class Reading:
    """What was used, as a CLI counts it; of one run, or of all runs in a session so far."""

    cost_usd: float | None = None
    tokens: int | None = None
    #: Finer figures; see ``Result.counters``.
    counters: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.cost_usd is not None or self.tokens is not None

    def __add__(self, other: Reading) -> Reading:
        tokens = records.add(self.tokens, other.tokens)
        names = {**self.counters, **other.counters}
        return Reading(
            records.add(self.cost_usd, other.cost_usd),
            None if tokens is None else int(tokens),
            {name: self.counters.get(name, 0.0) + other.counters.get(name, 0.0) for name in names},
        )

    def __sub__(self, other: Reading) -> Reading:
        """What came on top of ``other``; never negative."""
        cost, tokens = self.cost_usd, self.tokens
        return Reading(
            # Rounding errors of binary fractions are not money.
            None if cost is None else round(max(0.0, cost - (other.cost_usd or 0.0)), 9),
            None if tokens is None else max(0, tokens - (other.tokens or 0)),
            {name: max(0.0, count - other.counters.get(name, 0.0)) for name, count in self.counters.items()},
        )


def told(result: Result) -> Reading:
    """The figures of a CLI's result."""
    return Reading(result.cost_usd, result.tokens, result.counters)


def of_run(result: Result, before: Reading | None) -> Reading:
    """What this run used; ``before`` is what the session that it resumed had used until then."""
    said = told(result)
    return said - before if before and said and _of_session(result, said, before) else said


def _of_session(result: Result, said: Reading, before: Reading) -> bool:
    """Whether the figures are the session's; in doubt they are, if none of them is less than before."""
    if result.of_run or not _contains(said, before):
        return False
    if result.sent is not None:
        # The figures include requests outside the conversation, which its messages do not.
        over = said.counters.get("sent", 0.0) - result.sent
        return abs(over - before.counters.get("sent", 0.0)) < abs(over)
    # A run that answered used something.
    same = (said.cost_usd, said.tokens) == (before.cost_usd, before.tokens)
    return not (same and result.outcome is Outcome.SUCCEEDED)


def _contains(said: Reading, before: Reading) -> bool:
    figures = [
        (said.cost_usd, before.cost_usd),
        (said.tokens, before.tokens),
        *((said.counters.get(name), count) for name, count in before.counters.items() if count),
    ]
    # A small tolerance, because sums of fractions are not exact.
    return all((now or 0.0) >= then - 1e-9 for now, then in figures if then is not None)


def dumped(session: str, reading: Reading) -> dict[str, Any]:
    """The reading of a session, for its file."""
    return {
        "session": session,
        "cost_usd": reading.cost_usd,
        "tokens": reading.tokens,
        "counters": dict(reading.counters),
    }


def loaded(value: Any, session: str) -> Reading | None:
    """The reading in a file; ``None`` if it is of another session, or is none."""
    if records.string(value, "session") != session:
        return None
    counters = records.mapping(value, "counters")
    return Reading(
        records.number(value, "cost_usd"),
        records.whole(value, "tokens"),
        {name: count for name in counters if (count := records.number(counters, name)) is not None},
    )
