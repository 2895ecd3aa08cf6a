"""What a run cost is counted exactly once, whatever ended it.

A report that is accepted carries its run's cost. Every other run was taken from its worker before, and is kept as an
attempt that ended without a cost: whoever learns what it cost, its worker when it has wound down or a sweeper that
reads a dead worker's logs, adds it there. The record of the attempt says whether that was done.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinytown.engine.commit import commit
from tinytown.engine.context import Context
from tinytown.errors import ConflictError, NotFoundError
from tinytown.missions import budget
from tinytown.missions.records.attempt import Report
from tinytown.missions.spending import Used
from tinytown.state.change import Change


@dataclass(frozen=True)
class Spent:
    """What runs used; ``None`` where nobody said."""

    cost_usd: float | None = None
    tokens: int | None = None

    @property
    def used(self) -> Used:
        """For the rules."""
        return Used(self.cost_usd, self.tokens)

    def __add__(self, other: Spent) -> Spent:
        costs = [cost for cost in (self.cost_usd, other.cost_usd) if cost is not None]
        tokens = [count for count in (self.tokens, other.tokens) if count is not None]
        return Spent(sum(costs) if costs else None, sum(tokens) if tokens else None)

    def __bool__(self) -> bool:
        return self.cost_usd is not None or self.tokens is not None


def spent_of(report: Report) -> Spent:
    """What a report says that its run used."""
    return Spent(report.cost_usd, report.tokens)


def add(context: Context, mission_id: str, key: str, number: int, spent: Spent, *, log: str = "") -> bool:
    """Count what a run used that was taken from its worker; harmless when repeated.

    ``False``: the attempt is still live, so its own end may yet say what it used. ``True``: nothing is left to count.
    """

    def decide(change: Change) -> bool:
        try:
            seen = context.store.mission_items(mission_id, [key])
        except NotFoundError:
            return True
        item = seen.items.get(key)
        if item is None:
            return True
        if item.record.attempt is not None and item.record.attempt.number == number:
            return False
        kept = context.store.finished_attempt(mission_id, key, number)
        if kept is None or spent_of(kept.report) or not spent:
            return True
        told = {"cost_usd": spent.cost_usd, "tokens": spent.tokens, "log": log or kept.report.log}
        # The item is written whatever the run cost: so of two who count at once, one is refused.
        change.put_item(
            seen.mission.record,
            item,
            item.record.evolve(cost_usd=item.record.cost_usd + (spent.cost_usd or 0.0)),
        )
        change.end_attempt(mission_id, kept.evolve(report=kept.report.evolve(**told)))
        change.put_mission(seen.mission, budget.charge(seen.mission.record, spent.used))
        if kept.purpose.runs_agent:
            change.count_spent(spent.used, role=kept.role, cli=kept.cli)
        return True

    try:
        return commit(context, decide)
    except ConflictError:
        return False
