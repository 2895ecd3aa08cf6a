"""Whether a pull request can be merged, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.fakes.github import access
from tests.fakes.github.models import Protection, Pull, Repo, Review
from tests.fakes.github.rules import checking
from tests.fakes.github.world import World

_OPINIONS = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})


@dataclass(frozen=True)
class State:
    """``name`` is REST's ``mergeable_state``; ``mergeable`` is nothing while it is being computed."""

    mergeable: bool | None
    name: str


def demands(repo: Repo, branch: str) -> Protection:
    """What a branch demands by its protection and by the rules of rulesets, together."""
    known = replace(repo.protections.get(branch, Protection()))
    for rule in repo.rules.get(branch, []):
        said = rule.get("parameters", {})
        if rule["type"] == "required_status_checks":
            more = [(one["context"], one.get("integration_id")) for one in said["required_status_checks"]]
            known.checks = tuple(dict.fromkeys((*known.checks, *more)))
            known.strict |= bool(said.get("strict_required_status_checks_policy"))
        elif rule["type"] == "pull_request":
            known.reviews = max(known.reviews, said.get("required_approving_review_count", 0))
            known.resolve_threads |= bool(said.get("required_review_thread_resolution"))
            known.dismiss_stale |= bool(said.get("dismiss_stale_reviews_on_push"))
            known.last_push_approval |= bool(said.get("require_last_push_approval"))
        elif rule["type"] == "required_linear_history":
            known.linear = True
    return known


def opinions(pull: Pull) -> list[Review]:
    """The last opinion of everybody who may write; a dismissed one is none."""
    last: dict[str, Review] = {}
    for one in pull.reviews:
        if one.state in _OPINIONS and _writes(pull, one.author.login):
            last[one.author.login.lower()] = one
    return [one for one in last.values() if one.state != "DISMISSED"]


def _writes(pull: Pull, login: str) -> bool:
    return access.at_least(pull.repo.people.get(login.lower(), "none"), "write")


def approvals(pull: Pull) -> list[Review]:
    """Those that count: where it is demanded, not of who pushed last."""
    given = [one for one in opinions(pull) if one.state == "APPROVED"]
    if demands(pull.repo, pull.base).last_push_approval and pull.pushed_by is not None:
        return [one for one in given if one.author is not pull.pushed_by]
    return given


def decision(pull: Pull) -> str | None:
    """``APPROVED``, ``CHANGES_REQUESTED``, ``REVIEW_REQUIRED``; nothing where no rule demands a review."""
    needed = demands(pull.repo, pull.base).reviews
    if not needed:
        return None
    if any(one.state == "CHANGES_REQUESTED" for one in opinions(pull)):
        return "CHANGES_REQUESTED"
    return "APPROVED" if len(approvals(pull)) >= needed else "REVIEW_REQUIRED"


def tested_sha(pull: Pull) -> str:
    """The commit whose checks count: the test merge's, if anything was reported there."""
    tested = pull.merge_sha if pull.merged is None else None
    if tested and any(one.sha == tested for one in pull.repo.statuses):
        return tested
    return pull.head_sha


def reasons(pull: Pull) -> list[str]:
    """Why the rules of its base do not let it in, in the words of the answer to a merge."""
    wanted = demands(pull.repo, pull.base)
    found = []
    sha = tested_sha(pull)
    states = {context: checking.required(pull.repo, sha, context, app) for context, app in wanted.checks}
    words = {"expected": "is expected", "pending": "is pending", "failure": "is failing"}
    unmet = [(context, state) for context, state in states.items() if state != "success"]
    if len(unmet) == 1:
        found.append(f'Required status check "{unmet[0][0]}" {words[unmet[0][1]]}.')
    elif unmet:
        kinds = {state for _, state in unmet}
        word = {"expected": "are expected", "pending": "are pending", "failure": "are failing"}
        kind = word[kinds.pop()] if len(kinds) == 1 else "have not succeeded"
        found.append(f"{len(unmet)} of {len(states)} required status checks {kind}.")
    match decision(pull):
        case "CHANGES_REQUESTED":
            found.append("Changes have been requested.")
        case "REVIEW_REQUIRED":
            plural = "s are" if wanted.reviews > 1 else " is"
            found.append(f"At least {wanted.reviews} approving review{plural} required by reviewers with write access.")
    if wanted.resolve_threads and any(one.resolved_by is None for one in pull.threads):
        found.append("A conversation must be resolved before this pull request can be merged.")
    if queued(pull.repo, pull.base):
        found.append("Changes must be made through the merge queue")
    return found


def queued(repo: Repo, branch: str) -> bool:
    """Whether its merges go through a queue; none is played here."""
    return any(rule["type"] == "merge_queue" for rule in repo.rules.get(branch, []))


def behind(pull: Pull) -> bool:
    """Whether its base has moved on, and rules demand that it follows."""
    tip = pull.repo.bare.tip(pull.base)
    return demands(pull.repo, pull.base).strict and tip is not None and not pull.repo.bare.contains(tip, pull.head_sha)


def conflicts(pull: Pull) -> tuple[str, ...]:
    """Files that conflict with the base as it is now."""
    tip = pull.repo.bare.tip(pull.base)
    return pull.repo.bare.merge(tip, pull.head_sha).conflicts if tip else ()


def state(world: World, pull: Pull) -> State:
    """What it is, without pretending that it takes time to find out."""
    if pull.state != "open" or pull.repo.bare.tip(pull.base) is None:
        return State(None, "unknown")
    if conflicts(pull):
        pull.merge_sha = None
        return State(False, "dirty")
    _test_merge(world, pull)
    if pull.draft:
        return State(True, "draft")
    if reasons(pull):
        return State(True, "blocked")
    if behind(pull):
        return State(True, "behind")
    checks, statuses = checking.rollup(pull.repo, tested_sha(pull))
    seen = {checking.state_of_check(one) for one in checks} | {one.state for one in statuses}
    return State(True, "clean" if seen <= {"success"} else "unstable")


def looked_at(world: World, pull: Pull) -> State:
    """What an answer says of it: for a while after each change, that it is being computed."""
    if pull.state == "open" and pull.unknown > 0:
        pull.unknown -= 1
        return State(None, "unknown")
    return state(world, pull)


def changed(pull: Pull, *, times: int = 1) -> None:
    """Its head or base moved: what was known of its mergeability is not known any more."""
    pull.unknown = max(pull.unknown, times)


def _test_merge(world: World, pull: Pull) -> None:
    """The commit that would be the merge, as `refs/pull/N/merge`."""
    bare = pull.repo.bare
    tip = bare.tip(pull.base)
    assert tip
    if pull.merge_sha and bare.fact("show", "-s", "--format=%P", pull.merge_sha).split() == [tip, pull.head_sha]:
        return
    message = f"Merge {pull.head_sha} into {tip}"
    tree = bare.merge(tip, pull.head_sha).tree
    pull.merge_sha = bare.commit_tree(tree, [tip, pull.head_sha], message, author="GitHub", at=world.clock.now())
    bare.point(f"refs/pull/{pull.number}/merge", pull.merge_sha)
