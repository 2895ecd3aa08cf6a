"""What a judgement makes of an item: what its gates go by, and a fix round if one is due."""

from __future__ import annotations

from dataclasses import replace

from tinytown.missions import gates, lifecycle
from tinytown.missions.evidence.case import Case, Subject
from tinytown.missions.evidence.judge import BEFORE_REVIEW, judge
from tinytown.missions.evidence.judgement import OPERATOR, Ask, Failure, Fix, Gate, Judgement, Passed, Wait
from tinytown.missions.evidence.memory import after_look
from tinytown.missions.evidence.watching import watched
from tinytown.missions.fences import calm
from tinytown.missions.records.attempt import FixReason
from tinytown.missions.records.evidence import ForgeVerdict
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, WaitReason

#: Sentences that stand in the summary of a fix round; the brief has the details of all.
_NAMED = 3


def subject(item: Item, *, name: str, base: str, pushed_at: float) -> Subject:
    """The item's change as it is judged; ``name``: what people call it, such as ``PR #42``. It must have a head."""
    assert item.head is not None
    wanted = "" if item.human_approved == item.head else "; ".join(gates.why_person(item))
    return Subject(
        name=name, head=item.head, base=base, pushed_at=pushed_at, needs_person=wanted,
        fixing=item.state is ItemState.FIXING, merge_wanted=item.merge_wanted,
    )  # fmt: skip


def applied(item: Item, case: Case, *, now: float) -> tuple[Item, Judgement]:
    """The item after its evidence was judged, and the judgement, whose actions are still to be taken.

    What the evidence adds to the counts of looks is counted first, so that a third look is one.
    A fix round is begun, or a person is asked where rounds are used up, only for an item in review without an attempt.
    """
    reviewed = not gates.is_judged(item, case.policy) or item.approved == item.subject
    case = replace(case, memory=after_look(case), subject=replace(case.subject, reviewed=reviewed))
    final = judge(case)
    reviewable = isinstance(judge(case, stages=BEFORE_REVIEW), Passed)
    stuck = gates.needs_help(item)
    asked = item.waiting is not None and item.waiting.reason is WaitReason.NEEDS_HELP
    new = item.evolve(
        forge_verdict=_verdict(final, case.head, reviewable=reviewable).evolve(watched=tuple(watched(case))),
        # What the evidence asked for before is asked no more; if it still is, the gates say so.
        waiting=None if asked and not stuck else item.waiting,
    )
    if isinstance(final, Fix) and item.state is ItemState.IN_REVIEW and item.attempt is None and not stuck:
        new = lifecycle.request_fix(new, fix_reason(final, case.head), policy=case.policy, now=now)
    return new, final


def fix_reason(found: Fix, head: str) -> FixReason:
    """What goes into the brief of the fix round: every failure, one after the other."""
    failures = found.failures
    first = "; ".join(one.summary for one in failures[:_NAMED])
    more = f"; and {len(failures) - _NAMED} more" if len(failures) > _NAMED else ""
    return FixReason(gate=_gate(failures), summary=f"{first}{more}", details=_details(failures), sha=head)


def _gate(failures: tuple[Failure, ...]) -> Gate:
    found = {one.gate for one in failures}
    order: tuple[Gate, ...] = ("merge", "check", "review")
    return next(gate for gate in order if gate in found)


def _details(failures: tuple[Failure, ...]) -> str:
    if len(failures) == 1:
        return failures[0].details
    return "\n\n".join(f"{at}. {one.summary}\n\n{one.details}".rstrip() for at, one in enumerate(failures, start=1))


def _verdict(found: Judgement, head: str, *, reviewable: bool) -> ForgeVerdict:
    match found:
        case Passed():
            return ForgeVerdict(sha=head, reviewable=True, passed=True, why=found.why)
        case Wait():
            return ForgeVerdict(
                sha=head,
                reviewable=reviewable,
                why=found.why,
                reason=found.reason,
                remedy=found.why,
                until=found.until,
            )
        case Ask():
            whom = "" if found.whom == OPERATOR else f"{calm(found.whom)}: "
            remedy = f"{found.why}; {whom}{found.what}"
            return ForgeVerdict(sha=head, reviewable=reviewable, why=found.why, reason=found.reason, remedy=remedy)
        case Fix():
            return ForgeVerdict(sha=head, reviewable=reviewable, why=found.why, remedy=found.why)
