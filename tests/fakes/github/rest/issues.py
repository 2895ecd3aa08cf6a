"""Issues, comments, labels, and what depends on what."""

from __future__ import annotations

from typing import Any

from tests.fakes.github import access
from tests.fakes.github.calls import Call, route
from tests.fakes.github.models import Comment, Issue
from tests.fakes.github.requests import Answer, RefusedError, invalid, missing
from tests.fakes.github.rules import branches
from tests.fakes.github.shapes import issues as shapes

_WRITE = "issues:write|pull_requests:write"
_READ = "issues:read|pull_requests:read"


def _one(call: Call, issue: Issue, status: int = 200) -> Answer:
    return Answer(status, shapes.issue(call.world, issue))


@route("GET", "~/issues", "issues:read")
def several(call: Call) -> Answer:
    wanted = call.request.query.get("state", "open")
    labels = set(filter(None, call.request.query.get("labels", "").split(",")))
    found = [
        one for one in call.repo.issues.values() if wanted in {"all", one.state} and labels <= set(one.labels)
    ]  # fmt: skip
    return call.page(found[::-1], lambda one: shapes.issue(call.world, one))


@route("POST", "~/issues", "issues:write")
def create(call: Call) -> Answer:
    repo, now = call.repo, call.world.clock.now()
    title = call.text("title", resource="Issue")
    made = Issue(repo, call.world.number(), repo.next_number, title, call.body.get("body"), call.user, now, now)
    made.labels = [str(one) for one in call.body.get("labels", [])]
    call.world.add_issue(repo, made)
    return _one(call, made, 201)


@route("GET", "~/issues/comments/{id}", _READ)
def comment(call: Call) -> Answer:
    return Answer(body=shapes.comment(call.world, *_comment(call)))


@route("PATCH", "~/issues/comments/{id}", _WRITE)
def edit_comment(call: Call) -> Answer:
    issue, found = _comment(call)
    _own(call, found)
    found.body = call.text("body", resource="IssueComment")
    found.updated = issue.updated = call.world.clock.now()
    return Answer(body=shapes.comment(call.world, issue, found))


@route("DELETE", "~/issues/comments/{id}", _WRITE)
def delete_comment(call: Call) -> Answer:
    issue, found = _comment(call)
    _own(call, found)
    issue.comments.remove(found)
    return Answer(204)


def _own(call: Call, found: Comment) -> None:
    if found.author is not call.user:
        call.write_access()


def _comment(call: Call) -> tuple[Issue, Comment]:
    for issue in call.repo.issues.values():
        for one in issue.comments:
            if one.id == call.number("id"):
                return issue, one
    raise missing()


@route("GET", "~/issues/{number}/comments", _READ)
def comments(call: Call) -> Answer:
    issue = call.issue()
    return call.page(issue.comments, lambda one: shapes.comment(call.world, issue, one))


@route("POST", "~/issues/{number}/comments", _WRITE)
def say(call: Call) -> Answer:
    issue = call.issue()
    made = add_comment(call, issue, call.text("body", resource="IssueComment"))
    return Answer(201, shapes.comment(call.world, issue, made))


def add_comment(call: Call, issue: Issue, body: str) -> Comment:
    if len(body) > 65536:
        raise invalid("IssueComment", field_name="body", message="body is too long (maximum is 65536 characters)")
    now = call.world.clock.now()
    made = Comment(call.world.number(), call.user, body, now, now)
    issue.comments.append(made)
    issue.updated = now
    call.world.know(made)
    return made


@route("GET", "~/issues/{number}/labels", _READ)
def labels(call: Call) -> Answer:
    return call.page(shapes.labels(call.world, call.issue()), dict)


@route("POST", "~/issues/{number}/labels", _WRITE)
def add_labels(call: Call) -> Answer:
    call.write_access()
    said: Any = call.request.json
    issue = call.issue()
    named = said.get("labels", []) if isinstance(said, dict) else said
    issue.labels = list(dict.fromkeys((*issue.labels, *(str(one) for one in named))))
    issue.updated = call.world.clock.now()
    return Answer(body=shapes.labels(call.world, issue))


@route("DELETE", "~/issues/{number}/labels/{label}", _WRITE)
def remove_label(call: Call) -> Answer:
    call.write_access()
    issue = call.issue()
    if call.words["label"] not in issue.labels:
        raise RefusedError(404, "Label does not exist")
    issue.labels.remove(call.words["label"])
    return Answer(body=shapes.labels(call.world, issue))


@route("GET", "~/issues/{number}/dependencies/blocked_by", "issues:read")
def blocked_by(call: Call) -> Answer:
    issue = call.issue()
    if not issue.summary:
        raise missing()
    return call.page(issue.blocked_by, lambda one: shapes.related(call.world, one, call.token))


@route("GET", "~/issues/{number}/sub_issues", "issues:read")
def children(call: Call) -> Answer:
    return call.page(call.issue().children, lambda one: shapes.related(call.world, one, call.token))


@route("GET", "~/issues/{number}/parent", "issues:read")
def parent(call: Call) -> Answer:
    issue = call.issue()
    for other in call.repo.issues.values():
        if issue in other.children:
            return _one(call, other)
    raise missing()


@route("GET", "~/issues/{number}", _READ)
def issue(call: Call) -> Answer:
    return _one(call, call.issue())


@route("PATCH", "~/issues/{number}", _WRITE)
def edit(call: Call) -> Answer:
    issue = call.issue()
    if issue.author is not call.user and not access.at_least(access.role(call.repo, call.token), "triage"):
        raise RefusedError(403, "Must have admin rights to Repository.")
    said = call.body
    if "title" in said:
        issue.title = call.text("title", resource="Issue")
    if "body" in said:
        issue.body = said["body"]
    if "labels" in said:
        issue.labels = [str(one) for one in said["labels"]]
    issue.updated = call.world.clock.now()
    if said.get("state") == "closed" and issue.state == "open":
        branches.close(call.world, issue, call.user, said.get("state_reason"))
    elif said.get("state") == "closed" and said.get("state_reason"):
        issue.reason = said["state_reason"]
    elif said.get("state") == "open" and issue.state == "closed":
        issue.state, issue.reason, issue.closed, issue.closed_by = "open", "reopened", None, None
    return _one(call, issue)
