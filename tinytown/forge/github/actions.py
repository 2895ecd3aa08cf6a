"""What ran at GitHub for a commit, and why it failed: jobs, logs, annotations, by REST."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Final

from github import Github, GithubException
from pydantic import BaseModel

from tinytown.errors import RateLimitError, StateError, TinytownError
from tinytown.forge.github import evidence, faults, joblog
from tinytown.forge.github.client import Client
from tinytown.forge.github.repositories import Repository
from tinytown.forge.github.rest import PAGE, Nothing, Rest
from tinytown.missions.records.forge_evidence import CheckRun, WorkflowRun
from tinytown.missions.records.record import Record

#: Failed runs whose explanations are remembered: they do not change any more.
REMEMBERED: Final = 500
#: Annotations that are kept of one.
ANNOTATIONS: Final = 20
#: Runs of workflows whose jobs are read.
RUNS: Final = 20
#: Seconds for which it is believed that a repository has workflows, or has none.
BELIEVED: Final = 600.0
#: What a token needs to have something run again.
ACTIONS_RIGHT: Final = "write access to actions"
CHECKS_RIGHT: Final = "write access to checks"


class _App(BaseModel):
    id: int = 0
    slug: str = ""


class _Output(BaseModel):
    title: str | None = None
    summary: str | None = None


class _CheckRun(BaseModel):
    id: int
    name: str
    status: str
    conclusion: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    html_url: str | None = None
    app: _App | None = None
    output: _Output | None = None


class _CheckRuns(BaseModel):
    check_runs: list[_CheckRun]


class _Step(BaseModel):
    name: str
    conclusion: str | None = None


class _Job(BaseModel):
    id: int
    run_id: int = 0
    run_attempt: int = 1
    name: str
    status: str
    conclusion: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    html_url: str | None = None
    steps: list[_Step] | None = None


class _Jobs(BaseModel):
    jobs: list[_Job]


class _Run(BaseModel):
    id: int
    run_attempt: int = 1
    name: str | None = None
    event: str = ""
    status: str | None = None
    conclusion: str | None = None
    run_started_at: str | None = None
    html_url: str = ""


class _Runs(BaseModel):
    workflow_runs: list[_Run]


class _Workflows(BaseModel):
    total_count: int


class _Annotation(BaseModel):
    path: str = ""
    start_line: int = 0
    annotation_level: str | None = None
    message: str | None = None


class _Why(Record):
    """Why a check failed."""

    step: str = ""
    log: str = ""
    annotations: tuple[str, ...] = ()


class Actions:
    """Of one client. Safe in many threads."""

    def __init__(self, rest: Rest, client: Client) -> None:
        self._rest = rest
        self._client = client
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[int, int], _Why] = OrderedDict()
        self._workflows: dict[int, tuple[float, bool]] = {}

    def has_workflows(self, place: Repository) -> bool:
        """Whether the repository has any; the errors are those of ``Client.ask``."""
        until, known = self._workflows.get(place.id, (0.0, False))
        if time.monotonic() < until:
            return known
        what = f"workflows of {place.full_name}"
        found = self._rest.read(what, f"{place.path}/actions/workflows", _Workflows, per_page=1).total_count > 0
        self._workflows[place.id] = (time.monotonic() + BELIEVED, found)
        return found

    def check_runs(self, place: Repository, sha: str) -> list[CheckRun]:
        """The newest check runs of a commit, one a name and app."""
        what, path = f"checks of {sha[:10]}", f"{place.path}/commits/{sha}/check-runs"
        found = self._rest.read(what, path, _CheckRuns, filter="latest", per_page=PAGE).check_runs
        return [_of_check(one) for one in found]

    def of_head(self, place: Repository, sha: str) -> tuple[tuple[WorkflowRun, ...], list[CheckRun]]:
        """The workflow runs of a commit with their jobs, for a token that cannot read checks."""
        what = f"workflow runs of {sha[:10]}"
        found = self._rest.read(what, f"{place.path}/actions/runs", _Runs, head_sha=sha, per_page=PAGE).workflow_runs
        runs: list[CheckRun] = []
        for one in found[:RUNS]:
            jobs = self._rest.read(what, f"{place.path}/actions/runs/{one.id}/jobs", _Jobs, per_page=PAGE).jobs
            runs += [_of_job(job, one) for job in jobs]
        return tuple(_of_run(one) for one in found), runs

    def explained(self, place: Repository, run: CheckRun) -> CheckRun:
        """A failed run with the step that failed, the end of its log, and its annotations: what can be read of them."""
        name = (place.id, run.id)
        with self._lock:
            why = self._known.get(name)
        if why is None:
            why = self._why(place, run)
            with self._lock:
                self._known[name] = why
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        return run.evolve(**dict(why))

    def run_again(self, place: Repository, check: int, workflow_run: int) -> None:
        """Have a check run again, unless it does so already or has since it failed."""
        what = f"check {check}"
        if not workflow_run:
            path = f"{place.path}/check-runs/{check}"
            if self._rest.read(what, path, _CheckRun).status == "completed":
                self._rest.write(
                    what, "POST", f"{path}/rerequest", Nothing, {}, right=CHECKS_RIGHT, refusals=_not_again
                )
            return
        path = f"{place.path}/actions/jobs/{check}"
        job = self._rest.read(what, path, _Job)
        run = self._rest.read(what, f"{place.path}/actions/runs/{workflow_run}", _Run)
        if run.status == "completed" and run.run_attempt <= job.run_attempt:
            self._rest.write(what, "POST", f"{path}/rerun", Nothing, {}, right=ACTIONS_RIGHT, refusals=_not_again)

    def _why(self, place: Repository, run: CheckRun) -> _Why:
        step = log = ""
        if run.workflow_run:
            try:
                job = self._rest.read(run.name, f"{place.path}/actions/jobs/{run.id}", _Job)
                step = next((one.name for one in job.steps or () if one.conclusion == "failure"), "")
                log = self._log(place, run.id)
            except RateLimitError:
                raise
            except TinytownError as error:
                log = f"(its log cannot be read: {error.message})"
        try:
            path = f"{place.path}/check-runs/{run.id}/annotations"
            said = self._rest.page(run.name, path, _Annotation)[:ANNOTATIONS]
        except RateLimitError:
            raise
        except TinytownError:
            said = []
        return _Why(step=step, log=log, annotations=tuple(_line(one) for one in said))

    def _log(self, place: Repository, job: int) -> str:
        def where(github: Github) -> str:
            # Followed by itself it would be read as a whole, and into memory.
            _, headers, _ = github.requester.requestJson("GET", f"{place.path}/actions/jobs/{job}/logs")
            return str(headers.get("location") or "")

        return joblog.tail(self._client.ask("a log", where), site=self._client.site)


def _not_again(error: GithubException) -> Exception | None:
    said = str(error.data.get("message") or "") if isinstance(error.data, dict) else ""
    allowed = "not accessible" not in said.lower() and not faults.is_rate_limit(error)
    if error.status in (409, 422) or (error.status == 403 and allowed):
        return StateError("GitHub does not run the check again", remedy="run it again on the pull request's page")
    return None


def _of_check(one: _CheckRun) -> CheckRun:
    output = one.output or _Output()
    return CheckRun(
        name=one.name,
        app=one.app.slug if one.app else "",
        app_id=one.app.id if one.app else None,
        id=one.id,
        status=one.status,
        conclusion=one.conclusion or "",
        started_at=evidence.at(one.started_at),
        completed_at=evidence.at(one.completed_at),
        url=one.html_url or "",
        title=(output.title or "")[: evidence.SHORT],
        summary=(output.summary or "")[: evidence.TEXT],
    )


def _of_job(job: _Job, run: _Run) -> CheckRun:
    return CheckRun(
        name=job.name,
        app="github-actions",
        id=job.id,
        status=job.status,
        conclusion=job.conclusion or "",
        event=run.event,
        workflow_run=run.id,
        started_at=evidence.at(job.started_at),
        completed_at=evidence.at(job.completed_at),
        url=job.html_url or "",
    )


def _of_run(one: _Run) -> WorkflowRun:
    return WorkflowRun(
        id=one.id,
        name=one.name or "",
        event=one.event,
        status=one.status or "",
        conclusion=one.conclusion or "",
        started_at=evidence.at(one.run_started_at),
        url=one.html_url,
    )


def _line(one: _Annotation) -> str:
    words = " ".join((one.message or "").split())[: evidence.SHORT]
    return f"{one.path}:{one.start_line}: {words}" if one.path else words
