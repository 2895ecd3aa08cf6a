"""Attempts that write: the work of an issue, and the fixes that gates ask for.

Exit code 0 proves nothing: an attempt succeeds when it left work (or is a review or research item) and its
CLI's own result does not contradict it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinytown import tracing
from tinytown.engine.changes import checks_of, repo_of
from tinytown.errors import StateError
from tinytown.git.repository import Git, GitError
from tinytown.missions import gates
from tinytown.missions.fences import calm, line, quoted
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.evidence import ReviewWarnings
from tinytown.missions.records.item import Item
from tinytown.missions.states import Outcome, Purpose
from tinytown.processes import ProgramTimeoutError
from tinytown_workers.attempt import earlier_work
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.attempt.earlier_work import EarlierWork
from tinytown_workers.attempt.execution import CUT_SHORT
from tinytown_workers.attempt.launch import RESULT_LIMIT, SILENT, Launched, launch, timeout_of
from tinytown_workers.checking import change_facts
from tinytown_workers.checking.check_runner import CheckRunner
from tinytown_workers.collect import kept_refs
from tinytown_workers.limits import isolated
from tinytown_workers.prepare import agent_configuration, cache, setup
from tinytown_workers.prepare.agent_configuration import Masked
from tinytown_workers.prepare.setup import CloneSource, CutShortError, SetupFailedError
from tinytown_workers.purposes import brief_inputs
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.workspace import Collected, Prepared

#: Seconds, beyond its agent's grace, that an attempt which was ended may take to bring its work in.
WINDING_DOWN = 5.0
#: Characters of a summary, and of one reason why something was left out, and how many such reasons are named.
SUMMARY_LIMIT = 1000
REASON_LIMIT = 200
REASONS = 8


def run(attempt: AttemptContext) -> Report:
    """The stage."""
    if attempt.mission.workspace == "none":
        attempt.paths.clone.mkdir(parents=True, exist_ok=True)
        attempt.at_end(lambda: workspace.discard(attempt.paths.clone))
        launched = launch(attempt, brief_inputs.of_work(attempt, EarlierWork(), None))
        return _report(attempt, launched, None, EarlierWork())
    start, prepared = _prepare(attempt)
    try:
        broken = _set_up(attempt, prepared)
    except CutShortError as cut:
        return Report(outcome=cut.outcome, summary=cut.summary, log=str(attempt.paths.logs))
    masked = _mask(attempt, prepared)
    told = brief_inputs.of_work(attempt, start, prepared, broken=broken, masked=masked)
    launched = launch(attempt, told, session=_session(attempt))
    return _report(attempt, launched, prepared, start)


def _prepare(attempt: AttemptContext) -> tuple[EarlierWork, Prepared]:
    """A private clone on the item's branch: its own earlier work, or the base with the unmerged dependencies."""
    item, mission = attempt.item, attempt.mission
    repo = repo_of(item, mission)
    origin = attempt.origin(repo)
    before = [d for d in brief_inputs.dependencies(attempt) if repo_of(d, mission) == repo]
    heads = [d.head for d in before if d.head is not None and d.merged is None]
    if item.fix is not None and item.fix.heads:
        heads += [head for head in item.fix.heads if Git.own(origin.mirror).commit(head) is not None]
    elif item.fix is not None and item.fix.gate == "merge":
        heads.insert(0, origin.base)
    patience = attempt.town.settings.timing.kill_grace_secs + WINDING_DOWN
    start = earlier_work.find(
        origin.mirror,
        attempt.paths.clone,
        head=item.head,
        salvage=item.salvage,
        since=item.begun_after,
        patience=patience,
    )
    if attempt.record.purpose is Purpose.WORK and _is_behind(origin.mirror, start, before):
        heads.insert(0, origin.base)
    prepared = workspace.prepare(
        origin.mirror,
        attempt.paths.clone,
        base_sha=origin.base,
        branch=item.branch,
        heads=heads,
        resume=start.head,
        proven=item.head,
        kept=start.elsewhere,
        agent=attempt.claim.agent,
    )
    return start, prepared


def _is_behind(mirror: Path, start: EarlierWork, before: Sequence[Item]) -> bool:
    """Whether earlier work lacks what was merged since of something that it waits for, as that was done again."""
    if start.head is None:
        return False
    own = Git.own(mirror)
    merged = [(d.merged, d.head) for d in before if d.merged is not None]
    return any(
        not any(sha is not None and own.commit(sha) and own.is_ancestor(sha, start.head) for sha in shas)
        for shas in merged
    )


def _set_up(attempt: AttemptContext, prepared: Prepared) -> str:
    """Make the clone fit; gives the words of a setup that earlier work on the branch broke, for its agent to mend.

    Raises:
        SetupFailedError: it failed for another reason; nobody has worked in the clone, and it is gone.
        CutShortError: the same, because the attempt was ended.
    """
    repo = repo_of(attempt.item, attempt.mission)
    origin = attempt.origin(repo)
    try:
        place = CloneSource(origin.mirror, repo, origin.base, attempt.paths.logs, timeout_of(attempt))
        setup.set_up(attempt.execution, prepared, place)
    except SetupFailedError as error:
        if _broke_setup(attempt, prepared, CheckRunner(attempt.execution, origin.mirror, repo, origin.base)):
            return f"{error.why}\n\n{error.tail}"
        workspace.discard(attempt.paths.clone)
        raise
    except CutShortError:
        workspace.discard(attempt.paths.clone)
        raise
    return ""


def _mask(attempt: AttemptContext, prepared: Prepared) -> Sequence[Masked]:
    """Keep out of force what earlier agents left of configuration that is not merged."""
    settings = attempt.town.settings.workspace
    origin = attempt.origin(repo_of(attempt.item, attempt.mission))
    table = agent_configuration.table_of(attempt.town.settings)
    ours = (*settings.copy, *settings.cache) if settings.setup or settings.cache else None
    return agent_configuration.mask(prepared, origin.mirror, origin.base, table, ours=ours)


def _broke_setup(attempt: AttemptContext, prepared: Prepared, check_runner: CheckRunner) -> bool:
    """Whether earlier work on the branch is why a setup fails: it changes what makes that, and on the base it holds.

    Where the network is down, say, it fails without it as well.
    """
    settings = attempt.town.settings.workspace
    made_by = (cache.key_of(check_runner.mirror, sha, settings) for sha in (prepared.start_sha, check_runner.base))
    if len(set(made_by)) == 1:
        return False
    try:
        check_runner.run_checks(check_runner.base, [], name="base-", afresh=True)
    except SetupFailedError:
        return False
    except CutShortError:
        workspace.discard(attempt.paths.clone)
        raise
    return True


def _session(attempt: AttemptContext) -> str | None:
    """The session to resume: that of this very agent's last run on the item, for a fix."""
    item = attempt.item
    # No CLI knows the sessions of another.
    mine = item.session_agent == attempt.claim.agent and (item.session_cli or attempt.own_cli) == attempt.cli
    return item.session if attempt.record.purpose is Purpose.FIX and mine else None


def _report(attempt: AttemptContext, launched: Launched, prepared: Prepared | None, start: EarlierWork) -> Report:
    outcome, summary = _outcome(launched)
    result = launched.result
    collected = _collect(attempt, prepared) if prepared is not None else None
    if collected is not None and collected.unresolved and outcome is Outcome.SUCCEEDED:
        outcome, summary = Outcome.FAILED, f"it left conflict markers in {named(collected.marked)}"
    head = _head(prepared, collected, start)
    if collected is not None and collected.operation and outcome is Outcome.SUCCEEDED:
        outcome, summary = Outcome.FAILED, f"it left {collected.operation}"
    answers = gates.may_only_answer(attempt.item, attempt.mission.policy)
    wanted = not answers or attempt.record.purpose is Purpose.FIX
    if outcome is Outcome.SUCCEEDED and prepared is not None and wanted and head is None:
        lies = collected is not None and any(one.is_work for one in collected.kept)
        outcome, summary = Outcome.FAILED, "it made no change on its branch" if lies else "it made no change"
        if result.silent and not lies and not launched.agent_socket.result:
            outcome, summary = Outcome.UNREACHABLE, SILENT
    good = outcome is Outcome.SUCCEEDED
    return Report(
        outcome=outcome,
        summary=_sentence(summary, collected, good=good),
        result=(launched.agent_socket.result or result.text)[:RESULT_LIMIT],
        head=head if good else None,
        salvage=head if not good else None,
        review_warnings=_review_warnings(attempt, head) if good and head else None,
        authors=_authors(attempt, start) if good and head else (),
        session=result.session,
        retry_at=attempt.engine.store.now() + result.retry_after if result.retry_after else None,
        log=str(attempt.paths.logs),
    )


def _head(prepared: Prepared | None, collected: Collected | None, start: EarlierWork) -> str | None:
    """The commit that an attempt leaves: its own, or that of an earlier one which it found done."""
    if prepared is None or collected is None:
        return None
    if collected.changed:
        return collected.head
    if prepared.conflicts or prepared.unmarked:
        # Where what stands there is right, its agent says so by a commit, if only an empty one.
        return collected.head if not collected.unresolved else None
    if collected.operation or any(one.is_work for one in collected.kept):
        return None
    # Whoever was here before had done it all.
    return prepared.start_sha if start.unfinished else None


def _review_warnings(attempt: AttemptContext, head: str) -> ReviewWarnings:
    """What its reviewer must know first."""
    repo = repo_of(attempt.item, attempt.mission)
    origin = attempt.origin(repo)
    commands = checks_of(attempt.item, attempt.mission, attempt.town.settings)
    return change_facts.judge_facts(attempt, origin.mirror, origin.base, head, commands)


def _authors(attempt: AttemptContext, start: EarlierWork) -> tuple[str, ...]:
    """The agents of the attempts whose work this one went on from."""
    ended = attempt.engine.store.finished_attempts(attempt.mission.id, attempt.item.key) if start.attempts else []
    return tuple(dict.fromkeys(a.agent for a in ended if a.agent is not None and a.number in start.attempts))


def _outcome(launched: Launched) -> tuple[Outcome, str]:
    if launched.ended.reason in CUT_SHORT:
        return CUT_SHORT[launched.ended.reason]
    if launched.agent_socket.failure is not None:
        return Outcome.FAILED, f"its agent says {quoted(launched.agent_socket.failure, limit=SUMMARY_LIMIT)}"
    return launched.result.outcome, launched.result.summary


def named(files: Sequence[str]) -> str:
    """Names of files for a sentence, some of very many."""
    more = len(files) - REASONS
    return ", ".join(map(calm, files[:REASONS])) + (f" and {more} more" if more > 0 else "")


def _sentence(summary: str, collected: Collected | None, *, good: bool) -> str:
    """What happened, what was left out, and what is kept besides; an agent can leave a hundred thousand things."""
    parts = [summary if len(summary) <= 2 * SUMMARY_LIMIT else summary[:SUMMARY_LIMIT]] if summary else []
    if collected is not None and collected.refused:
        # Names of files are an agent's words.
        shown = ", ".join(calm(reason)[:REASON_LIMIT] for reason in collected.refused[:REASONS])
        more = len(collected.refused) - REASONS
        parts.append(f"left out: {shown}{f' and {more} more' if more > 0 else ''}")
    if collected is not None:
        if collected.operation and collected.operation not in summary:
            parts.append(f"it left {collected.operation}")
        if collected.away:
            parts.append(collected.away)
        # Every agent that ended well has amended something.
        parts += filter(None, [kept_refs.sentence([one for one in collected.kept if one.is_work or not good])])
    return line("; ".join(parts))


@tracing.step("collect")
def _collect(attempt: AttemptContext, prepared: Prepared) -> Collected:
    """Bring what the agent left into the mirror; only then may its clone go."""
    item = attempt.item
    mirror = attempt.engine.forge.mirror(repo_of(item, attempt.mission))
    title = " ".join(item.title.split())
    message = f"{title}\n\n{item.key}, by {attempt.claim.agent}"
    ref = earlier_work.attempt_ref(attempt.paths.clone)
    try:
        collected = isolated.call(
            workspace.COLLECT_SECS, workspace.collect, prepared, mirror=mirror, ref=ref, message=message
        )
    except (GitError, ProgramTimeoutError, StateError) as error:
        place = workspace.give_up(attempt.paths.clone, error)
        where = f"it is kept in {place}" if place is not None else "the worker tries again later"
        raise StateError(f"its work could not be taken: {error.message}; {where}") from None
    attempt.at_end(lambda: workspace.remove(attempt.paths.clone))
    return collected
