"""Runs of workflows, their jobs and logs."""

from __future__ import annotations

import secrets

from tests.fakes.github.calls import Call, route
from tests.fakes.github.requests import Answer, RefusedError, Request, missing
from tests.fakes.github.results import Job, Run
from tests.fakes.github.rules import workflows
from tests.fakes.github.shapes import checks as shapes
from tests.fakes.github.shapes.repos import Json
from tests.fakes.github.world import World

#: Seconds for which the address of a log is good.
SIGNED_FOR = 60.0


def _run(call: Call) -> Run:
    for one in call.repo.runs:
        if one.id == call.number("id"):
            return one
    raise missing()


def _job(call: Call) -> Job:
    for run in call.repo.runs:
        for one in run.jobs:
            if one.check.id == call.number("id"):
                return one
    raise missing()


@route("GET", "~/actions/workflows", "actions:read")
def several(call: Call) -> Answer:
    def row(one: workflows.Workflow) -> Json:
        number = sum(one.name.encode()) + 50_000
        url = f"{call.world.api}/repos/{call.repo.name}/actions/workflows/{number}"
        page = f"{call.world.web}/{call.repo.name}"
        return {
            "id": number, "node_id": f"W_{number}", "name": one.name, "path": one.file, "state": "active", "url": url,
            "created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z",
            "html_url": f"{page}/blob/{call.repo.default}/{one.file}",
            "badge_url": f"{page}/workflows/{one.name}/badge.svg",
        }  # fmt: skip

    return call.page(list(call.repo.workflows.values()), row, within="workflows")


@route("GET", "~/actions/runs", "actions:read")
def runs(call: Call) -> Answer:
    query = call.request.query
    found = list(reversed(call.repo.runs))
    for name, field in (("head_sha", "sha"), ("branch", "branch"), ("event", "event")):
        if value := query.get(name):
            found = [one for one in found if getattr(one, field) == value]
    if status := query.get("status"):
        found = [one for one in found if status in {one.status, one.conclusion}]
    return call.page(found, lambda one: shapes.run(call.world, call.repo, one), within="workflow_runs")


@route("GET", "~/actions/runs/{id}", "actions:read")
def run(call: Call) -> Answer:
    return Answer(body=shapes.run(call.world, call.repo, _run(call)))


@route("GET", "~/actions/runs/{id}/jobs", "actions:read")
def jobs(call: Call) -> Answer:
    found = _run(call)
    every = call.request.query.get("filter") == "all"
    return call.page(
        found.jobs if every else workflows.current(found),
        lambda one: shapes.job(call.world, call.repo, one),
        within="jobs",
    )


@route("GET", "~/actions/jobs/{id}", "actions:read")
def job(call: Call) -> Answer:
    return Answer(body=shapes.job(call.world, call.repo, _job(call)))


@route("GET", "~/actions/jobs/{id}/logs", "actions:read")
def log(call: Call) -> Answer:
    """Where the log is: an address of its own that is good for a minute and wants no token."""
    found = _job(call)
    if found.check.status != "completed":
        raise missing()
    key = secrets.token_hex(16)
    call.world.signed[key] = (found.log, call.world.clock.now() + SIGNED_FOR)
    where = f"{call.world.web}/signed/job-{found.check.id}.txt?sig={key}"
    return Answer(302, None, {"Location": where})


def signed_log(world: World, request: Request) -> Answer:
    """What such an address gives, in whole or in part; a token there is refused, as the real store does."""
    text, until = world.signed.get(request.query.get("sig", ""), ("", 0.0))
    kind = {"Content-Type": "text/plain"}
    if request.authorization:
        return Answer(
            400, b"<Error><Code>InvalidAuthenticationInfo</Code></Error>", {"Content-Type": "application/xml"}
        )
    if world.clock.now() > until:
        return Answer(403, b"<Error><Code>AuthenticationFailed</Code></Error>", {"Content-Type": "application/xml"})
    data = text.encode()
    wanted = {name.lower(): value for name, value in request.headers.items()}.get("range", "").removeprefix("bytes=")
    if not wanted:
        return Answer(200, data, {**kind, "Accept-Ranges": "bytes"})
    first, _, last = wanted.partition("-")
    start = int(first) if first else max(len(data) - int(last), 0)
    end = min(int(last) + 1, len(data)) if first and last else len(data)
    if start >= len(data):
        return Answer(416, b"", {**kind, "Content-Range": f"bytes */{len(data)}"})
    return Answer(206, data[start:end], {**kind, "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"})


# -- running again -------------------------------------------------------------------------------


@route("POST", "~/actions/runs/{id}/rerun", "actions:write")
def rerun(call: Call) -> Answer:
    return _again(call, _run(call), None)


@route("POST", "~/actions/runs/{id}/rerun-failed-jobs", "actions:write")
def rerun_failed(call: Call) -> Answer:
    found = _run(call)
    names = {one.check.name for one in workflows.current(found) if one.check.conclusion not in {"success", "neutral"}}
    if not names:
        raise RefusedError(403, "This workflow run cannot be retried")
    return _again(call, found, names)


@route("POST", "~/actions/jobs/{id}/rerun", "actions:write")
def rerun_job(call: Call) -> Answer:
    found = _job(call)
    return _again(call, found.run, {found.check.name})


def _again(call: Call, found: Run, names: set[str] | None) -> Answer:
    call.write_access()
    if found.status != "completed":
        raise RefusedError(403, "This workflow is already running")
    workflows.rerun(call.world, call.repo, found, names)
    return Answer(201, {})


@route("POST", "~/actions/runs/{id}/approve", "actions:write")
def approve(call: Call) -> Answer:
    call.write_access()
    found = _run(call)
    if found.conclusion != "action_required":
        raise RefusedError(403, "This run is not from a fork pull request or queued")
    found.status, found.conclusion = "queued", None
    workflows.go_on(call.world, call.repo, found)
    return Answer(201, {})


@route("POST", "~/actions/runs/{id}/cancel", "actions:write")
def cancel(call: Call) -> Answer:
    call.write_access()
    found = _run(call)
    if found.status == "completed":
        raise RefusedError(409, "Cannot cancel a workflow run that is completed.")
    workflows.cancel(call.world, call.repo, found)
    return Answer(202, {})
