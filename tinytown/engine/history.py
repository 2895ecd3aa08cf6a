"""What is kept of an attempt that ended, whoever ended it: its agent wrote on the work, and its run cost money."""

from __future__ import annotations

from tinytown.engine.context import event
from tinytown.missions.model import Attempt, AttemptRecord, Item, Mission, Report
from tinytown.missions.states import Outcome
from tinytown.state.change import Change


def record_of(item: Item, attempt: Attempt, report: Report, *, now: float) -> AttemptRecord:
    """The record of an attempt that ends ``now``."""
    return AttemptRecord(
        id=attempt.id,
        item=item.key,
        number=attempt.number,
        purpose=attempt.purpose,
        target=attempt.target,
        agent=attempt.agent,
        role=attempt.role,
        sent_at=attempt.sent_at,
        claimed_at=attempt.claimed_at,
        ended_at=now,
        report=report,
    )


def keep_interrupted(change: Change, mission: Mission, item: Item, *, why: str, now: float) -> None:
    """Keep the attempt that this change takes from its worker, if ``item`` has one that runs.

    What it cost is known when it has wound down; see ``attempts.add_cost``.
    """
    attempt = item.attempt
    if attempt is None or not attempt.claimed:
        return
    change.end_attempt(mission.id, record_of(item, attempt, Report(outcome=Outcome.CANCELLED, summary=why), now=now))
    change.event(
        event(
            "attempt_ended",
            at=now,
            mission=mission.id,
            item=item.key,
            agent=attempt.agent or "",
            purpose=attempt.purpose.value,
            target=attempt.target,
            number=attempt.number,
            outcome=Outcome.CANCELLED.value,
            summary=why,
        )
    )
