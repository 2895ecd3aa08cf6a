"""Attempts that judge a change: the reviewer sees the exact commit, and its verdict is bound to it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from tinytown.engine.dispatch.advance import repo_of
from tinytown.missions import brief
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.states import Outcome
from tinytown.missions.verdict import differ, final_verdict, missing, parse_verdict, written_verdict
from tinytown_workers.attempt.context import CUT_SHORT, RESULT_LIMIT, SILENT, Launched, Scene
from tinytown_workers.checking.review_command import Tryouts
from tinytown_workers.prepare import agent_configuration
from tinytown_workers.purposes import brief_inputs, echoes
from tinytown_workers.workspace import read_only, workspace


def run(scene: Scene) -> Report:
    """The stage."""
    item = scene.item
    diff, contested = "", False
    hidden: Sequence[str] = ()
    runs: Tryouts | None = None
    if scene.attempt.sha is not None:
        repo = repo_of(item, scene.mission)
        ground = scene.ground(repo)
        prepared = workspace.prepare_at(ground.mirror, scene.folder, scene.attempt.sha)
        scene.closing.append(lambda: workspace.discard(scene.folder))
        # No setup: it is code of the commit, and could change what the reviewer sees.
        read_only.make_inert(scene.folder)
        # None of it is in force for who judges it.
        hidden = agent_configuration.hide(prepared, ground.mirror, agent_configuration.table_of(scene.town.settings))
        # What the change adds since it left the base, wherever that stands by now.
        runs = Tryouts(scene, ground.mirror, repo, ground.base, scene.attempt.sha)
        diff = workspace.diff(ground.mirror, ground.base, scene.attempt.sha, limit=brief.DIFF_LIMIT)
        contested = echoes.any_in(ground.mirror, ground.base, scene.attempt.sha)
    else:
        scene.folder.mkdir(parents=True, exist_ok=True)
        scene.closing.append(lambda: workspace.discard(scene.folder))
    word = secrets.token_hex(4)
    prompt = brief_inputs.of_review(scene, diff, hidden, word=word, contested=contested)
    # Only where its brief asks for it.
    return _report(scene, scene.launch(prompt, runs=runs), word if word in prompt else "")


def _report(scene: Scene, launched: Launched, word: str) -> Report:
    reason, result, desk = launched.ended.reason, launched.result, launched.desk
    verdict: Verdict | None = None
    outcome, summary = CUT_SHORT.get(reason, (result.outcome, result.summary))
    ended_well = reason == "exited" and outcome is Outcome.SUCCEEDED
    # What a run that did not end well last said could be anything. That it had refused before is certain.
    refused = desk.verdict if desk.verdict is not None and not desk.verdict[0] else None
    written = written_verdict(launched.answer, launched.result.text, word)
    said = final_verdict(desk.verdict, written) if ended_well else refused
    if said is not None:
        passed, why = said
        after = "" if ended_well else f"then it did not end well: {summary}"
        outcome, summary = Outcome.SUCCEEDED, "approved" if passed else "changes requested"
        summary = "; ".join(filter(None, (summary, after, *_besides(launched, word))))
        verdict = Verdict(passed=passed, sha=scene.attempt.sha or "", why=why)
    elif ended_well and result.silent:
        outcome, summary = Outcome.UNREACHABLE, SILENT
    elif ended_well:
        summary = "; ".join((_missing(launched, word), *_besides(launched, word)))
    return Report(
        outcome=outcome,
        summary=summary,
        result=result.text[:RESULT_LIMIT],
        verdict=verdict,
        session=result.session,
        retry_at=scene.context.store.now() + result.retry_after if result.retry_after else None,
        log=str(scene.logs),
    )


def _missing(launched: Launched, word: str) -> str:
    """Why there is no verdict."""
    if parse_verdict(launched.result.text, word) is not None:
        return "a program that it started wrote the last line of its output, so the verdict there does not count"
    return missing(launched.answer, word)


def _besides(launched: Launched, word: str) -> list[str]:
    """What else was given as a verdict and did not count."""
    desk = launched.desk
    refused = desk.verdict is not None and not desk.verdict[0]
    said = []
    if (desk.approved and refused) or differ(
        desk.verdict, written_verdict(launched.answer, launched.result.text, word)
    ):
        said.append("it also approved, which does not count beside a refusal")
    if desk.denied:
        approvals = "one approval" if desk.denied == 1 else f"{desk.denied} approvals"
        said.append(f"{approvals} by programs that it started did not count")
    return said
