"""A merge: bring a change that passed its gates into the base, once the checks pass on what the merge makes of it."""

from __future__ import annotations

from pathlib import Path

from tinytown.engine.changes import forge_change, repo_of
from tinytown.errors import StateError
from tinytown.forge.contract import MergeResult
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.record import Waiting
from tinytown.missions.states import Outcome, WaitReason
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.checking.failure_cause import FailureCause, of_merge
from tinytown_workers.prepare.setup import LOG_TAIL, CutShortError
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
            now = attempt.engine.store.now()
            waiting = Waiting(reason=WaitReason.MERGE, since=now, remedy=f"{base} moves too fast")
            return Report(outcome=Outcome.SUCCEEDED, summary="the base moved", waiting=waiting)
        case "gone":
            return Report(outcome=Outcome.FAILED, summary=f"the base branch {base} is gone")


def _refused(attempt: AttemptContext, head: str, why: str, details: str) -> Report:
    verdict = Verdict(passed=False, sha=head, why=why, details=details[-LOG_TAIL:])
    return Report(outcome=Outcome.SUCCEEDED, summary=why, verdict=verdict, log=str(attempt.paths.logs))
