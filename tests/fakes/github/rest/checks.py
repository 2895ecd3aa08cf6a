"""Check runs, suites and commit statuses."""

from __future__ import annotations

from tests.fakes.github.calls import Call, route
from tests.fakes.github.people import ACTIONS
from tests.fakes.github.requests import Answer, RefusedError, invalid, missing
from tests.fakes.github.results import CheckRun, Status
from tests.fakes.github.rules import checking, reporting, workflows
from tests.fakes.github.shapes import checks as shapes


def _sha(call: Call) -> str:
    found = call.repo.bare.resolve(call.words.get("ref", "") or call.words.get("sha", ""))
    if found is None:
        raise RefusedError(422, f"No commit found for SHA: {call.words.get('ref') or call.words.get('sha')}")
    return found


def _check(call: Call) -> CheckRun:
    for one in call.repo.checks:
        if one.id == call.number("id"):
            return one
    raise missing()


def _shown(call: Call, one: CheckRun, status: int = 200) -> Answer:
    return Answer(status, shapes.check(call.world, call.repo, one))


@route("GET", "~/commits/{ref:path}/check-runs", "checks:read")
def of_commit(call: Call) -> Answer:
    query = call.request.query
    found = checking.latest(call.repo, _sha(call), every=query.get("filter") == "all")
    if name := query.get("check_name"):
        found = [one for one in found if one.name == name]
    if status := query.get("status"):
        found = [one for one in found if one.status == status]
    if app := query.get("app_id"):
        found = [one for one in found if one.app.id == int(app)]
    return call.page(found, lambda one: shapes.check(call.world, call.repo, one), within="check_runs")


@route("GET", "~/commits/{ref:path}/check-suites", "checks:read")
def suites_of_commit(call: Call) -> Answer:
    sha = _sha(call)
    found = [one for one in call.repo.suites if one.sha == sha]
    return call.page(found, lambda one: shapes.suite(call.world, call.repo, one), within="check_suites")


@route("GET", "~/check-runs/{id}", "checks:read")
def one(call: Call) -> Answer:
    return _shown(call, _check(call))


@route("POST", "~/check-runs", "checks:write")
def create(call: Call) -> Answer:
    """For apps alone."""
    if call.token is None or call.token.kind != "app":
        raise RefusedError(403, "You must authenticate via a GitHub App.")
    said = call.body
    sha = call.repo.bare.resolve(str(said.get("head_sha")))
    if sha is None:
        raise invalid("CheckRun", field_name="head_sha", code="invalid")
    slug = call.user.login.removesuffix("[bot]")
    output = said.get("output", {})
    made = reporting.check(
        call.world, call.repo, sha, call.text("name"), said.get("conclusion"), slug=slug,
        status=said.get("status", "queued"),
        title=output.get("title"), summary=output.get("summary"), details=said.get("details_url"),
    )  # fmt: skip
    return _shown(call, made, 201)


@route("PATCH", "~/check-runs/{id}", "checks:write")
def change(call: Call) -> Answer:
    found, said = _check(call), call.body
    if call.token is None or call.token.kind != "app":
        raise RefusedError(403, "You must authenticate via a GitHub App.")
    reporting.update(call.world, call.repo, found, status=said.get("status"), conclusion=said.get("conclusion"))
    return _shown(call, found)


@route("GET", "~/check-runs/{id}/annotations", "checks:read")
def marked(call: Call) -> Answer:
    found = _check(call)
    return call.page(found.annotations, lambda one: shapes.annotation(call.world, call.repo, one, found.sha))


@route("POST", "~/check-runs/{id}/rerequest", "checks:write")
def rerequest(call: Call) -> Answer:
    found = _check(call)
    run = next((one for one in call.repo.runs if one.suite is found.suite), None)
    if run is None or found.app.slug != ACTIONS:
        raise RefusedError(422, "This check run is not rerequestable")
    workflows.rerun(call.world, call.repo, run, {found.name})
    return Answer(201, {})


@route("GET", "~/check-suites/{id}", "checks:read")
def suite(call: Call) -> Answer:
    for found in call.repo.suites:
        if found.id == call.number("id"):
            return Answer(body=shapes.suite(call.world, call.repo, found))
    raise missing()


@route("GET", "~/check-suites/{id}/check-runs", "checks:read")
def of_suite(call: Call) -> Answer:
    every = call.request.query.get("filter") == "all"
    found = [one for one in call.repo.suites if one.id == call.number("id")]
    if not found:
        raise missing()
    runs = [one for one in checking.latest(call.repo, found[0].sha, every=every) if one.suite is found[0]]
    return call.page(runs, lambda one: shapes.check(call.world, call.repo, one), within="check_runs")


# -- statuses ------------------------------------------------------------------------------------


@route("GET", "~/commits/{ref:path}/status", "statuses:read")
def combined(call: Call) -> Answer:
    sha = _sha(call)
    latest = checking.statuses(call.repo, sha)
    page = call.page(latest, lambda one: shapes.small_status(call.world, call.repo, one)).body
    return Answer(body=shapes.combined(call.world, call.repo, sha, latest, page))


@route("GET", "~/commits/{ref:path}/statuses", "statuses:read")
@route("GET", "~/statuses/{ref:path}", "statuses:read")
def statuses(call: Call) -> Answer:
    sha = _sha(call)
    found = [one for one in reversed(call.repo.statuses) if one.sha == sha]
    return call.page(found, lambda one: shapes.status(call.world, call.repo, one))


@route("POST", "~/statuses/{sha}", "statuses:write")
def report(call: Call) -> Answer:
    call.write_access()
    said = call.body
    sha = call.words["sha"]
    if call.repo.bare.resolve(sha) != sha:
        raise RefusedError(422, f"No commit found for SHA: {sha}")
    if said.get("state") not in {"error", "failure", "pending", "success"}:
        raise invalid("Status", field_name="state", message="state is not included in the list")
    if len(str(said.get("description") or "")) > 140:
        raise invalid("Status", field_name="description", message="description is too long (maximum is 140 characters)")
    made: Status = reporting.status(
        call.world, call.repo, sha, said.get("context", "default"), said["state"], by=call.user,
        description=said.get("description"), target=said.get("target_url"),
    )  # fmt: skip
    return Answer(201, shapes.status(call.world, call.repo, made))
