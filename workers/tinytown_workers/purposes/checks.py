"""Attempts of the checks worker: run the town's checks on an exact commit, or merge a change.

The checks run the agents' code, so they get an agent's limits, environment and sandbox, in a clean clone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tinytown.engine.dispatch.advance import forge_change, repo_of
from tinytown.errors import BaseGoneError, StateError
from tinytown.forge.contract import MergeResult
from tinytown.git.repository import Git
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.record import Waiting
from tinytown.missions.states import Outcome, WaitReason
from tinytown_workers.attempt.context import Scene
from tinytown_workers.checking import change_facts
from tinytown_workers.checking.blame import Blame, of_head, of_merge, of_setup
from tinytown_workers.checking.trial import Court
from tinytown_workers.prepare.setup import LOG_TAIL, CutShortError, SetupFailedError
from tinytown_workers.workspace import conflicts, workspace

#: Files named in a sentence.
NAMED = 8
#: What is to be done about markers.
ON_PURPOSE = (
    "Resolve each conflict and remove its markers. Where a file shows markers on purpose, indent them; where they must "
    "stand at the beginning of a line, somebody has to give the file `conflict-marker-size=32` in the `.gitattributes` "
    "of the base."
)


def run(scene: Scene) -> Report:
    """The stage."""
    try:
        return _merge(scene) if scene.attempt.target == "merge" else _check(scene)
    except CutShortError as cut:
        return Report(outcome=cut.outcome, summary=cut.summary, log=str(scene.logs))


def _court(scene: Scene, mirror: Path) -> Court:
    repo = repo_of(scene.item, scene.mission)
    return Court(scene, mirror, repo, _base(scene, repo) or "")


def _check(scene: Scene) -> Report:
    sha = scene.attempt.sha
    if sha is None:
        raise StateError(f"{scene.item.key} has no commit to check")
    repo = repo_of(scene.item, scene.mission)
    mirror = scene.context.forge.mirror(repo)
    court, commands = _court(scene, mirror), _commands(scene)
    unresolved = _unresolved(mirror, sha, base=_base(scene, repo))
    blame = Blame(unresolved) if unresolved else _judge(court, sha, commands)
    if blame.base:
        return _base_fails(scene, blame)
    verdict = blame.verdict
    looks, doubt = None, None
    if verdict.passed and court.base:
        doubt = change_facts.doubt(court, verdict.sha, commands)
        if blame.head:
            looks = change_facts.look(scene, mirror, court.base, blame.head, commands)
    return Report(
        outcome=Outcome.SUCCEEDED,
        summary=verdict.why if not verdict.passed else "checks passed",
        verdict=verdict,
        head=blame.head or None,
        take_base=blame.take_base,
        looks=looks,
        doubt=doubt,
        tree=workspace.tree_of(mirror, verdict.sha),
        checked_with=_mark(commands),
        log=str(scene.logs),
    )


def _judge(court: Court, sha: str, commands: Sequence[str]) -> Blame:
    """What the checks say of a change, and whose fault it is where they fail."""
    try:
        trial = court.hear(sha, commands)
    except SetupFailedError as error:
        blame = of_setup(court, sha, error) if court.base else None
        if blame is None:
            raise
        return blame
    if trial.verdict.passed or not court.base or not court.scene.mission.policy.base_check:
        return Blame(trial.verdict)
    return of_head(court, trial, commands)


def _base_fails(scene: Scene, blame: Blame) -> Report:
    """The base stands in the way, not the change."""
    base = scene.mission.base_of(repo_of(scene.item, scene.mission))
    why = f"the checks fail on {base} itself (commit {blame.base[:7]}): {blame.verdict.why}"
    remedy = f"{why}; fix {base}: it is tried again when that moves"
    now = scene.context.store.now()
    waiting = Waiting(reason=WaitReason.BASE_FAILING, since=now, remedy=remedy, about=blame.base)
    return Report(outcome=Outcome.SUCCEEDED, summary=why, waiting=waiting, log=str(scene.logs))


def _merge(scene: Scene) -> Report:
    item, mission = scene.item, scene.mission
    head = scene.attempt.sha
    if head is None:
        raise StateError(f"{item.key} has no commit to merge")
    change = forge_change(item, mission)
    wanted = mission.policy.checks
    # Other commands than these would prove something else.
    proven = wanted and item.checked == head and item.checked_with == _mark(_commands(scene))
    repo = repo_of(item, mission)
    tip = _base(scene, repo)
    if refused := _unresolved(scene.context.forge.mirror(repo), head, base=tip):
        return _refused(scene, head, refused.why, refused.details)
    blames: list[Blame] = []

    def judge(mirror: Path, sha: str) -> Verdict:
        if refused := _unresolved(mirror, sha, base=tip):
            return refused
        if not wanted:
            return Verdict(passed=True, sha=sha)
        court = _court(scene, mirror)
        trial = court.hear(sha, _commands(scene))
        if not trial.verdict.passed and mission.policy.base_check:
            blames.append(of_merge(court, trial))
        return trial.verdict

    result = scene.context.forge.merge(repo, change, checked_tree=item.checked_tree if proven else None, checks=judge)
    if result.status == "check_failed" and blames and blames[-1].base:
        return _base_fails(scene, blames[-1])
    return _merged(scene, head, result)


def _merged(scene: Scene, head: str, result: MergeResult) -> Report:
    """What became of a merge."""
    base = scene.mission.base_of(repo_of(scene.item, scene.mission))
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
    left = conflicts.places(Git.own(mirror), sha, base=base) if base is not None else {}
    if not left:
        return None
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    why = f"it holds conflict markers: {', '.join([*left][:NAMED])}{more}"
    details = "".join(f"{path}: {lines}\n" for path, lines in left.items())
    return Verdict(passed=False, sha=sha, why=why, details=f"{details[: LOG_TAIL // 2]}\n{ON_PURPOSE}")


def _refused(scene: Scene, head: str, why: str, details: str) -> Report:
    verdict = Verdict(passed=False, sha=head, why=why, details=details[-LOG_TAIL:])
    return Report(outcome=Outcome.SUCCEEDED, summary=why, verdict=verdict, log=str(scene.logs))


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
