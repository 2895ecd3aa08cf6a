"""A merge: bring a change that passed its gates into the base, once the checks pass on what the merge makes of it."""

from __future__ import annotations

from pathlib import Path

from tinytown.engine.changes import forge_change, repo_of
from tinytown.engine.watch import changes, finishing
from tinytown.errors import StateError
from tinytown.forge.contract import Change, MergeResult
from tinytown.missions.evidence.judgement import Passed, Wait
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.record import Waiting
from tinytown.missions.states import Outcome, WaitReason
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.checking.failure_cause import FailureCause, of_merge
from tinytown_workers.prepare.setup import LOG_TAIL, CutShortError
from tinytown_workers.purposes import publish
from tinytown_workers.purposes.checks import (
    base_fails,
    base_tip,
    check_runner_of,
    commands_of,
    fingerprint,
    unresolved_markers,
)


def run(attempt: AttemptContext) -> Report:
    """Merge the change of the attempt; gives the commit of the base, a refusal, or what to wait for."""
    try:
        return _merge(attempt)
    except CutShortError as cut:
        return Report(outcome=cut.outcome, summary=cut.summary, log=str(attempt.paths.logs))


def _merge(attempt: AttemptContext) -> Report:
    item, mission = attempt.item, attempt.mission
    head = attempt.record.sha
    if head is None:
        raise StateError(f"{item.key} has no commit to merge")
    change = forge_change(item, mission)
    if item.change_id:
        return _merge_at_forge(attempt, change)
    wanted = mission.policy.checks
    # Other commands than these would prove something else.
    proven = wanted and item.checked == head and item.checked_with == fingerprint(commands_of(attempt))
    repo = repo_of(item, mission)
    tip = base_tip(attempt, repo)
    if refused := unresolved_markers(attempt.engine.forge.mirror(repo), head, base=tip):
        return _refused(attempt, head, refused.why, refused.details)
    causes: list[FailureCause] = []

    def judge(mirror: Path, sha: str) -> Verdict:
        if refused := unresolved_markers(mirror, sha, base=tip):
            return refused
        if not wanted:
            return Verdict(passed=True, sha=sha)
        check_runner = check_runner_of(attempt, mirror)
        checked = check_runner.run_checks(sha, commands_of(attempt))
        if not checked.verdict.passed and mission.policy.base_check:
            causes.append(of_merge(check_runner, checked))
        return checked.verdict

    result = attempt.engine.forge.merge(repo, change, checked_tree=item.checked_tree if proven else None, checks=judge)
    if result.status == "check_failed" and causes and causes[-1].base:
        return base_fails(attempt, causes[-1])
    return _merged(attempt, head, result)


def _merge_at_forge(attempt: AttemptContext, change: Change) -> Report:
    """Have a remote forge merge it, if what that says at this very moment leaves nothing in the way."""
    item, mission, engine = attempt.item, attempt.mission, attempt.engine
    repo = repo_of(item, mission)
    mirror = engine.forge.mirror(repo)
    if refused := unresolved_markers(mirror, change.head, base=base_tip(attempt, repo)):
        return _refused(attempt, change.head, refused.why, refused.details)
    if before := publish.waits_for(attempt):
        names = ", ".join(f"PR #{name}" for name in before)
        why = f"PR #{item.change} is merged once {names} {'is' if len(before) == 1 else 'are'}, which it builds on"
        return _wait(attempt, why)
    if (judgement := changes.judged_now(engine, mission, item)) is not None and not isinstance(judgement, Passed):
        return _wait(attempt, judgement.why, until=judgement.until if isinstance(judgement, Wait) else None)
    result = engine.forge.merge(repo, change, checked_tree=None, checks=None)
    if result.status == "merged":
        finishing.finish(engine, mission, item)
    return _merged(attempt, change.head, result)


def _merged(attempt: AttemptContext, head: str, result: MergeResult) -> Report:
    """The report of a merge."""
    base = attempt.mission.base_of(repo_of(attempt.item, attempt.mission))
    match result.status:
        case "merged":
            summary = "; ".join(filter(None, ("merged", result.details)))
            return Report(outcome=Outcome.SUCCEEDED, summary=summary, merged=result.sha, log=str(attempt.paths.logs))
        case "conflict":
            why = f"it conflicts with {base}"
            return _refused(attempt, head, why, result.details)
        case "check_failed":
            return _refused(attempt, head, f"the checks fail once merged into {base}", result.details)
        case "base_dirty":
            now = attempt.engine.store.now()
            waiting = Waiting(reason=WaitReason.BASE_DIRTY, since=now, remedy=result.details)
            return Report(outcome=Outcome.SUCCEEDED, summary=result.details, waiting=waiting)
        case "base_moved":
            return _wait(attempt, f"{base} moves too fast", again=result.again, summary="the base moved")
        case "pending":
            return _wait(attempt, result.details or "the forge is merging it", again=result.again)
        case "blocked":
            return _wait(attempt, result.details, again=result.again)
        case "unknown":
            return _wait(attempt, "the forge's answer to the merge was lost; it is looked at again", again=result.again)
        case "head_moved":
            return _wait(attempt, result.details or "its branch has newer commits", again=result.again)
        case "gone":
            return Report(outcome=Outcome.FAILED, summary=f"the base branch {base} is gone")


def _wait(
    attempt: AttemptContext, why: str, *, again: float | None = None, until: float | None = None, summary: str = ""
) -> Report:
    """The merge is tried again at ``until``, or after ``again`` seconds; where neither is known, after a while."""
    now = attempt.engine.store.now()
    until = until if again is None else now + again
    waiting = Waiting(reason=WaitReason.MERGE, since=now, until=until, remedy=why)
    return Report(outcome=Outcome.SUCCEEDED, summary=summary or why, waiting=waiting)


def _refused(attempt: AttemptContext, head: str, why: str, details: str) -> Report:
    verdict = Verdict(passed=False, sha=head, why=why, details=details[-LOG_TAIL:])
    return Report(outcome=Outcome.SUCCEEDED, summary=why, verdict=verdict, log=str(attempt.paths.logs))
