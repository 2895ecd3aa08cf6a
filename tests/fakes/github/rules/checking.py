"""Which check runs and statuses of a commit count, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable

from tests.fakes.github.models import Repo
from tests.fakes.github.results import CheckRun, Status, Suite
from tests.fakes.github.world import World

#: Conclusions that count as passing, for GitHub.
PASSING = frozenset({"success", "neutral", "skipped"})
_WORST = ("action_required", "timed_out", "cancelled", "startup_failure", "failure", "stale", "neutral", "skipped")


def latest(repo: Repo, sha: str, *, every: bool = False) -> list[CheckRun]:
    """The newest of each name in each suite, newest first: two suites may both have a run of one name."""
    found: dict[tuple[int, str], CheckRun] = {}
    mine = [one for one in repo.checks if one.sha == sha]
    if every:
        return mine[::-1]
    for one in mine:
        found[one.suite.id, one.name] = one
    return sorted(found.values(), key=lambda one: -one.id)


def statuses(repo: Repo, sha: str) -> list[Status]:
    """The newest of each context, newest first."""
    found = {one.context: one for one in repo.statuses if one.sha == sha}
    return sorted(found.values(), key=lambda one: -one.id)


def combined(latest_ones: Iterable[Status]) -> str:
    states = {one.state for one in latest_ones}
    if states & {"failure", "error"}:
        return "failure"
    return "success" if states == {"success"} else "pending"


def rollup(repo: Repo, sha: str) -> tuple[list[CheckRun], list[Status]]:
    """What is shown together at a commit. Runs that a person dispatched are never part of it."""
    by_hand = {run.suite.id for run in repo.runs if run.event == "workflow_dispatch"}
    return [one for one in latest(repo, sha) if one.suite.id not in by_hand], statuses(repo, sha)


def state_of_check(one: CheckRun) -> str:
    """``pending``, ``success`` or ``failure``."""
    if one.status != "completed":
        return "pending"
    return "success" if one.conclusion in PASSING else "failure"


def of_suite(repo: Repo, one: Suite) -> tuple[str, str | None]:
    """Status and conclusion of all its runs together."""
    run = next((run for run in repo.runs if run.suite is one), None)
    if run is not None:
        return run.status, run.conclusion
    mine = [check for check in latest(repo, one.sha) if check.suite is one]
    if not mine:
        return "queued", None
    if any(check.status != "completed" for check in mine):
        return "in_progress", None
    met = {check.conclusion for check in mine}
    return "completed", next((word for word in _WORST if word in met), "success") if met != {"success"} else "success"


def required(repo: Repo, sha: str, context: str, app: int | None) -> str:
    """What a required context is at a commit: ``expected`` if nothing reported it.

    A check run and a status of one name must both pass, and so must those of two apps.
    """
    checks, all_statuses = rollup(repo, sha)
    newest: dict[int, CheckRun] = {}
    for one in sorted(checks, key=lambda check: (check.started or 0, check.id)):
        if one.name == context and app in {None, one.app.id}:
            newest[one.app.id] = one
    states = [state_of_check(one) for one in newest.values()]
    if app is None:
        words = {"error": "failure"}
        states += [words.get(one.state, one.state) for one in all_statuses if one.context == context]
    for word in ("failure", "pending", "success"):
        if word in states:
            return word
    return "expected"


def add_check(world: World, repo: Repo, one: CheckRun) -> CheckRun:
    repo.checks.append(one)
    world.know(one)
    return one


def suite_of(world: World, repo: Repo, slug: str, sha: str, branch: str | None) -> Suite:
    """The suite of an app at a commit, made if it has none; a run of Actions has one of its own instead."""
    ran = {run.suite.id for run in repo.runs}
    for one in repo.suites:
        if (one.app.slug, one.sha) == (slug, sha) and one.id not in ran:
            return one
    return new_suite(world, repo, slug, sha, branch)


def new_suite(world: World, repo: Repo, slug: str, sha: str, branch: str | None) -> Suite:
    made = Suite(world.number(), world.app(slug), sha, branch, world.clock.now())
    repo.suites.append(made)
    world.know(made)
    return made
