"""Results that arrive at a commit, from apps and people."""

from __future__ import annotations

from typing import Any

from tests.fakes.github.models import Repo
from tests.fakes.github.people import ACTIONS, User
from tests.fakes.github.results import CheckRun, Run, Status
from tests.fakes.github.rules import branches, checking, workflows
from tests.fakes.github.world import World


def check(
    world: World,
    repo: Repo,
    sha: str,
    name: str,
    conclusion: str | None,
    *,
    slug: str = ACTIONS,
    status: str = "",
    workflow: str = "CI",
    log: str = "",
    branch: str = "",
    beside: CheckRun | None = None,
    **said: Any,
) -> CheckRun:
    """A new check run; one of Actions comes as a job.

    It is a job of the newest run of ``workflow`` that has none of this name yet, or of that of another check that it
    is ``beside``; a run is made if there is none.
    """
    if slug == ACTIONS:
        known = next((run for run in repo.runs if beside is not None and run.suite is beside.suite), None)
        run = known or _run(world, repo, sha, name, workflow, branch)
        made = workflows.add_job(world, repo, run, name, conclusion, log=log).check
        workflows.update(world, repo, run)
    else:
        now = world.clock.now()
        suite = checking.suite_of(world, repo, slug, sha, branch or None)
        made = CheckRun(world.number(), name, sha, suite.app, suite, "queued", None, None, None)
        made.status = "completed" if conclusion else status or "in_progress"
        made.conclusion = conclusion
        made.started = None if made.status == "queued" else now
        made.completed = now if conclusion else None
        checking.add_check(world, repo, made)
    if conclusion is None and status:
        made.status = status
    for field, value in said.items():
        if value is not None:
            setattr(made, field, value)
    reported(world, repo, sha)
    return made


def _run(world: World, repo: Repo, sha: str, name: str, workflow: str, branch: str) -> Run:
    known = next((one for one in reversed(repo.runs) if (one.workflow, one.sha) == (workflow, sha)), None)
    if known is not None and all(one.check.name != name for one in workflows.current(known)):
        return known
    pull = next((one for one in repo.pulls if one.head_sha == sha), None)
    event = "pull_request" if pull else "push"
    by = (pull.author if pull else None) or repo.owner
    return workflows.new_run(world, repo, workflow, event, branch or (pull.head if pull else repo.default), sha, by)


def update(
    world: World, repo: Repo, one: CheckRun, *, status: str | None = None, conclusion: str | None = None
) -> None:
    """Let a check run go on, or end."""
    now = world.clock.now()
    if conclusion:
        one.status, one.conclusion, one.completed = "completed", conclusion, now
    elif status:
        one.status, one.conclusion, one.completed = status, None, None
    one.started = one.started or now
    for run in repo.runs:
        if run.suite is one.suite:
            workflows.update(world, repo, run)
    reported(world, repo, one.sha)


def status(
    world: World,
    repo: Repo,
    sha: str,
    context: str,
    state: str,
    *,
    by: User,
    description: str | None = None,
    target: str | None = None,
) -> Status:
    made = Status(world.number(), sha, context, state, description, target, by, world.clock.now())
    repo.statuses.append(made)
    world.know(made)
    reported(world, repo, sha)
    return made


def reported(world: World, repo: Repo, sha: str) -> None:
    """A new result may be the last that an armed merge waits for."""
    for pull in repo.pulls:
        if pull.head_sha == sha:
            branches.auto_merge(world, pull)
