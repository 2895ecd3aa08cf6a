"""Commits and what was reported of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fakes.github.clock import stamp
from tests.fakes.github.graph.fields import FIELDS, Asking, page
from tests.fakes.github.models import Pull, Repo
from tests.fakes.github.people import App
from tests.fakes.github.results import CheckRun, Run, Status, Suite
from tests.fakes.github.rules import checking, merging


@dataclass(frozen=True)
class Commit:
    """A commit of a repository, which is in git alone."""

    repo: Repo
    sha: str

    def say(self, form: str) -> str:
        return self.repo.bare.fact("show", "-s", f"--format={form}", self.sha)


@dataclass(frozen=True)
class Rollup:
    """All that was reported of a commit."""

    commit: Commit

    @property
    def parts(self) -> tuple[list[CheckRun], list[Status]]:
        return checking.rollup(self.commit.repo, self.commit.sha)

    @property
    def state(self) -> str:
        checks, statuses = self.parts
        seen = {checking.state_of_check(one) for one in checks} | {one.state for one in statuses}
        return next((word.upper() for word in ("error", "failure", "pending") if word in seen), "SUCCESS")


def rollup(commit: Commit, asking: Asking) -> Rollup | None:
    """Nothing where nothing was reported; refused to a token that may not see checks."""
    asking.demand(commit.repo, "checks:read", "statuses:read")
    found = Rollup(commit)
    return found if any(found.parts) else None


def _repo_of(asking: Asking, one: Any) -> Repo:
    return next(repo for repo in asking.world.repos.values() if one in repo.checks or one in repo.statuses)


def _is_required(one: CheckRun | Status, asking: Asking, **arguments: Any) -> bool:
    """Whether its pull request's base demands it."""
    node, number = arguments.get("pullRequestId"), arguments.get("pullRequestNumber")
    pull = asking.world.pull_of_node(node) if node else _repo_of(asking, one).issues.get(number or 0)
    if not isinstance(pull, Pull):
        return False
    wanted = merging.demands(pull.repo, pull.base).checks
    if isinstance(one, Status):
        return any((one.context, None) == each for each in wanted)
    return any(one.name == name and app in {None, one.app.id} for name, app in wanted)


def _words(value: str | None) -> str | None:
    return value.upper() if value else None


def _suites(commit: Commit, asking: Asking, **more: Any) -> dict[str, Any]:
    asking.demand(commit.repo, "checks:read")
    return page(
        [one for one in commit.repo.suites if one.sha == commit.sha], first=more["first"], after=more.get("after")
    )


FIELDS["Commit"] = {
    "id": lambda c, a: f"C_{c.sha}",
    "oid": lambda c, a: c.sha,
    "abbreviatedOid": lambda c, a: c.sha[:7],
    "message": lambda c, a: c.say("%B"),
    "messageHeadline": lambda c, a: c.say("%s"),
    "committedDate": lambda c, a: c.say("%cI"),
    "authoredDate": lambda c, a: c.say("%aI"),
    "url": lambda c, a: f"{a.world.web}/{c.repo.name}/commit/{c.sha}",
    "parents": lambda c, a, **more: page([Commit(c.repo, sha) for sha in c.say("%P").split()], **more),
    "statusCheckRollup": rollup,
    "checkSuites": _suites,
    "repository": lambda c, a: c.repo,
}


FIELDS["StatusCheckRollup"] = {
    "id": lambda r, a: f"SCR_{r.commit.sha}",
    "state": lambda r, a: r.state,
    "commit": lambda r, a: r.commit,
    "contexts": lambda r, a, **more: page([*r.parts[0], *r.parts[1]], **more),
}
FIELDS["CheckRun"] = {
    "id": lambda c, a: c.node_id,
    "databaseId": lambda c, a: c.id,
    "name": lambda c, a: c.name,
    "status": lambda c, a: _words(c.status),
    "conclusion": lambda c, a: _words(c.conclusion),
    "startedAt": lambda c, a: stamp(c.started),
    "completedAt": lambda c, a: stamp(c.completed),
    "title": lambda c, a: c.title,
    "summary": lambda c, a: c.summary,
    "text": lambda c, a: c.text,
    "externalId": lambda c, a: c.external_id,
    "detailsUrl": lambda c, a: c.details or f"{a.world.web}/{_repo_of(a, c).name}/runs/{c.id}",
    "permalink": lambda c, a: f"{a.world.web}/{_repo_of(a, c).name}/runs/{c.id}",
    "url": lambda c, a: f"{a.world.web}/{_repo_of(a, c).name}/runs/{c.id}",
    "checkSuite": lambda c, a: c.suite,
    "isRequired": _is_required,
    "annotations": lambda c, a, **more: page([_annotation(one) for one in c.annotations], **more),
}


def _annotation(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "path": one["path"], "message": one["message"], "title": one.get("title"), "rawDetails": None,
        "annotationLevel": one.get("level", "failure").upper(),
    }  # fmt: skip


FIELDS["StatusContext"] = {
    "id": lambda s, a: s.node_id,
    "context": lambda s, a: s.context,
    "state": lambda s, a: _words(s.state),
    "description": lambda s, a: s.description,
    "targetUrl": lambda s, a: s.target,
    "createdAt": lambda s, a: stamp(s.at),
    "creator": lambda s, a: s.creator,
    "isRequired": _is_required,
    "commit": lambda s, a: Commit(_repo_of(a, s), s.sha),
}
FIELDS["CheckSuite"] = {
    "id": lambda s, a: s.node_id,
    "databaseId": lambda s, a: s.id,
    "app": lambda s, a: s.app,
    "status": lambda s, a: _words(checking.of_suite(_repo_with(a, s), s)[0]),
    "conclusion": lambda s, a: _words(checking.of_suite(_repo_with(a, s), s)[1]),
    "createdAt": lambda s, a: stamp(s.at),
    "updatedAt": lambda s, a: stamp(s.at),
    "commit": lambda s, a: Commit(_repo_with(a, s), s.sha),
    "workflowRun": lambda s, a: next((run for run in _repo_with(a, s).runs if run.suite is s), None),
    "checkRuns": lambda s, a, **more: page(
        [one for one in checking.latest(_repo_with(a, s), s.sha) if one.suite is s],
        first=more.get("first"), last=more.get("last"), after=more.get("after"), before=more.get("before"),
    ),
}  # fmt: skip
FIELDS["App"] = {
    "id": lambda one, a: one.node_id,
    "databaseId": lambda one, a: one.id,
    "slug": lambda one, a: one.slug,
    "name": lambda one, a: one.slug.replace("-", " ").title(),
}
FIELDS["WorkflowRun"] = {
    "id": lambda r, a: r.node_id,
    "databaseId": lambda r, a: r.id,
    "runNumber": lambda r, a: r.number,
    "event": lambda r, a: r.event,
    "createdAt": lambda r, a: stamp(r.created),
    "updatedAt": lambda r, a: stamp(r.updated or r.created),
    "url": lambda r, a: f"{a.world.web}/{_repo_with(a, r.suite).name}/actions/runs/{r.id}",
    "workflow": lambda r, a: {
        "id": f"W_{r.workflow}",
        "name": r.workflow,
        "databaseId": sum(r.workflow.encode()) + 50_000,
    },
    "checkSuite": lambda r, a: r.suite,
}


def _repo_with(asking: Asking, suite: Suite) -> Repo:
    return next(repo for repo in asking.world.repos.values() if suite in repo.suites)


#: What the classes are called in the schema.
TYPES: dict[type, str] = {
    Commit: "Commit", Rollup: "StatusCheckRollup", CheckRun: "CheckRun", Status: "StatusContext", Suite: "CheckSuite",
    App: "App", Run: "WorkflowRun",
}  # fmt: skip
