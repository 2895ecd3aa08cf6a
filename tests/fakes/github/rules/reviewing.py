"""Reviews and the threads that they begin."""

from __future__ import annotations

from tests.fakes.github.models import Pull, Review, ReviewComment, Thread
from tests.fakes.github.people import User
from tests.fakes.github.requests import RefusedError
from tests.fakes.github.rules import branches
from tests.fakes.github.world import World

_STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED", "": "PENDING"}


def review(world: World, pull: Pull, by: User, event: str, body: str, *, commit: str = "") -> Review:
    """Add a review; ``event`` is as REST names it.

    Raises:
        RefusedError: of one's own pull request, or without a word where words are needed.
    """
    words = {"APPROVE": "approve", "REQUEST_CHANGES": "request changes on"}
    if event in words and by is pull.author:
        raise RefusedError(422, "Unprocessable Entity", errors=[f"Review Can not {words[event]} your own pull request"])
    if event == "REQUEST_CHANGES" and not body:
        raise RefusedError(422, "Unprocessable Entity", errors=["Review Body can't be blank"])
    made = Review(world.number(), by, _STATES[event], body, commit or pull.head_sha, world.clock.now())
    pull.reviews.append(made)
    world.know(made)
    return submitted(world, pull, made)


def submitted(world: World, pull: Pull, made: Review) -> Review:
    pull.updated = world.clock.now()
    if made.state != "PENDING":
        pull.requested = [one for one in pull.requested if one is not made.author]
        branches.auto_merge(world, pull)
    return made


def begin(world: World, pull: Pull, review_of: Review, path: str, line: int, body: str) -> Thread:
    """A thread at a line of a file of the head.

    Raises:
        RefusedError: the head has no such line.
    """
    words = (pull.repo.bare.show(pull.head_sha, path) or "").split("\n")
    if not 1 <= line <= len(words) or words == [""]:
        field = "path" if words == [""] else "line"
        raise RefusedError(
            422, "Validation Failed",
            errors=[{"resource": "PullRequestReviewComment", "code": "custom",
                     "field": f"pull_request_review_thread.{field}",
                     "message": f"pull_request_review_thread.{field} could not be resolved"}],
        )  # fmt: skip
    thread = Thread(world.number(), pull, path, line, pull.head_sha, words[line - 1])
    pull.threads.append(thread)
    world.know(thread)
    answer(world, thread, review_of, body)
    return thread


def answer(world: World, thread: Thread, review_of: Review, body: str) -> ReviewComment:
    first = thread.comments[0] if thread.comments else None
    made = ReviewComment(world.number(), review_of.author, body, world.clock.now(), review_of, thread, first)
    thread.comments.append(made)
    thread.pull.updated = made.at
    world.know(made)
    return made


def reply(world: World, thread: Thread, by: User, body: str) -> ReviewComment:
    """A word more in a thread: a review of its own, as GitHub makes it."""
    made = Review(world.number(), by, "COMMENTED", "", thread.pull.head_sha, world.clock.now())
    thread.pull.reviews.append(made)
    world.know(made)
    return answer(world, thread, made, body)
