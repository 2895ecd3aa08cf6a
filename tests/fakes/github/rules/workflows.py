"""GitHub Actions, as far as one sees it from outside: runs, their jobs, and what makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.fakes.github.models import Pull, Repo
from tests.fakes.github.objects import Bare
from tests.fakes.github.people import ACTIONS, User
from tests.fakes.github.results import CheckRun, Job, Run
from tests.fakes.github.rules import checking, merging

if TYPE_CHECKING:
    from tests.fakes.github.world import World


@dataclass(frozen=True)
class Reader:
    """The commit that is tested; called with a path, it gives the file there."""

    bare: Bare
    sha: str

    def __call__(self, path: str) -> str | None:
        return self.bare.show(self.sha, path)


#: A conclusion, or one with the log; or what finds it out from the files.
Outcome = str | tuple[str, str]


@dataclass(frozen=True)
class JobPlan:
    """A job of a workflow: what it comes to, and the jobs that must succeed before."""

    result: Outcome | Callable[[Reader], Outcome] = "success"
    needs: tuple[str, ...] = ()
    #: What its step is called that does the work.
    step: str = "Run"


@dataclass
class Workflow:
    """A workflow of a repository, as a test tells it."""

    name: str
    jobs: Mapping[str, JobPlan]
    on: tuple[str, ...] = ("pull_request",)
    #: Seconds that a job takes.
    takes: float = 0.0
    #: Whether a person must approve each run.
    approval: bool = False
    #: Whether a newer run of a branch cancels an older one.
    cancels: bool = False
    file: str = field(default="")

    def __post_init__(self) -> None:
        self.file = self.file or f".github/workflows/{self.name.lower().replace(' ', '-')}.yml"


def trigger(
    world: World, repo: Repo, event: str, branch: str, sha: str, by: User, *, pull: Pull | None = None
) -> list[Run]:
    """Start what runs at an event. A pull request that conflicts has nothing to test: it gets no run at all."""
    if repo.read_workflows is not None:
        repo.read_workflows(repo, sha)
    wanted = [one for one in repo.workflows.values() if event in one.on]
    if not wanted or (pull is not None and merging.conflicts(pull)):
        return []
    made = []
    for workflow in wanted:
        if workflow.cancels:
            for run in repo.runs:
                if (run.workflow, run.branch, run.event) == (workflow.name, branch, event):
                    cancel(world, repo, run)
        run = new_run(world, repo, workflow.name, event, branch, sha, by, file=workflow.file)
        run.pull = pull.number if pull else None
        if workflow.approval:
            run.status, run.conclusion = "completed", "action_required"
        else:
            go_on(world, repo, run)
        made.append(run)
    return made


def new_run(
    world: World, repo: Repo, workflow: str, event: str, branch: str, sha: str, by: User, *, file: str = ""
) -> Run:
    suite = checking.new_suite(world, repo, ACTIONS, sha, branch)
    number = 1 + sum(one.workflow == workflow for one in repo.runs)
    made = Run(
        world.number(), number, workflow, file or f".github/workflows/{workflow.lower()}.yml", event, branch, sha,
        suite,
        by, world.clock.now(),
    )  # fmt: skip
    repo.runs.append(made)
    world.know(made)
    return made


def go_on(world: World, repo: Repo, run: Run) -> None:
    """Start each job whose needs are met, end each whose time has come, and end the run with its last job."""
    plan: Workflow | None = repo.workflows.get(run.workflow)
    if plan is None or (run.status == "completed" and run.conclusion == "action_required"):
        return
    for _ in range(len(plan.jobs) + 1):  # What one job ends may start the next.
        _start(world, repo, run, plan)
        _end(world, run, plan, repo)
    update(world, repo, run)


def _start(world: World, repo: Repo, run: Run, plan: Workflow) -> None:
    known = {one.check.name: one.check for one in current(run)}
    for name, job in plan.jobs.items():
        needed = [known.get(one) for one in job.needs]
        if name in known or any(one is None or one.status != "completed" for one in needed):
            continue
        if any(one and one.conclusion != "success" for one in needed):
            add_job(world, repo, run, name, "skipped", needs=job.needs)
        else:
            add_job(world, repo, run, name, None, needs=job.needs, step=job.step)


def _end(world: World, run: Run, plan: Workflow, repo: Repo) -> None:
    for job in current(run):
        check = job.check
        if check.status == "completed" or world.clock.now() < (check.started or 0) + plan.takes:
            continue
        result = plan.jobs[check.name].result
        if callable(result):
            result = result(Reader(repo.bare, run.sha))
        conclusion, log = (result, "") if isinstance(result, str) else result
        finish(world, job, conclusion, log=log)


def add_job(
    world: World,
    repo: Repo,
    run: Run,
    name: str,
    conclusion: str | None,
    *,
    needs: tuple[str, ...] = (),
    log: str = "",
    step: str = "Run",
) -> Job:
    """A job with its check run, which have one number."""
    now = world.clock.now()
    check = CheckRun(
        world.number(), name, run.sha, run.suite.app, run.suite, "in_progress", None, now, None,
        details=f"{world.web}/{repo.name}/actions/runs/{run.id}/job/",
    )  # fmt: skip
    check.details = f"{check.details}{check.id}"
    job = Job(run, checking.add_check(world, repo, check), run.attempt, needs)
    job.steps = [("Set up job", "success"), (step, None)]
    run.jobs.append(job)
    if conclusion is not None:
        finish(world, job, conclusion, log=log)
    return job


def finish(world: World, job: Job, conclusion: str, *, log: str = "") -> None:
    check = job.check
    check.status, check.conclusion, check.completed = "completed", conclusion, world.clock.now()
    ended = "failure" if conclusion == "timed_out" else conclusion
    job.steps = [] if conclusion == "skipped" else [("Set up job", "success"), (job.steps[-1][0], ended)]
    if log or not job.log:
        job.log = log or f"The job {check.name} ended with {conclusion}\n"


def current(run: Run) -> list[Job]:
    """Jobs of its newest attempt."""
    return [one for one in run.jobs if one.attempt == run.attempt]


def update(world: World, repo: Repo, run: Run) -> None:
    """Set what a run is from what its jobs are."""
    plan: Workflow | None = repo.workflows.get(run.workflow)
    jobs = current(run)
    run.updated = world.clock.now()
    awaited = set(plan.jobs) if plan else set()
    if not jobs or awaited - {one.check.name for one in jobs} or any(one.check.status != "completed" for one in jobs):
        run.status, run.conclusion = "in_progress" if jobs else "queued", None
        return
    met = {one.check.conclusion for one in jobs}
    order = ("failure", "timed_out", "startup_failure", "cancelled", "action_required")
    run.status, run.conclusion = "completed", next((word for word in order if word in met), "success")
    if met == {"skipped"}:
        run.conclusion = "skipped"


def cancel(world: World, repo: Repo, run: Run) -> None:
    """End what has not ended."""
    if run.status == "completed":
        return
    for job in current(run):
        if job.check.status != "completed":
            finish(world, job, "cancelled")
    run.status, run.conclusion, run.updated = "completed", "cancelled", world.clock.now()


def rerun(world: World, repo: Repo, run: Run, names: set[str] | None) -> None:
    """A new attempt; jobs that are not named are taken over as they were, under its number."""
    old = current(run)
    run.attempt += 1
    run.status, run.conclusion = "queued", None
    for job in old:
        if names is not None and job.check.name not in names:
            run.jobs.append(Job(run, job.check, run.attempt, job.needs, job.log, job.steps))
        elif run.workflow not in repo.workflows:
            add_job(world, repo, run, job.check.name, None, needs=job.needs)
    go_on(world, repo, run)
    update(world, repo, run)
