"""A publication: bring a change to a remote forge, open or adopt its pull request, and describe it there."""

from __future__ import annotations

from dataclasses import replace

from tinytown.engine.changes import checks_of, forge_change, repo_of
from tinytown.errors import ForeignCommitsError, NotFoundError, SetBackError, StateError
from tinytown.forge.contract import Change, RemoteChanges, StatusState
from tinytown.git import merge as merging
from tinytown.git.repository import Git, branch_ref
from tinytown.missions import mission_state, pull_request, seen_outside
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import ItemState, Outcome
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.checking import change_facts


def run(attempt: AttemptContext) -> Report:
    """Publish the commit of the attempt, with its description; looks first, so that a repetition does no harm.

    What a person pushed to its branch is taken in: as it is, where it goes on from ours, else by a merge, or by a fix
    round where that conflicts. Where a person closed the change, only a person can say how it goes on.
    """
    item, mission, forge = attempt.item, attempt.mission, attempt.engine.forge
    repo = repo_of(item, mission)
    change = _described(attempt)
    try:
        try:
            published = forge.publish(repo, change)
        except ForeignCommitsError as error:
            if (merged := _merged(attempt, change, error.sha)) is None:
                return Report(outcome=Outcome.SUCCEEDED, summary=error.message, foreign=(error.sha,))
            change = replace(change, head=merged)
            published = forge.publish(repo, change)
    except SetBackError as error:
        asked = seen_outside.set_back(item, to=error.sha, mission=mission.short, now=attempt.engine.store.now())
        return Report(outcome=Outcome.SUCCEEDED, summary=error.message, waiting=asked.waiting)
    except (StateError, NotFoundError) as error:
        return Report(outcome=Outcome.MISCONFIGURED, summary=str(error), log=str(attempt.paths.logs))
    change = replace(change, head=published.head or change.head, name=published.name, id=published.id)
    if isinstance(forge, RemoteChanges):
        _tell_reviews(attempt, forge, change)
    report = Report(
        outcome=Outcome.SUCCEEDED,
        summary="; ".join(filter(None, (f"published as {published.url or published.name}", published.note))),
        published=change.head,
        change=published.name,
        change_id=published.id,
        change_url=published.url,
        told=item.approved,
        log=str(attempt.paths.logs),
    )
    return report if change.head == item.head else _moved(attempt, change, report)


def _merged(attempt: AttemptContext, change: Change, theirs: str) -> str | None:
    """A commit that has the change and what somebody else brought to its branch; ``None`` if these conflict."""
    repo = repo_of(attempt.item, attempt.mission)
    mirror = attempt.engine.forge.mirror(repo)
    rules = attempt.engine.forge.base_tip(repo, change.base)
    merge = merging.merge(mirror, change.head, theirs, rules=rules)
    if merge.conflicts:
        return None
    words = f"Merge what was pushed to {change.branch} meanwhile\n"
    return Git.own(mirror).commit_tree(merge.tree, [change.head, theirs], words)


def _moved(attempt: AttemptContext, change: Change, report: Report) -> Report:
    """The report of a publication after which the item's head is another: whoever works on it next begins there."""
    repo = repo_of(attempt.item, attempt.mission)
    origin = attempt.origin(repo)
    Git.own(origin.mirror).run("update-ref", branch_ref(change.branch, ours=True), change.head)
    commands = checks_of(attempt.item, attempt.mission, attempt.town.settings)
    warnings = change_facts.judge_facts(attempt, origin.mirror, origin.base, change.head, commands)
    return report.evolve(head=change.head, review_warnings=warnings)


def _described(attempt: AttemptContext) -> Change:
    item, mission, store = attempt.item, attempt.mission, attempt.engine.store
    body = pull_request.body(item, mission, attempts=store.finished_attempts(mission.id, item.key))
    return replace(forge_change(item, mission), body=body, waits_for=waits_for(attempt))


def waits_for(attempt: AttemptContext) -> tuple[str, ...]:
    """Names of the changes that are to be merged before the attempt's, and are not yet."""
    item, mission = attempt.item, attempt.mission
    before = attempt.engine.store.some_items(mission.id, mission_state.waited_for(item)).values()
    unmerged = [one.record.change for one in before if one.record.merged is None and _wants_merge(one.record.state)]
    return tuple(name for name in unmerged if name)


def _tell_reviews(attempt: AttemptContext, forge: RemoteChanges, change: Change) -> None:
    """Say what each review found, once, and show the newest beside the checks of its commit."""
    item, mission = attempt.item, attempt.mission
    repo = repo_of(item, mission)
    for record in pull_request.reviews(attempt.engine.store.finished_attempts(mission.id, item.key)):
        verdict = record.report.verdict
        assert verdict is not None
        words, passed = pull_request.review_words(record), verdict.passed
        forge.review(repo, replace(change, head=verdict.sha), words, about=f"review/{mission.short}/{record.number}")
        said = "approved" if passed else "changes requested"
        state: StatusState = "success" if passed else "failure"
        forge.set_status(repo, verdict.sha, state, f"{said} by {record.agent}")


def _wants_merge(state: ItemState) -> bool:
    return state in (ItemState.IN_REVIEW, ItemState.FIXING, ItemState.DONE)
