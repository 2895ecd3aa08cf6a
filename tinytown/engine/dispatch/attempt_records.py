"""What is kept of an attempt that ended, whoever ended it: who worked on the item, and what that cost."""

from __future__ import annotations

from tinytown.engine.context import event
from tinytown.missions.records.agent import Event
from tinytown.missions.records.attempt import Attempt, AttemptRecord, Report
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import Outcome, Purpose
from tinytown.state.change import Change


def record_of(item: Item, attempt: Attempt, report: Report, *, now: float) -> AttemptRecord:
    """The record of an attempt that ends ``now``."""
    return AttemptRecord(
        id=attempt.id,
        item=item.key,
        number=attempt.number,
        purpose=attempt.purpose,
        agent=attempt.agent,
        role=attempt.role,
        cli=attempt.cli,
        host=attempt.host,
        sent_at=attempt.sent_at,
        claimed_at=attempt.claimed_at,
        ended_at=now,
        judge=item.judge if attempt.purpose is Purpose.REVIEW else "",
        report=report,
    )


def keep_interrupted(change: Change, mission: Mission, item: Item, *, why: str, now: float) -> None:
    """Keep the attempt that this change takes from its worker, if ``item`` has one that runs.

    What it cost is known when it has wound down; see ``costs``.
    """
    attempt = item.attempt
    if attempt is None or not attempt.claimed:
        return
    ended = record_of(item, attempt, Report(outcome=Outcome.CANCELLED, summary=why), now=now)
    change.end_attempt(mission.id, ended)
    change.event(told(mission.id, ended))


def told(mission: str, ended: AttemptRecord) -> Event:
    """The line of history about an attempt's end."""
    return event(
        "attempt_ended",
        at=ended.ended_at,
        mission=mission,
        item=ended.item,
        agent=ended.agent or "",
        purpose=ended.purpose.kind.value,
        target=ended.purpose.target,
        number=ended.number,
        outcome=ended.report.outcome.value,
        summary=ended.report.summary,
    )
