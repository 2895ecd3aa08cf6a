"""A check: run the town's checks on an exact commit.

The checks run the agents' code, so they get an agent's limits, environment and sandbox, in a clean clone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tinytown.engine.changes import checks_of, repo_of
from tinytown.errors import BaseGoneError, StateError
from tinytown.git.repository import Git
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.record import Waiting
from tinytown.missions.states import Outcome, WaitReason
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.checking import change_facts
from tinytown_workers.checking.check_runner import CheckRunner
from tinytown_workers.checking.failure_cause import FailureCause, of_head, of_setup
from tinytown_workers.prepare.setup import LOG_TAIL, CutShortError, SetupFailedError
from tinytown_workers.workspace import conflicts, workspace

#: Most files that are named in a sentence.
NAMED = 8
#: What to do about conflict markers.
ON_PURPOSE = (
    "Resolve each conflict and remove its markers. Where a file shows markers on purpose, indent them; where they must "
    "stand at the beginning of a line, somebody has to give the file `conflict-marker-size=32` in the `.gitattributes` "
    "of the base."
)


def run(attempt: AttemptContext) -> Report:
    """Run the checks on the commit of the attempt; gives their verdict, or what to wait for."""
    try:
        return _check(attempt)
    except CutShortError as cut:
        return Report(outcome=cut.outcome, summary=cut.summary, log=str(attempt.paths.logs))


def check_runner_of(attempt: AttemptContext, mirror: Path) -> CheckRunner:
    """What runs the checks on commits of ``mirror``."""
    repo = repo_of(attempt.item, attempt.mission)
    return CheckRunner(attempt.execution, mirror, repo, base_tip(attempt, repo) or "")


def _check(attempt: AttemptContext) -> Report:
    sha = attempt.record.sha
    if sha is None:
        raise StateError(f"{attempt.item.key} has no commit to check")
    repo = repo_of(attempt.item, attempt.mission)
    mirror = attempt.engine.forge.mirror(repo)
    check_runner, commands = check_runner_of(attempt, mirror), commands_of(attempt)
    unresolved = unresolved_markers(mirror, sha, base=base_tip(attempt, repo))
    cause = (
        FailureCause(unresolved)
        if unresolved
        else _judge(check_runner, sha, commands, base_check=attempt.mission.policy.base_check)
    )
    if cause.base:
        return base_fails(attempt, cause)
    verdict = cause.verdict
    warnings, doubt = None, None
    if verdict.passed and check_runner.base:
        doubt = change_facts.doubt(check_runner, verdict.sha, commands)
        if cause.head:
            warnings = change_facts.judge_facts(attempt, mirror, check_runner.base, cause.head, commands)
    return Report(
        outcome=Outcome.SUCCEEDED,
        summary=verdict.why if not verdict.passed else "checks passed",
        verdict=verdict,
        head=cause.head or None,
        take_base=cause.take_base,
        review_warnings=warnings,
        doubt=doubt,
        tree=workspace.tree_of(mirror, verdict.sha),
        checked_with=fingerprint(commands),
        log=str(attempt.paths.logs),
    )


def _judge(check_runner: CheckRunner, sha: str, commands: Sequence[str], *, base_check: bool) -> FailureCause:
    """What the checks say of a change, and whose fault it is if they fail."""
    try:
        checked = check_runner.run_checks(sha, commands)
    except SetupFailedError as error:
        cause = of_setup(check_runner, sha, error) if check_runner.base else None
        if cause is None:
            raise
        return cause
    if checked.verdict.passed or not check_runner.base or not base_check:
        return FailureCause(checked.verdict)
    return of_head(check_runner, checked, commands)


def base_fails(attempt: AttemptContext, cause: FailureCause) -> Report:
    """The report of a check that fails because of the base, not of the change."""
    base = attempt.mission.base_of(repo_of(attempt.item, attempt.mission))
    why = f"the checks fail on {base} itself (commit {cause.base[:7]}): {cause.verdict.why}"
    remedy = f"{why}; fix {base}: it is tried again when that moves"
    now = attempt.engine.store.now()
    waiting = Waiting(reason=WaitReason.BASE_FAILING, since=now, remedy=remedy, about=cause.base)
    return Report(outcome=Outcome.SUCCEEDED, summary=why, waiting=waiting, log=str(attempt.paths.logs))


def base_tip(attempt: AttemptContext, repo: str) -> str | None:
    """Tip of the base; ``None`` if that is gone, so that nothing can be merged into it either."""
    try:
        return attempt.origin(repo).base
    except BaseGoneError:
        return None


def unresolved_markers(mirror: Path, sha: str, *, base: str | None) -> Verdict | None:
    """The refusal of a commit with conflict markers, whoever left them and whatever the checks would say."""
    left = conflicts.places(Git.own(mirror), sha, base=base) if base is not None else {}
    if not left:
        return None
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    why = f"it holds conflict markers: {', '.join([*left][:NAMED])}{more}"
    details = "".join(f"{path}: {lines}\n" for path, lines in left.items())
    return Verdict(passed=False, sha=sha, why=why, details=f"{details[: LOG_TAIL // 2]}\n{ON_PURPOSE}")


def commands_of(attempt: AttemptContext) -> Sequence[str]:
    """What a change must pass, as the configuration says now."""
    forge, mission = attempt.town.settings.forge, attempt.mission
    if mission.checks is None and not any(forge.checks_of(repo) for repo in (mission.repo, *mission.bases)):
        # The mission was started with checks. That they are gone proves nothing about the commit.
        raise StateError(
            "the mission was started with checks, but none are configured any more",
            remedy="set `checks` under [forge.local] in tinytown.toml, then retry",
        )
    return checks_of(attempt.item, mission, attempt.town.settings)


def fingerprint(commands: Sequence[str]) -> str:
    """A short hash that tells one list of checks from another."""
    return hashlib.sha256("\0".join(commands).encode()).hexdigest()[:16]
