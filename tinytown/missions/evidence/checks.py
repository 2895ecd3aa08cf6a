"""What checks, statuses and workflows keep a change from merging."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tinytown.missions.evidence import attribution, errors, states
from tinytown.missions.evidence.case import LOOKS, Case, mended, trouble, usable
from tinytown.missions.evidence.judgement import OPERATOR, Ask, Failure, Finding, Fix, Found, Kind, Rerun, Wait
from tinytown.missions.evidence.states import Result, State
from tinytown.missions.fences import calm, line
from tinytown.missions.records.forge_evidence import FailureKey, RequiredContext
from tinytown.missions.states import WaitReason

#: Fix rounds after which the same error is shown to a person.
SAME_ERROR = 2
#: Orders to run a check again that may have been lost on their way; after that a person is asked.
ORDERS = 5
#: Statuses that tinytown writes itself begin with this; ``mergeability`` looks whether they are there.
OWN = "tinytown/"
#: Whether GitHub merges when asked: all that is required is there and green.
MERGEABLE = frozenset({"clean", "has_hooks"})


def find(case: Case) -> Found:
    """What is in the way, and what is worth a remark."""
    seen = case.evidence
    found = [
        one
        for one in (
            trouble(case, seen.protection, "rules for merging", Kind.PROTECTION),
            trouble(case, seen.checks, "checks", Kind.CHECK),
            trouble(case, seen.statuses, "commit statuses", Kind.CHECK),
        )
        if one is not None
    ]
    known, unread = judged_states(case), bool(found)
    remarks: list[str] = []
    for state in known:
        finding, remark = _of_state(case, state)
        found += [finding] if finding is not None else []
        remarks += [remark] if remark else []
    if not unread:
        found += [_missing(case, one, known) for one in missing(case, known)]
        if not found and (finding := _unproven(case, known, remarks)) is not None:
            found.append(finding)
    return Found(tuple(found), tuple(remarks))


def judged_states(case: Case) -> list[State]:
    """The newest words that count here: not tinytown's own, and a bot's only where they are required."""
    seen, found = case.evidence, []
    if seen.checks is not None and usable(case, seen.checks):
        found += states.of_checks(seen.checks)
    if seen.statuses is not None and usable(case, seen.statuses):
        found += states.of_statuses(seen.statuses)
    bots = {(bot.channel, bot.context) for bot in case.bots.values()}
    wanted = required_names(case)
    counted = [
        one
        for one in found
        if not one.name.startswith(OWN) and ((one.noun, one.name) not in bots or one.name in wanted)
    ]
    return sorted(counted, key=lambda one: (one.noun, one.name, one.app, one.said))


def passed_again(case: Case) -> list[FailureKey]:
    """Checks that failed, were run again, and are green now."""
    green = (_key(case, state) for state in judged_states(case) if state.result is Result.GREEN)
    return [key for key in green if key in case.memory.rerun]


def required_names(case: Case) -> set[str]:
    """The names of what must succeed before a merge."""
    return {one.context for one in _required(case)}


def _required(case: Case) -> Sequence[RequiredContext]:
    protection = case.protection
    return protection.required if protection is not None else ()


# -- one that has said something -------------------------------------------------------------------


def _of_state(case: Case, state: State) -> tuple[Finding | None, str]:
    """What is in the way by it, and a remark if it is not."""
    why = f"{state.title} {state.said}"
    match state.result:
        case Result.GREEN:
            again = _key(case, state) in case.memory.rerun
            return None, f"{state.title} failed once and passed when it was run again" if again else ""
        case Result.RED:
            return _red(case, state, why)
        case Result.HELD:
            what = f"approve its runs{_at(state.url)}"
            return _finding(Ask(why, OPERATOR, what, reason=WaitReason.APPROVAL)), ""
        case Result.PENDING:
            return _finding(Wait(why, until=_next_look(case))), ""
        case _:
            return None, ""  # ``missing`` counts the looks without a result.


def _red(case: Case, state: State, why: str) -> tuple[Finding | None, str]:
    key, cause = _key(case, state), attribution.cause(case, state)
    if (mending := mended(case, key, Kind.CHECK, why, until=_next_look(case))) is not None:
        return mending, ""
    if key in case.memory.handled:
        return _finding(Ask(f"{why}, and its fix round left the commit as it was", OPERATOR, "look at it")), ""
    if cause != "change" and _may_run_again(case, key, state) and (rerun := _rerun(key, state, cause)) is not None:
        again = Wait(f"{why}; {rerun.why}, so it is run again once", until=_next_look(case), actions=(rerun,))
        return _finding(again), ""
    if cause == "base":
        said = f"{why}, on `{calm(case.subject.base)}` as well"
        if not _is_required(case, state):
            return None, said
        mend = f"mend {state.title} on `{calm(case.subject.base)}`"
        return _finding(Ask(said, OPERATOR, mend, reason=WaitReason.BASE_FAILING)), ""
    if cause == "runner":
        lost = f"{why}, and the change cannot have caused it"
        return _finding(Ask(lost, OPERATOR, f"see why it cannot run{_at(state.url)}")), ""
    failure = _failure(key, state, why)
    if case.memory.errors.get(failure.error, 0) >= SAME_ERROR:
        same = f"{why}, with the same error after {SAME_ERROR} fix rounds"
        return _finding(Ask(same, OPERATOR, "say what to do, or mend it by hand")), ""
    return _finding(Fix(why, (failure,))), ""


_CAUSES = {
    "base": "it fails on the base as well",
    "runner": "its runner failed",
    "network": "something that it needs did not answer",
}


def _may_run_again(case: Case, key: FailureKey, state: State) -> bool:
    """Whether it was not run again yet: an order may have been lost on its way, and is then given again."""
    if key not in case.memory.rerun:
        return True
    order = next((one for one in case.memory.orders if one.key == key), None)
    return order is not None and order.run == _run_of(state) and order.times < ORDERS


def _run_of(state: State) -> str:
    return f"{state.run.id} {state.run.completed_at}" if state.run is not None else ""


def _rerun(key: FailureKey, state: State, cause: str) -> Rerun | None:
    run = state.run
    if run is None or not (run.id or run.workflow_run):
        return None
    return Rerun(key, run.id, run.workflow_run, _CAUSES[cause], _run_of(state))


def _failure(key: FailureKey, state: State, why: str) -> Failure:
    run, status = state.run, state.status
    parts: list[str] = []
    log = ""
    if run is not None:
        log = run.log or "\n".join((run.title, run.summary, *run.annotations))
        notes = "\n".join(run.annotations)
        parts = [run.title, run.summary, f"Annotations:\n{notes}" if notes else "", run.log]
    elif status is not None:
        log = status.description
        parts = [status.description]
    details = "\n\n".join(filter(None, (state.url, *parts)))
    return Failure(key, "check", why, details, error=errors.mark(state.name, log), derived=state.derived)


def _key(case: Case, state: State) -> FailureKey:
    return ("check", state.name, state.app, case.head)


def _is_required(case: Case, state: State) -> bool:
    return any(_fits(one, state) for one in _required(case))


def _fits(required: RequiredContext, state: State) -> bool:
    if state.noun == "workflow" or required.context != state.name:
        return False
    # Of statuses and of jobs the app is not told. Where it is the wrong one the forge says so: it blocks the merge.
    return state.app_id is None or required.app_id in (None, state.app_id)


# -- one that has said nothing ---------------------------------------------------------------------


def missing(case: Case, known: Iterable[State]) -> list[str]:
    """The names of what is required and not there, and of what ended without a result, in order."""
    there = list(known)
    found = {one.name for one in there if one.result is Result.NONE}
    for one in _required(case):
        if not one.context.startswith(OWN) and not any(_fits(one, state) for state in there):
            found.add(one.context)
    return sorted(found - (set() if _readable(case) else _vouched(case, there)))


def _readable(case: Case) -> bool:
    checks = case.evidence.checks
    return checks is None or checks.source == "checks"


def _vouched(case: Case, known: Iterable[State]) -> set[str]:
    """What is required and cannot be read with this token, while GitHub says that nothing required is missing."""
    merge = case.evidence.mergeability
    if merge is None or not usable(case, merge) or merge.state not in MERGEABLE or merge.conflicts == "yes":
        return set()
    return required_names(case) - {one.name for one in known}


def may_still_come(known: Iterable[State]) -> bool:
    """Whether something is under way: a job is not seen before those that it needs have ended."""
    return any(one.result in (Result.PENDING, Result.HELD) for one in known)


def _missing(case: Case, name: str, there: Sequence[State]) -> Finding:
    known = next((one for one in there if one.name == name and one.result is Result.NONE), None)
    stated = next((one.stated_by for one in _required(case) if one.context == name and one.stated_by), "")
    if known is not None:
        why, what = f"{known.title} {known.said}", f"run it again{_at(known.url)}"
    else:
        by = f" by {line(stated)}" if stated else ""
        said = "has not reported" if _readable(case) else "cannot be read with this token"
        why = f"check `{calm(name)}`, required{by}, {said}"
        what = f"see why `{calm(name)}` does not run, or no longer require it"
    if case.counts.missing.get(name, 0) >= LOOKS and not may_still_come(there):
        return _finding(Ask(f"{why} at {LOOKS} looks", OPERATOR, what))
    return _finding(Wait(why, until=_next_look(case)))


def _unproven(case: Case, known: Sequence[State], remarks: list[str]) -> Finding | None:
    """What is in the way though nothing is red: too little has been said, or too early."""
    assert case.evidence.checks is not None
    assert case.evidence.statuses is not None
    settled = case.subject.pushed_at + case.policy.checks_appear_secs
    if min(case.evidence.checks.seen_at, case.evidence.statuses.seen_at) < settled:
        age = max(0, round(case.now - case.subject.pushed_at))
        why = f"its newest commit is {age} s old, so checks may still begin"
        return _finding(Wait(why, until=max(settled, case.now)))
    if known or _required(case):
        return None
    if case.evidence.checks.has_ci != "no" and case.counts.silent < LOOKS:
        return _finding(Wait("no check has reported yet", until=_next_look(case)))
    if not case.policy.require_checks:
        remarks.append("no check looked at it")
        return None
    what = "merge it on GitHub, or add CI; missions that start with `[policy] require_checks = false` go on without"
    return _finding(Ask("no check looks at it", OPERATOR, what))


def _next_look(case: Case) -> float:
    dues = [one.due_at for one in (case.evidence.checks, case.evidence.statuses) if one is not None]
    return max(case.now, min(dues, default=case.now))


def _at(url: str) -> str:
    return f" at {line(url)}" if url else ""


def _finding(outcome: Wait | Fix | Ask) -> Finding:
    return Finding(Kind.CHECK, outcome)
