"""What of its base, and of the forge's own word on it, keeps a change from merging."""

from __future__ import annotations

from tinytown.missions.evidence import states
from tinytown.missions.evidence.case import LOOKS, Case, mended, trouble, usable
from tinytown.missions.evidence.checks import MERGEABLE, OWN
from tinytown.missions.evidence.judgement import (
    OPERATOR,
    Ask,
    Failure,
    Finding,
    Fix,
    Found,
    Kind,
    MarkReady,
    UpdateBranch,
    Wait,
)
from tinytown.missions.fences import calm
from tinytown.missions.records.forge_evidence import FailureKey, Mergeability
from tinytown.missions.states import WaitReason

#: Seconds after which it is asked again whether a change can be merged, while the forge computes that.
UNKNOWN_SECS = (5.0, 10.0, 20.0)
#: Files that a sentence names.
_NAMED = 5


def find_conflict(case: Case) -> Found:
    """A conflict is judged first: a change that is born with one gets no checks, so they would never end."""
    seen = case.evidence.mergeability
    if seen is None or not usable(case, seen) or not (seen.state == "dirty" or seen.conflicts == "yes"):
        return Found()
    base = calm(case.subject.base)
    files = ", ".join(f"`{calm(path)}`" for path in seen.conflicting_files[:_NAMED])
    more = f" and {len(seen.conflicting_files) - _NAMED} more" if len(seen.conflicting_files) > _NAMED else ""
    why = f"it conflicts with `{base}`" + (f" in {files}{more}" if files else "")
    key: FailureKey = ("conflict", case.head, seen.base_tip)
    if (mending := mended(case, key, Kind.CONFLICT, why, until=_next_look(case))) is not None:
        return Found((mending,))
    if key in case.memory.handled:
        stuck = Ask(f"{why}, and its fix round left the commit as it was", OPERATOR, f"merge `{base}` into it by hand")
        return Found((Finding(Kind.CONFLICT, stuck),))
    details = "\n".join(seen.conflicting_files)
    return Found((Finding(Kind.CONFLICT, Fix(why, (Failure(key, "merge", why, details),))),))


def find_draft(case: Case) -> Found:
    """A draft: people look at a change, and may merge it, when it is none any more."""
    seen = case.evidence.mergeability
    if seen is None or not usable(case, seen) or not (seen.draft or seen.state == "draft"):
        return Found()
    return Found((Finding(Kind.MERGE, _draft(case, seen)),))


def _draft(case: Case, seen: Mergeability) -> Wait | Ask:
    if not seen.draft_by_us:
        return Ask("somebody made it a draft", OPERATOR, "mark it as ready for review", reason=WaitReason.MERGE)
    if not case.subject.reviewed:
        why = "it is a draft until its reviewer has approved it"
        return Wait(why, until=_next_look(case), reason=WaitReason.REVIEW)
    return Wait("it is a draft", until=_next_look(case), reason=WaitReason.MERGE, actions=(MarkReady(),))


def find(case: Case) -> Found:
    """What is in the way when everything else has passed."""
    seen = case.evidence.mergeability
    found = trouble(case, seen, "mergeability and its state", Kind.MERGE)
    if found is not None:
        return Found((found,))
    assert seen is not None
    outcomes = (*_own_statuses(case, seen), _of_state(case, seen))
    findings = tuple(Finding(Kind.MERGE, one) for one in outcomes if one is not None)
    late = seen.state == "behind" and _must_be_up_to_date(case) and not findings
    remark = f"`{calm(case.subject.base)}` has moved: update the branch before you merge it"
    return Found(findings, (remark,) if late else ())


def is_unknown(seen: Mergeability) -> bool:
    """Whether the forge has not told yet whether it can be merged."""
    known = {*MERGEABLE, "unstable", "blocked", "behind", "dirty", "draft"}
    return seen.state not in known or (seen.conflicts == "unknown" and seen.state not in (*MERGEABLE, "unstable"))


def is_held(case: Case, seen: Mergeability) -> bool:
    """Whether the forge holds it up, and does not say why."""
    return seen.state == "blocked" or (seen.state == "unstable" and _reads_jobs_only(case))


def _of_state(case: Case, seen: Mergeability) -> Wait | Ask | None:
    if is_unknown(seen):
        pause = UNKNOWN_SECS[min(max(case.counts.unknown - 1, 0), len(UNKNOWN_SECS) - 1)]
        why = "the forge has not told yet whether it can be merged"
        return Wait(why, until=max(case.now, seen.seen_at + pause), reason=WaitReason.MERGE)
    if seen.state == "behind":
        return _behind(case)
    return _held(case, seen) if is_held(case, seen) else None


def _behind(case: Case) -> Wait | None:
    if not _must_be_up_to_date(case):
        return None
    if not (case.policy.auto_merge or case.subject.merge_wanted):
        return None  # Until somebody merges it the base may move often, and each update runs all checks again.
    base = calm(case.subject.base)
    why = f"`{base}` has moved, and demands that it is up to date"
    return Wait(why, until=_next_look(case), reason=WaitReason.MERGE, actions=(UpdateBranch(),))


def _must_be_up_to_date(case: Case) -> bool:
    return case.protection is None or case.protection.strict != "no"


def _held(case: Case, seen: Mergeability) -> Wait | Ask:
    if seen.state == "unstable":
        why = "a check that cannot be read with this token has not passed"
        what = "look at its checks, or use a token that can read them"
    else:
        owners = case.protection is not None and case.protection.code_owners
        why = "the forge blocks the merge and does not say why"
        what = (
            "have its code owners review it"
            if owners
            else "see what its page still wants, often a review, or merge it by hand"
        )
    if case.counts.blocked >= LOOKS:
        return Ask(why, OPERATOR, what, reason=WaitReason.MERGE)
    return Wait(why, until=_next_look(case), reason=WaitReason.MERGE)


def _own_statuses(case: Case, seen: Mergeability) -> list[Wait]:
    """What tinytown itself has still to say, where it is required."""
    protection, statuses = case.protection, case.evidence.statuses
    if protection is None or statuses is None or not usable(case, statuses):
        return []
    green = {one.name for one in states.of_statuses(statuses) if one.result is states.Result.GREEN}
    own = sorted({one.context for one in protection.required if one.context.startswith(OWN)} - green)
    return [
        Wait(f"its status `{calm(name)}` is not set yet", until=max(case.now, seen.due_at), reason=WaitReason.REVIEW)
        for name in own
    ]


def _reads_jobs_only(case: Case) -> bool:
    checks = case.evidence.checks
    return checks is not None and checks.source == "actions"


def _next_look(case: Case) -> float:
    return max(case.now, case.evidence.mergeability.due_at if case.evidence.mergeability is not None else case.now)
