"""The one judge: everything that was seen of a change, joined to what should happen next and one sentence why.

What is found is looked at in stages. The first stage with anything in it decides, because what comes later rests on it:
nobody is asked to approve what does not pass, and no branch is updated while checks of its head are of use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tinytown.missions.evidence import bots, checks, mergeability, reviews, threads
from tinytown.missions.evidence.case import Case
from tinytown.missions.evidence.judgement import Action, Ask, Finding, Fix, Found, Judgement, Passed, Rerun, Wait

#: What is looked at together, in order.
_STAGES: Sequence[Sequence[Callable[[Case], Found]]] = (
    (mergeability.find_conflict,),
    (checks.find, bots.find, threads.find, reviews.find),
    (mergeability.find_draft,),
    (reviews.find_approvals,),
    (mergeability.find,),
)
#: The stages that come before tinytown's own review.
BEFORE_REVIEW = 2


def judge(case: Case, *, stages: int = len(_STAGES)) -> Judgement:
    """What should happen to the change next; ``stages``: how far it is looked at (``BEFORE_REVIEW`` or all)."""
    remarks: list[str] = []
    for stage in _STAGES[:stages]:
        parts = [part(case) for part in stage]
        remarks += [remark for part in parts for remark in part.remarks]
        found = sorted((one for part in parts for one in part.findings), key=_order)
        if found:
            return _joined(case, found, tuple(dict.fromkeys(remarks)))
    return Passed(f"nothing keeps {case.subject.name} from merging", remarks=tuple(dict.fromkeys(remarks)))


def findings(case: Case) -> list[Finding]:
    """Everything in the way, whichever stage it belongs to, in the order in which it is told."""
    return sorted((one for stage in _STAGES for part in stage for one in part(case).findings), key=_order)


def _order(finding: Finding) -> tuple[int, int, str, str]:
    """What an agent mends comes first, then what a person has to do."""
    outcome = finding.outcome
    rank = 0 if isinstance(outcome, Fix) else 1 if isinstance(outcome, Ask) else 2
    return rank, list(type(finding.kind)).index(finding.kind), outcome.why, repr(outcome)


def _joined(case: Case, found: Sequence[Finding], remarks: tuple[str, ...]) -> Judgement:
    """The outcome of those that weigh most, with one sentence for all."""
    first = found[0].outcome
    alike = _first_causes([one.outcome for one in found if type(one.outcome) is type(first)])
    first = alike[0]
    why = _sentence(case, alike)
    actions = _actions(found)
    match first:
        case Fix():
            failures = {failure.key: failure for one in alike if isinstance(one, Fix) for failure in one.failures}
            kept = tuple(one for one in actions if not isinstance(one, Rerun))  # There will be another head.
            return Fix(why, tuple(failures.values()), kept, remarks)
        case Ask():
            return Ask(why, first.whom, first.what, first.reason, actions, remarks)
        case Wait():
            until = min(one.until for one in alike if isinstance(one, Wait))
            return Wait(why, until, first.reason, actions, remarks, mending=first.mending)


def _first_causes(alike: Sequence[Fix | Ask | Wait]) -> Sequence[Fix | Ask | Wait]:
    """Without failures that only follow from others: where those are mended, these are gone."""
    own = [one for one in alike if not isinstance(one, Fix) or not all(failure.derived for failure in one.failures)]
    return own or alike


def _sentence(case: Case, alike: Sequence[Fix | Ask | Wait]) -> str:
    clauses = list(dict.fromkeys(one.why for one in alike))
    more = f", and for {len(clauses) - 1} more {'reason' if len(clauses) == 2 else 'reasons'}" if clauses[1:] else ""
    return f"{case.subject.name} is not merging because {clauses[0]}{more}"


def _actions(found: Sequence[Finding]) -> tuple[Action, ...]:
    return tuple(dict.fromkeys(action for one in found for action in one.outcome.actions))
