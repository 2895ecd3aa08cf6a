"""Attempts that judge a change: the reviewer sees the exact commit, and its verdict is bound to it."""

from __future__ import annotations

from collections.abc import Sequence

from tinytown.engine.advance import repo_of
from tinytown.missions import brief
from tinytown.missions.model import Report, Verdict
from tinytown.missions.states import Outcome
from tinytown.missions.verdict import final_verdict, missing
from tinytown_workers import briefing, configuration, workspace
from tinytown_workers.furnishing import CutShortError, Place, furnish
from tinytown_workers.scene import CUT_SHORT, RESULT_LIMIT, SILENT, Launched, Scene


def run(scene: Scene) -> Report:
    """The stage."""
    item = scene.item
    diff = ""
    hidden: Sequence[str] = ()
    if scene.attempt.sha is not None:
        repo = repo_of(item, scene.mission)
        ground = scene.ground(repo)
        prepared = workspace.prepare_at(ground.mirror, scene.folder, scene.attempt.sha)
        scene.closing.append(lambda: workspace.erase(scene.folder))
        try:
            furnish(scene, prepared, Place(ground.mirror, repo, ground.base, scene.logs, scene.timeout))
        except CutShortError as cut:
            return Report(outcome=cut.outcome, summary=cut.summary, log=str(scene.logs))
        # None of it is in force for who judges it, whatever the setup left.
        hidden = configuration.hide(prepared, ground.mirror, configuration.table_of(scene.town.settings))
        # What the change adds since it left the base, wherever that stands by now.
        diff = workspace.diff(ground.mirror, ground.base, scene.attempt.sha, limit=brief.DIFF_LIMIT)
    else:
        scene.folder.mkdir(parents=True, exist_ok=True)
        scene.closing.append(lambda: workspace.erase(scene.folder))
    return _report(scene, scene.launch(briefing.of_review(scene, diff, hidden)))


def _report(scene: Scene, launched: Launched) -> Report:
    reason = launched.ended.reason
    result = launched.result
    verdict: Verdict | None = None
    if reason in CUT_SHORT:
        outcome, summary = CUT_SHORT[reason]
    else:
        outcome, summary = result.outcome, result.summary
        said = final_verdict(launched.desk.verdict, result.text)
        if said is not None and outcome in (Outcome.SUCCEEDED, Outcome.FAILED):
            passed, why = said
            outcome = Outcome.SUCCEEDED
            summary = "approved" if passed else "changes requested"
            verdict = Verdict(passed=passed, sha=scene.attempt.sha or "", why=why)
        elif outcome is Outcome.SUCCEEDED:
            outcome, summary = (Outcome.UNREACHABLE, SILENT) if result.silent else (outcome, missing(result.text))
    return Report(
        outcome=outcome,
        summary=summary,
        result=result.text[:RESULT_LIMIT],
        verdict=verdict,
        session=result.session,
        retry_at=scene.context.store.now() + result.retry_after if result.retry_after else None,
        log=str(scene.logs),
    )
