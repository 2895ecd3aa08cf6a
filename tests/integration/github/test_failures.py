"""Whatever GitHub answers instead, for a while: nothing is green by it, lost or done twice, and its cause is said.

What a single question makes of each answer is in ``tests/integration/test_github_forge.py``; the end of a token, limits
and an hour without GitHub are in ``test_troubles.py``, and answers to a merge in ``test_merging.py``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fakes.github.hub import GitHub
from tests.fakes.github.requests import Answer
from tests.integration.github.town import MakeTown, Town
from tinytown.engine.operate import items as operate_items
from tinytown.forge.github import client
from tinytown.missions.states import ItemState, WaitReason

HTML = {"Content-Type": "text/html"}
RATE = {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}
SAML = {"X-GitHub-SSO": "required; url=https://github.com/orgs/octo/sso?authorization_request=A1"}


@dataclass(frozen=True)
class Row:
    """What happens instead to each request of the API, what is said of it, and whether a person is asked."""

    name: str
    fault: dict[str, Any]
    said: str
    asks: bool = False
    #: For what the publication waits then.
    reason: WaitReason = WaitReason.UNREACHABLE
    pattern: str = "/[ar]*"


def _answer(status: int, body: Any = None, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"answer": Answer(status, body, headers or {}), **more}


ROWS = [
    Row(
        "a missing permission",
        _answer(403, {"message": "Resource not accessible"}),
        "give the token",
        asks=True,
        reason=WaitReason.NEEDS_HELP,
    ),
    Row(
        "single sign-on",
        _answer(403, {"message": "Resource protected by SAML"}, SAML),
        "authorise it at",
        asks=True,
        reason=WaitReason.NEEDS_HELP,
    ),
    Row("too many", _answer(429, {"message": "Too Many"}, {"Retry-After": "60"}), "secondary rate limit"),
    Row("GraphQL's limit", _answer(200, RATE), "", reason=WaitReason.CHECK, pattern="/api/graphql"),
    Row(
        "404",
        _answer(404, {"message": "Not Found"}),
        "or the token may not see it",
        asks=True,
        reason=WaitReason.NEEDS_HELP,
    ),
    Row("410", _answer(410, {"message": "Gone"}), "was deleted", asks=True, reason=WaitReason.NEEDS_HELP),
    Row("a redirection", _answer(307, {"message": "See there"}, {"Location": "/x"}), "not from GitHub's API"),
    Row(
        "not allowed",
        _answer(405, {"message": "Not Allowed"}),
        "with 405: Not Allowed",
        asks=True,
        reason=WaitReason.BACKOFF,
    ),
    Row(
        "a conflict", _answer(409, {"message": "Conflict"}), "with 409: Conflict", asks=True, reason=WaitReason.BACKOFF
    ),
    Row(
        "a refusal",
        _answer(422, {"message": "Validation Failed"}),
        "with 422: Validation Failed",
        asks=True,
        reason=WaitReason.BACKOFF,
    ),
    Row("502", _answer(502, b"<html>Unicorn!</html>", HTML), "answers 502"),
    Row("504, and it was done", _answer(504, b"", effect=True), "answers 504"),
    Row("no answer in time", {"delay": 3.0, "drop": True}, "within 2.5 s"),
    Row("a break, and it was done", {"drop": True, "effect": True}, "the connection was lost"),
    Row("an answer that is cut off", {"truncate": 9}, "the connection was lost"),
    Row("a damaged answer", _answer(200, b'{"id": 1, "ti'), "sent a damaged answer"),
    Row("the page of a sign-in", _answer(200, b"<html>Sign in</html>", HTML), "not from GitHub's API"),
    Row("an empty answer", _answer(200, b""), "not from GitHub's API"),
    Row("202 for ever", _answer(202, {}), "within 2.5 s"),
]


#: One of each kind that a mission tells from others; ``FORGE_DEATHS=all`` plays the rest as well.
KINDS = (
    "a missing permission", "too many", "GraphQL's limit", "410", "a refusal", "502", "504, and it was done",
    "a break, and it was done", "202 for ever",
)  # fmt: skip
ALL = os.environ.get("FORGE_DEATHS") == "all"


@pytest.mark.parametrize("row", [row for row in ROWS if ALL or row.name in KINDS], ids=lambda row: row.name)
def test_it_goes_on_once_github_answers_again(
    a_town: MakeTown, github: GitHub, monkeypatch: pytest.MonkeyPatch, row: Row
) -> None:
    """It happens while a change is to be published, and while its checks are looked at."""
    if "within" in row.said:
        monkeypatch.setattr(client, "DEADLINE", 2.5)
    github.workflow("CI", {"test": "success"})
    town = a_town()

    def breaks() -> None:
        github.fault("*", row.pattern, times=None, **row.fault)

    town.then = breaks
    town.start(1)
    assert row.said in town.said()
    waiting = town.item().waiting
    assert waiting is not None
    assert waiting.reason is row.reason
    town.look()
    mended(town, row)
    breaks()
    town.look()
    assert town.item().approved is None
    mended(town, row)
    town.until(lambda: town.item().state is ItemState.DONE and town.item().merged)
    assert len(github.writes("POST", "/repos/*/pulls")) == 1
    assert len(github.writes("PUT", "/repos/*/merge")) == 1
    assert github.repo.issues[1].state == "closed"
    # Each thing is asked once in each of the two times: about the item's change, its issue, and the repository.
    assert len(town.questions()) <= (6 if row.asks else 0)
    assert bool(town.questions()) is row.asks


def mended(town: Town, row: Row) -> None:
    """GitHub answers as ever, and a person who was asked says so."""
    town.github.faults.clear()
    town.outlive_limits()
    waiting = town.item().waiting
    assert (waiting is not None and waiting.reason is WaitReason.NEEDS_HELP) <= row.asks
    if waiting is not None and waiting.reason is WaitReason.NEEDS_HELP:
        operate_items.retry(town.context, town.mission, None)
    town.look(400)
