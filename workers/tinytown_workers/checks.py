"""Attempts of the checks worker: run the town's checks on an exact commit, or merge a change.

The checks run the agents' code, so they get an agent's limits, environment and sandbox, in a clean clone.
"""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from tinytown.engine.advance import forge_change, repo_of
from tinytown.errors import BaseGoneError, StateError
from tinytown.git import Git
from tinytown.missions.model import Report, Verdict, Waiting
from tinytown.missions.states import Outcome, WaitReason
from tinytown_workers import conflicts, workspace
from tinytown_workers.runner import Ended
from tinytown_workers.scene import CUT_SHORT, Scene

#: Characters of a failed check's log that go into the brief of the fix.
LOG_TAIL = 6000
#: Files named in a sentence.
NAMED = 8


class _CutShortError(Exception):
    """The run was ended from outside: its result says nothing about the commit."""

    def __init__(self, outcome: Outcome, summary: str) -> None:
        super().__init__(summary)
        self.outcome = outcome
        self.summary = summary


def run(scene: Scene) -> Report:
    """The stage."""
    try:
        return _merge(scene) if scene.attempt.target == "merge" else _check(scene)
    except _CutShortError as cut:
        return Report(outcome=cut.outcome, summary=cut.summary, log=str(scene.logs))


def _check(scene: Scene) -> Report:
    sha = scene.attempt.sha
    if sha is None:
        raise StateError(f"{scene.item.key} has no commit to check")
    repo = repo_of(scene.item, scene.mission)
    mirror = scene.context.forge.mirror(repo)
    verdict = _unresolved(mirror, sha, base=_base(scene, repo)) or _run_checks(scene, mirror, sha)
    return Report(
        outcome=Outcome.SUCCEEDED,
        summary=verdict.why if not verdict.passed else "checks passed",
        verdict=verdict,
        tree=workspace.tree_of(mirror, sha),
        checked_with=_mark(_commands(scene)),
        log=str(scene.logs),
    )


def _merge(scene: Scene) -> Report:
    item, mission = scene.item, scene.mission
    head = scene.attempt.sha
    if head is None:
        raise StateError(f"{item.key} has no commit to merge")
    change = forge_change(item, mission)
    base = change.base
    wanted = mission.policy.checks
    # Other commands than these would prove something else.
    proven = wanted and item.checked == head and item.checked_with == _mark(_commands(scene))
    repo = repo_of(item, mission)
    tip = _base(scene, repo)
    if refused := _unresolved(scene.context.forge.mirror(repo), head, base=tip):
        return _refused(scene, head, refused.why, refused.details)

    def judge(mirror: Path, sha: str) -> Verdict:
        passed = Verdict(passed=True, sha=sha)
        refused = _unresolved(mirror, sha, base=tip)
        return refused or (_run_checks(scene, mirror, sha) if wanted else passed)

    result = scene.context.forge.merge(repo, change, checked_tree=item.checked_tree if proven else None, checks=judge)
    match result.status:
        case "merged":
            summary = "; ".join(filter(None, ("merged", result.details)))
            return Report(outcome=Outcome.SUCCEEDED, summary=summary, merged=result.sha, log=str(scene.logs))
        case "conflict":
            why = f"it conflicts with {base}"
            return _refused(scene, head, why, result.details)
        case "check_failed":
            return _refused(scene, head, f"the checks fail once merged into {base}", result.details)
        case "base_dirty":
            now = scene.context.store.now()
            waiting = Waiting(reason=WaitReason.BASE_DIRTY, since=now, remedy=result.details)
            return Report(outcome=Outcome.SUCCEEDED, summary=result.details, waiting=waiting)
        case "base_moved":
            now = scene.context.store.now()
            waiting = Waiting(reason=WaitReason.MERGE, since=now, remedy=f"{base} moves too fast")
            return Report(outcome=Outcome.SUCCEEDED, summary="the base moved", waiting=waiting)
        case "gone":
            return Report(outcome=Outcome.FAILED, summary=f"the base branch {base} is gone")


def _base(scene: Scene, repo: str) -> str | None:
    """Tip of the base; ``None`` if that is gone, so that nothing can be merged into it either."""
    try:
        return scene.ground(repo).base
    except BaseGoneError:
        return None


def _unresolved(mirror: Path, sha: str, *, base: str | None) -> Verdict | None:
    """The refusal of a commit that holds conflict markers, whoever left them, whatever the checks would say."""
    left = conflicts.marked(Git.own(mirror), sha, base=base) if base is not None else ()
    if not left:
        return None
    why = f"it holds conflict markers: {', '.join(left[:NAMED])}"
    return Verdict(passed=False, sha=sha, why=why, details="\n".join(left)[:LOG_TAIL])


def _refused(scene: Scene, head: str, why: str, details: str) -> Report:
    verdict = Verdict(passed=False, sha=head, why=why, details=details[-LOG_TAIL:])
    return Report(outcome=Outcome.SUCCEEDED, summary=why, verdict=verdict, log=str(scene.logs))


def _run_checks(scene: Scene, mirror: Path, sha: str) -> Verdict:
    """Every configured check on ``sha`` in a clean clone; stops at the first that fails."""
    local, commands = scene.town.settings.forge.local, _commands(scene)
    folder = scene.folder.with_name(f"{scene.folder.name}-{sha[:12]}")
    workspace.prepare_at(mirror, folder, sha)
    try:
        deadline = time.monotonic() + local.check_timeout
        for number, command in enumerate(commands, start=1):
            ended = scene.run(
                shlex.split(command),
                folder=folder,
                logs=scene.logs / f"check-{number}",
                role="checks",
                timeout=max(1.0, deadline - time.monotonic()),
            )
            if ended.reason == "timed_out":
                why = f"`{command}` ran longer than {local.check_timeout:g} s"
                return Verdict(passed=False, sha=sha, why=why, details=_tail(ended))
            if ended.reason in CUT_SHORT:
                raise _CutShortError(*CUT_SHORT[ended.reason])
            if ended.exit_code != 0:
                why = f"`{command}` failed with exit code {ended.exit_code}"
                return Verdict(passed=False, sha=sha, why=why, details=_tail(ended))
        return Verdict(passed=True, sha=sha)
    finally:
        workspace.remove(folder)


def _commands(scene: Scene) -> Sequence[str]:
    """What a change must pass, as the configuration says now."""
    forge, mission = scene.town.settings.forge, scene.mission
    if not any(forge.checks_of(repo) for repo in (mission.repo, *mission.bases)):
        # It was started with checks. That they are gone proves nothing about the commit.
        raise StateError(
            "the mission was started with checks, but none are configured any more",
            remedy="set `checks` under [forge.local] in tinytown.toml, then retry",
        )
    return forge.checks_of(repo_of(scene.item, mission)) or []


def _mark(commands: Sequence[str]) -> str:
    """Tells one list of checks from another."""
    return hashlib.sha256("\0".join(commands).encode()).hexdigest()[:16]


def _tail(ended: Ended) -> str:
    return f"{ended.stdout}\n{ended.stderr}".strip()[-LOG_TAIL:]
