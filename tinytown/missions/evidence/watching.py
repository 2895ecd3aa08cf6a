"""What is being waited for at a forge, one line a kind: what `tt mission status --watch` prints of a change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tinytown.missions.evidence.case import Case
from tinytown.missions.evidence.judge import findings
from tinytown.missions.evidence.judgement import APPROVER, OPERATOR, Ask, Finding, Fix, Kind, Wait
from tinytown.missions.fences import calm
from tinytown.missions.records.evidence import Watched
from tinytown.missions.records.forge_evidence import Evidence

State = Literal["failing", "running", "waiting"]

#: What each kind is called.
_NAMES = {
    Kind.CONFLICT: "mergeability",
    Kind.PROTECTION: "branch protection",
    Kind.CHECK: "CI check",
    Kind.BOT: "bot review",
    Kind.THREAD: "review threads",
    Kind.REVIEW: "review",
    Kind.APPROVAL: "approval",
    Kind.MERGE: "mergeability",
}
_SIGNS = {"failing": "⚠️ ", "running": "🔄", "waiting": "⏳"}


def watched(case: Case) -> list[Watched]:
    """The kinds that are not as they should be, in order; none when nothing keeps the change from merging."""
    found = findings(case)
    if any(one.kind is not Kind.MERGE for one in found):
        # A forge blocks what lacks anything, so that it does says nothing more.
        found = [one for one in found if one.kind is not Kind.MERGE]
    by_name: dict[str, list[Finding]] = {}
    for finding in sorted(found, key=lambda one: list(Kind).index(one.kind)):
        by_name.setdefault(_NAMES[finding.kind], []).append(finding)
    return [_watched(case, name, found) for name, found in by_name.items()]


def heading(count: int) -> str:
    """The line above the lines."""
    return f"🚧 Watch Items: {count}"


def line(change: str, one: Watched, *, now: float) -> str:
    """The line of one kind: ``⚠️  PR #42 CI check: failing (retrying in 180s)``."""
    again = f"{max(0, round(one.until - now))}s" if one.until is not None else ""
    what = "retrying" if one.state == "failing" else "looking again"
    notes = [f"for {one.whom}" if one.whom else "", f"{what} in {again}" if again else ""]
    note = "; ".join(filter(None, notes))
    return f"{_SIGNS[one.state]} {calm(change)} {one.name}: {one.state}" + (f" ({note})" if note else "")


def _watched(case: Case, name: str, found: Sequence[Finding]) -> Watched:
    first = found[0].outcome
    due = _due(case, found[0].kind)
    match first:
        case Fix():
            return Watched(name=name, state="failing", why=first.why, until=due)
        case Ask():
            whom = {OPERATOR: "you", APPROVER: APPROVER}.get(first.whom, calm(first.whom))
            return Watched(name=name, state="waiting", why=first.why, whom=whom, until=due)
        case Wait():
            state: State = "running" if found[0].kind in (Kind.CHECK, Kind.BOT) else "waiting"
            state = "failing" if any(isinstance(one.outcome, Wait) and one.outcome.mending for one in found) else state
            return Watched(name=name, state=state, why=first.why, until=first.until)


def _due(case: Case, kind: Kind) -> float | None:
    """When the evidence of this kind is read again."""
    seen = case.evidence
    of_kind: dict[Kind, tuple[Evidence | None, ...]] = {
        Kind.CONFLICT: (seen.mergeability,),
        Kind.PROTECTION: (seen.protection,),
        Kind.CHECK: (seen.checks, seen.statuses),
        Kind.BOT: (seen.bots, seen.checks, seen.statuses),
        Kind.THREAD: (seen.threads,),
        Kind.REVIEW: (seen.reviews,),
        Kind.APPROVAL: (seen.reviews,),
        Kind.MERGE: (seen.mergeability,),
    }
    return min((one.due_at for one in of_kind[kind] if one is not None), default=None)
