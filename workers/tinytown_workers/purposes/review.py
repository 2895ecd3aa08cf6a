"""Attempts that judge a change: the reviewer sees the exact commit, and its verdict is bound to it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from tinytown.engine.changes import repo_of
from tinytown.missions import brief
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.states import Outcome
from tinytown.missions.verdict import differ, final_verdict, missing, parse_verdict, written_verdict
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.attempt.execution import CUT_SHORT
from tinytown_workers.attempt.launch import RESULT_LIMIT, SILENT, Launched, launch
from tinytown_workers.checking.review_command import ReviewCommands
from tinytown_workers.prepare import agent_configuration
from tinytown_workers.purposes import approval_lines, brief_inputs
from tinytown_workers.workspace import read_only, workspace


def run(attempt: AttemptContext) -> Report:
    """Have the agent review the commit of the attempt; gives its verdict."""
    item = attempt.item
    diff, contested = "", False
    hidden: Sequence[str] = ()
    runs: ReviewCommands | None = None
    if attempt.record.sha is not None:
        repo = repo_of(item, attempt.mission)
        origin = attempt.origin(repo)
        prepared = workspace.prepare_at(origin.mirror, attempt.paths.clone, attempt.record.sha)
        attempt.at_end(lambda: workspace.discard(attempt.paths.clone))
        # No setup: it runs code of the commit, which could change what the reviewer sees.
        read_only.make_inert(attempt.paths.clone)
        # Nothing in the commit may configure its reviewer.
        hidden = agent_configuration.hide(prepared, origin.mirror, agent_configuration.table_of(attempt.town.settings))
        # What the change adds since it left the base, wherever the base is by now.
        runs = ReviewCommands(attempt.execution, origin.mirror, repo, origin.base, attempt.record.sha)
        diff = workspace.diff(origin.mirror, origin.base, attempt.record.sha, limit=brief.DIFF_LIMIT)
        contested = approval_lines.any_in(origin.mirror, origin.base, attempt.record.sha)
    else:
        attempt.paths.clone.mkdir(parents=True, exist_ok=True)
        attempt.at_end(lambda: workspace.discard(attempt.paths.clone))
    word = secrets.token_hex(4)
    prompt = brief_inputs.of_review(attempt, diff, hidden, word=word, contested=contested)
    # Only if its brief asks for it.
    return _report(attempt, launch(attempt, prompt, runs=runs), word if word in prompt else "")


def _report(attempt: AttemptContext, launched: Launched, word: str) -> Report:
    reason, result, agent_socket = launched.ended.reason, launched.result, launched.agent_socket
    verdict: Verdict | None = None
    outcome, summary = CUT_SHORT.get(reason, (result.outcome, result.summary))
    ended_well = reason == "exited" and outcome is Outcome.SUCCEEDED
    # The last words of a run that did not end well could be anything; but a refusal before that counts.
    refused = agent_socket.verdict if agent_socket.verdict is not None and not agent_socket.verdict[0] else None
    written = written_verdict(launched.answer, launched.result.text, word)
    said = final_verdict(agent_socket.verdict, written) if ended_well else refused
    if said is not None:
        passed, why = said
        after = "" if ended_well else f"then it did not end well: {summary}"
        outcome, summary = Outcome.SUCCEEDED, "approved" if passed else "changes requested"
        summary = "; ".join(filter(None, (summary, after, *_besides(launched, written))))
        verdict = Verdict(passed=passed, sha=attempt.record.sha or "", why=why)
    elif ended_well and result.silent:
        outcome, summary = Outcome.UNREACHABLE, SILENT
    elif ended_well:
        summary = "; ".join((_missing(launched, word), *_besides(launched, written)))
    return Report(
        outcome=outcome,
        summary=summary,
        result=result.text[:RESULT_LIMIT],
        verdict=verdict,
        session=result.session,
        retry_at=attempt.engine.store.now() + result.retry_after if result.retry_after else None,
        log=str(attempt.paths.logs),
    )


def _missing(launched: Launched, word: str) -> str:
    """Why there is no verdict."""
    if parse_verdict(launched.result.text, word) is not None:
        return "a program that it started wrote the last line of its output, so the verdict there does not count"
    return missing(launched.answer, word)


def _besides(launched: Launched, written: tuple[bool, str] | None) -> list[str]:
    """Which other verdicts were given and did not count."""
    agent_socket = launched.agent_socket
    refused = agent_socket.verdict is not None and not agent_socket.verdict[0]
    said = []
    if (agent_socket.approved and refused) or differ(agent_socket.verdict, written):
        said.append("it also approved, which does not count beside a refusal")
    if agent_socket.denied:
        approvals = "one approval" if agent_socket.denied == 1 else f"{agent_socket.denied} approvals"
        said.append(f"{approvals} by programs that it started did not count")
    return said
