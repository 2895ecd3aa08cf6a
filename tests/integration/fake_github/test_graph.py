"""GraphQL: GitHub's schema over the same state, with errors beside what could be had."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from github.Repository import Repository as Repo

from tests.fakes.github.descriptions import graphql
from tests.fakes.github.graph.fields import FIELDS
from tests.fakes.github.hub import GitHub

PROBE = """
query($ids: [ID!]!, $pull: ID!) {
  rateLimit { cost remaining resetAt }
  nodes(ids: $ids) {
    ... on PullRequest {
      number state isDraft headRefOid mergeable mergeStateStatus reviewDecision isInMergeQueue
      autoMergeRequest { mergeMethod }
      latestOpinionatedReviews(first: 10, writersOnly: true) { nodes { state author { login } } }
      reviewThreads(first: 1) {
        totalCount pageInfo { hasNextPage endCursor }
        nodes { id isResolved isOutdated path line comments(last: 1) { nodes { body author { __typename login } } } }
      }
      commits(last: 1) { nodes { commit { oid statusCheckRollup { state contexts(first: 50) { nodes {
        __typename
        ... on CheckRun { name status conclusion isRequired(pullRequestId: $pull) checkSuite { app { slug } } }
        ... on StatusContext { context state description isRequired(pullRequestId: $pull) }
      } } } } } }
    }
  }
}
"""


def ask(hub: GitHub, token: str, document: str, **variables: Any) -> dict[str, Any]:
    answer = requests.post(
        f"{hub.web}/api/graphql", json={"query": document, "variables": variables},
        headers={"Authorization": f"bearer {token}"}, timeout=30,
    )  # fmt: skip
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


@pytest.fixture
def change(hub: GitHub) -> str:
    """A change; gives its node."""
    hub.push_by("tiny", "tt/one", {"a.txt": "one\ntwo\n"})
    return hub.open_pull("tiny", "tt/one").node_id


def test_every_field_that_is_answered_is_one_of_the_schema() -> None:
    known = graphql.schema().type_map
    assert [(t, f) for t, fields in FIELDS.items() for f in fields if f not in known[t].fields] == []  # type: ignore[attr-defined]
    assert graphql.errors(PROBE) == []
    assert graphql.errors("{ viewer { logn } }") == ["Cannot query field 'logn' on type 'User'. Did you mean 'login'?"]


def test_all_that_is_known_of_a_change_comes_in_one_answer(hub: GitHub, change: str) -> None:
    hub.protect("main", checks=["ci"], reviews=1)
    hub.check("ci", "failure")
    hub.check("Cursor Bugbot", "neutral", app="cursor")
    hub.status("CodeRabbit", "success", "Review rate limited", by="coderabbitai[bot]")
    hub.review("ann", "APPROVED")
    hub.review("passer-by", "CHANGES_REQUESTED")
    first = hub.thread("cursor[bot]", "a.txt", 1, "A bug")
    hub.reply("ann", first, "Indeed")
    hub.thread("ann", "a.txt", 2, "And this?")
    token = hub.token("tiny")
    ask(hub, token, PROBE, ids=[change], pull=change)
    told = ask(hub, token, PROBE, ids=[change], pull=change)
    seen = told["data"]["nodes"][0]
    assert (seen["mergeable"], seen["mergeStateStatus"], seen["reviewDecision"]) == ("MERGEABLE", "BLOCKED", "APPROVED")
    assert seen["latestOpinionatedReviews"]["nodes"] == [{"state": "APPROVED", "author": {"login": "ann"}}]
    assert (seen["reviewThreads"]["totalCount"], seen["reviewThreads"]["pageInfo"]["hasNextPage"]) == (2, True)
    assert seen["reviewThreads"]["nodes"][0]["comments"]["nodes"][0]["author"] == {"__typename": "User", "login": "ann"}
    rollup = seen["commits"]["nodes"][0]["commit"]["statusCheckRollup"]
    assert rollup["state"] == "FAILURE"
    assert {one.get("name") or one["context"]: one["isRequired"] for one in rollup["contexts"]["nodes"]} == {
        "ci": True, "Cursor Bugbot": False, "CodeRabbit": False,
    }  # fmt: skip


def test_mergeability_is_unknown_first_and_the_same_in_all_fields(hub: GitHub, change: str) -> None:
    hub.pull().unknown = 1
    words = "query($p: ID!) { node(id: $p) { ... on PullRequest { mergeable mergeStateStatus } } }"
    answers = [ask(hub, hub.token("tiny"), words, p=change)["data"]["node"] for _ in range(2)]
    assert [tuple(one.values()) for one in answers] == [("UNKNOWN", "UNKNOWN"), ("MERGEABLE", "CLEAN")]


def test_what_cannot_be_had_does_not_hide_the_rest(hub: GitHub, change: str) -> None:
    token = hub.token("tiny")
    told = ask(hub, token, PROBE, ids=["PR_1", change], pull=change)
    assert told["data"]["nodes"][0] is None
    assert told["data"]["nodes"][1]["number"] == hub.pull().number
    assert [(one["type"], one["path"]) for one in told["errors"]] == [("NOT_FOUND", ["nodes", 0])]


def test_a_token_without_checks_is_told_so_beside_the_rest(hub: GitHub, change: str) -> None:
    hub.check("ci", "failure")
    rights = {"pull_requests": "write", "contents": "write", "statuses": "write"}
    token = hub.token("tiny", kind="fine-grained", permissions=rights)
    told = ask(hub, token, PROBE, ids=[change], pull=change)
    assert told["data"]["nodes"][0]["commits"]["nodes"][0]["commit"]["statusCheckRollup"] is None
    assert [one["type"] for one in told["errors"]] == ["FORBIDDEN"]
    assert told["errors"][0]["message"] == "Resource not accessible by personal access token"
    refused = requests.get(
        f"{hub.base_url}/repos/octo/site/commits/{hub.pull().head_sha}/check-runs",
        headers={"Authorization": f"token {token}"}, timeout=30,
    )  # fmt: skip
    assert refused.status_code == 403
    assert refused.headers["X-Accepted-GitHub-Permissions"] == "checks=read"


def test_drafts_and_armed_merges_as_pygithub_does_them(hub: GitHub, repo: Repo) -> None:
    """What could be merged at once cannot be armed; what waits is merged when nothing holds it up any more."""
    hub.protect("main", checks=["ci"])
    hub.push_by("tiny", "tt/one", {"a.txt": "one\n"})
    change = repo.create_pull(base="main", head="tt/one", title="One", body="", draft=True)
    change.mark_ready_for_review()
    assert repo.get_pull(change.number).draft is False
    change.enable_automerge("SQUASH", expected_head_oid=change.head.sha)
    assert repo.get_pull(change.number).raw_data["auto_merge"]["merge_method"] == "squash"
    assert not repo.get_pull(change.number).merged
    hub.check("ci", "success")
    assert repo.get_pull(change.number).merged
    hub.push_by("tiny", "tt/two", {"b.txt": "one\n"})
    second = repo.create_pull(base="main", head="tt/two", title="Two", body="")
    hub.check("ci", "success")
    with pytest.raises(Exception, match="Pull request is in clean status"):
        second.enable_automerge("SQUASH")


def test_a_thread_is_answered_and_resolved(hub: GitHub, change: str) -> None:
    """It is outdated once its line is gone, and still open."""
    thread = hub.thread("ann", "a.txt", 2, "Why two?")
    token = hub.token("tiny")
    hub.push_by("tiny", "tt/one", {"a.txt": "one\nthree\n"})
    document = """mutation($t: ID!) {
      addPullRequestReviewThreadReply(input: {pullRequestReviewThreadId: $t, body: "Changed"}) { comment { body } }
      resolveReviewThread(input: {threadId: $t}) { thread { isResolved isOutdated resolvedBy { login } } }
    }"""
    told = ask(hub, token, document, t=thread.node_id)
    assert told["data"]["resolveReviewThread"]["thread"] == {
        "isResolved": True, "isOutdated": True, "resolvedBy": {"login": "tiny"},
    }  # fmt: skip
    assert [one.body for one in thread.comments] == ["Why two?", "Changed"]
    assert len(hub.writes("POST", "/api/graphql")) == 1
    refused = ask(hub, hub.token("reader"), document, t=thread.node_id)
    assert refused["errors"][-1]["type"] == "FORBIDDEN"


def test_used_up_points_are_told_with_200(hub: GitHub) -> None:
    token = hub.token("tiny")
    hub.primary_limit("tiny", "graphql")
    assert ask(hub, token, "{ viewer { login } }")["errors"][0]["type"] == "RATE_LIMITED"
    hub.clock.advance(3600)
    assert ask(hub, token, "{ viewer { login } }")["data"] == {"viewer": {"login": "tiny"}}
