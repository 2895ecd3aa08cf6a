"""Reviews of pull requests, and comments on their lines."""

from __future__ import annotations

from tests.fakes.github import access
from tests.fakes.github.calls import Call, route
from tests.fakes.github.models import Review, ReviewComment, Thread
from tests.fakes.github.requests import Answer, RefusedError, missing
from tests.fakes.github.rules import reviewing
from tests.fakes.github.shapes import pulls as shapes


def _shown(call: Call, one: Review) -> Answer:
    return Answer(body=shapes.review(call.world, call.pull(), one))


def _review(call: Call) -> Review:
    for one in call.pull().reviews:
        if one.id == call.number("id"):
            return one
    raise missing()


@route("GET", "~/pulls/{number}/reviews", "pull_requests:read")
def several(call: Call) -> Answer:
    pull = call.pull()
    mine = call.token.user if call.token else None
    found = [one for one in pull.reviews if one.state != "PENDING" or one.author is mine]
    return call.page(found, lambda one: shapes.review(call.world, pull, one))


@route("POST", "~/pulls/{number}/reviews", "pull_requests:write")
def create(call: Call) -> Answer:
    pull, said = call.pull(), call.body
    commit = str(said.get("commit_id") or "")
    if commit and call.repo.bare.resolve(commit) != commit:
        raise RefusedError(422, "Unprocessable Entity", errors=["Commit is not part of the pull request"])
    event = str(said.get("event") or "")
    if event == "COMMENT" and not said.get("body") and not said.get("comments"):
        raise RefusedError(422, "Unprocessable Entity", errors=["Review Body can't be blank"])
    made = reviewing.review(call.world, pull, call.user, event, str(said.get("body") or ""), commit=commit)
    for one in said.get("comments", []):
        reviewing.begin(
            call.world, pull, made, one["path"], int(one.get("line") or one.get("position") or 1), one["body"]
        )
    return _shown(call, made)


@route("GET", "~/pulls/{number}/reviews/{id}", "pull_requests:read")
def one(call: Call) -> Answer:
    return _shown(call, _review(call))


@route("PUT", "~/pulls/{number}/reviews/{id}", "pull_requests:write")
def edit(call: Call) -> Answer:
    found = _review(call)
    if found.author is not call.user:
        raise missing()
    found.body = call.text("body")
    return _shown(call, found)


@route("POST", "~/pulls/{number}/reviews/{id}/events", "pull_requests:write")
def submit(call: Call) -> Answer:
    found, pull = _review(call), call.pull()
    if found.state != "PENDING" or found.author is not call.user:
        raise RefusedError(422, "Could not submit review")
    pull.reviews.remove(found)
    body = str(call.body.get("body") or found.body)
    made = reviewing.review(call.world, pull, call.user, str(call.body.get("event")), body, commit=found.commit)
    return _shown(call, made)


@route("PUT", "~/pulls/{number}/reviews/{id}/dismissals", "pull_requests:write")
def dismiss(call: Call) -> Answer:
    call.write_access()
    call.text("message")
    found = _review(call)
    if found.state not in {"APPROVED", "CHANGES_REQUESTED"}:
        raise RefusedError(422, "Validation Failed", errors=["Can not dismiss a commented pull request review"])
    found.state = "DISMISSED"
    return _shown(call, found)


@route("GET", "~/pulls/{number}/reviews/{id}/comments", "pull_requests:read")
def comments_of_review(call: Call) -> Answer:
    found, pull = _review(call), call.pull()
    lines = [(thread, one) for thread in pull.threads for one in thread.comments if one.review is found]
    return call.page(lines, lambda both: shapes.review_comment(call.world, pull, *both))


# -- comments on lines ---------------------------------------------------------------------------


@route("GET", "~/pulls/{number}/comments", "pull_requests:read")
def comments(call: Call) -> Answer:
    pull = call.pull()
    lines = sorted(((t, one) for t in pull.threads for one in t.comments), key=lambda both: both[1].id)
    return call.page(lines, lambda both: shapes.review_comment(call.world, pull, *both))


@route("POST", "~/pulls/{number}/comments", "pull_requests:write")
def comment(call: Call) -> Answer:
    pull, said = call.pull(), call.body
    body = call.text("body", resource="PullRequestReviewComment")
    if said.get("in_reply_to"):
        return _reply(call, int(said["in_reply_to"]), body)
    begun = reviewing.review(call.world, pull, call.user, "COMMENT", "", commit=str(said.get("commit_id") or ""))
    try:
        thread = reviewing.begin(call.world, pull, begun, str(said["path"]), int(said.get("line") or 1), body)
    except RefusedError:
        pull.reviews.remove(begun)
        raise
    return Answer(201, shapes.review_comment(call.world, pull, thread, thread.comments[0]))


@route("POST", "~/pulls/{number}/comments/{id}/replies", "pull_requests:write")
def reply(call: Call) -> Answer:
    return _reply(call, call.number("id"), call.text("body", resource="PullRequestReviewComment"))


def _reply(call: Call, to: int, body: str) -> Answer:
    pull = call.pull()
    # Only the comment that began a thread can be answered.
    thread = next((one for one in pull.threads if one.comments[0].id == to), None)
    if thread is None:
        raise missing()
    made = reviewing.reply(call.world, thread, call.user, body)
    return Answer(201, shapes.review_comment(call.world, pull, thread, made))


def _line(call: Call) -> tuple[Thread, ReviewComment]:
    for pull in call.repo.pulls:
        for thread in pull.threads:
            for one in thread.comments:
                if one.id == call.number("id"):
                    return thread, one
    raise missing()


@route("GET", "~/pulls/comments/{id}", "pull_requests:read")
def line(call: Call) -> Answer:
    thread, found = _line(call)
    return Answer(body=shapes.review_comment(call.world, thread.pull, thread, found))


@route("PATCH", "~/pulls/comments/{id}", "pull_requests:write")
def edit_line(call: Call) -> Answer:
    thread, found = _line(call)
    if found.author is not call.user and not access.at_least(access.role(call.repo, call.token), "write"):
        raise missing()
    found.body = call.text("body")
    return Answer(body=shapes.review_comment(call.world, thread.pull, thread, found))
