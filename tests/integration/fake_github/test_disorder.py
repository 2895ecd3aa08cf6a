"""What tokens may not do, what limits refuse, and what a test lets go wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from github import GithubException
from github.Repository import Repository as Repo

from tests.fakes.github.descriptions.rest import violations
from tests.fakes.github.hub import GitHub
from tests.fakes.github.requests import Request
from tests.integration.fake_github.conftest import client, git

REFUSED = "Resource not accessible by personal access token"


def get(hub: GitHub, path: str, token: str = "", **headers: str) -> requests.Response:
    if token:
        headers["Authorization"] = f"token {token}"
    return requests.get(f"{hub.base_url}{path}", headers=headers, timeout=30)


def test_each_kind_of_token_is_told_its_own_way_what_it_may_not_do(hub: GitHub) -> None:
    sha = hub.tip()
    reader = hub.token("tiny", kind="fine-grained", permissions={"contents": "read", "pull_requests": "read"})
    assert get(hub, "/user", "wrong").status_code == 401
    refused = get(hub, f"/repos/octo/site/commits/{sha}/check-runs", reader)
    assert (refused.status_code, refused.json()["message"]) == (403, REFUSED)
    assert "X-OAuth-Scopes" not in refused.headers
    assert get(hub, "/user", hub.token("tiny")).headers["X-OAuth-Scopes"] == "repo, workflow"
    with pytest.raises(GithubException, match=REFUSED):
        client(hub, reader).create_git_ref("refs/heads/new", sha)
    app = hub.token("my-app[bot]", kind="app", permissions={"checks": "write"})
    made = client(hub, app).create_check_run("mine", sha, conclusion="success")
    assert (made.app.slug, made.conclusion) == ("my-app", "success")
    with pytest.raises(GithubException, match="Resource not accessible by integration"):
        client(hub, app).create_git_ref("refs/heads/new", sha)
    with pytest.raises(GithubException, match="push access"):
        client(hub, hub.token("stranger")).create_git_ref("refs/heads/new", sha)
    hub.repo.private = True
    assert get(hub, "/repos/octo/site", hub.token("stranger")).status_code == 404
    assert get(hub, "/repos/octo/site/branches/main/protection", hub.token("tiny")).status_code == 404


def test_pushes_are_refused_as_there(hub: GitHub, tmp_path: Path) -> None:
    """To a protected branch, of a workflow without the scope for it, by who may only read, and to hidden refs."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", hub.clone_url(), str(clone))
    (clone / ".github" / "workflows").mkdir(parents=True)
    (clone / ".github" / "workflows" / "ci.yml").write_text("on: push\n")
    git(clone, "add", ".")
    git(clone, "commit", "-qm", "CI")
    hub.protect("main")
    token, plain = hub.token("tiny"), hub.token("tiny", kind="oauth", scopes=("repo",))
    assert "GH006: Protected branch update failed" in git(clone, "push", "origin", "HEAD:main", token=token, code=1)
    assert "without `workflow` scope" in git(clone, "push", "origin", "HEAD:tt/one", token=plain, code=1)
    assert "deny updating a hidden ref" in git(clone, "push", "origin", "HEAD:refs/pull/9/head", token=token, code=1)
    assert "denied to stranger" in git(clone, "push", "origin", "HEAD:x", token=hub.token("stranger"), code=128)
    assert hub.repo.pushes == []
    git(clone, "push", "origin", "HEAD:tt/one", token=token)
    assert [who for who, *_ in hub.repo.pushes] == ["tiny"]
    lease = "--force-with-lease=tt/one:" + "1" * 40
    assert "stale info" in git(clone, "push", lease, "origin", "HEAD~:tt/one", token=token, code=1)


def test_a_reader_pays_nothing_for_what_has_not_changed(hub: GitHub) -> None:
    """The tag is bound to the token."""
    token, other = hub.token("tiny"), hub.token("ann")
    first = get(hub, "/repos/octo/site", token)
    again = get(hub, "/repos/octo/site", token, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["X-RateLimit-Remaining"] == first.headers["X-RateLimit-Remaining"] == "4999"
    assert get(hub, "/repos/octo/site", other, **{"If-None-Match": first.headers["ETag"]}).status_code == 200
    hub.repo.archived = True
    assert get(hub, "/repos/octo/site", token, **{"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_both_limits_refuse_in_their_own_words(hub: GitHub) -> None:
    token = hub.token("tiny")
    hub.primary_limit("tiny")
    used = get(hub, "/repos/octo/site", token)
    assert (used.status_code, used.headers["X-RateLimit-Remaining"]) == (403, "0")
    assert get(hub, "/repos/octo/site", hub.token("ann")).status_code == 200
    hub.clock.advance(3601)
    assert get(hub, "/repos/octo/site", token).status_code == 200
    hub.secondary_limit()
    hub.secondary_limit(after=60, status=429)
    both = [get(hub, "/repos/octo/site", token) for _ in range(2)]
    assert [(one.status_code, one.headers.get("Retry-After")) for one in both] == [(403, None), (429, "60")]
    assert both[0].headers["X-RateLimit-Remaining"] == "4771"


def test_an_effect_may_come_without_its_answer(hub: GitHub, repo: Repo) -> None:
    hub.push_by("tiny", "tt/one", {"a.txt": "one\n"})
    hub.fault("POST", "/repos/*/pulls", drop=True, effect=True)
    with pytest.raises(requests.ConnectionError):
        repo.create_pull(base="main", head="tt/one", title="One", body="")
    hub.fault("PUT", "/repos/*/pulls/*/merge", 502, effect=True)
    with pytest.raises(GithubException, match="502"):
        repo.get_pull(hub.pull().number).merge()
    assert hub.pull().merged is not None
    hub.fault("POST", "/repos/*/issues", drop=True)
    with pytest.raises(requests.ConnectionError):
        repo.create_issue("Lost")
    assert sorted(hub.repo.issues) == [hub.pull().number]
    assert [(one.method, one.status) for one in hub.writes()] == [("POST", 0), ("PUT", 502)]


def test_a_push_may_land_without_its_answer(hub: GitHub, tmp_path: Path) -> None:
    """Git sends it again by itself, and is told that the branch is there already."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", hub.clone_url(), str(clone))
    git(clone, "commit", "-qm", "Work", "--allow-empty")
    hub.fault("POST", "*/git-receive-pack", drop=True, effect=True)
    git(clone, "push", "-q", "origin", "HEAD:tt/one", token=hub.token("tiny"), code=1)
    assert hub.tip("tt/one") == git(clone, "rev-parse", "HEAD").strip()
    assert [(who, branch) for who, branch, _, _ in hub.repo.pushes] == [("tiny", "tt/one")]


def test_an_answer_may_be_late_broken_off_or_another_one(hub: GitHub) -> None:
    hub.fault("GET", "/repos/*", truncate=20)
    with pytest.raises(requests.RequestException):
        get(hub, "/repos/octo/site")
    hub.fault("GET", "/repos/*", 502, body=b"<html>Unicorn!</html>", times=2)
    assert [get(hub, "/repos/octo/site").status_code for _ in range(3)] == [502, 502, 200]
    hub.fault("GET", "/repos/*", delay=30)
    with pytest.raises(requests.Timeout):
        requests.get(f"{hub.base_url}/repos/octo/site", timeout=0.2)


def test_a_test_can_step_in_before_and_after_each_write(hub: GitHub, repo: Repo) -> None:
    met: list[str] = []

    def before(request: Request) -> None:
        met.append(f"before {request.place} {len(hub.repo.issues)}")

    hub.before_write.append(before)
    hub.after_write.append(lambda request: met.append(f"after {request.status} {len(hub.repo.issues)}"))
    repo.create_issue("One")
    assert met == ["before /repos/octo/site/issues 0", "after 201 1"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer", "says"),
    [
        ("GET", "/repos/octo/site/nonsense", None, 200, {}, "no such operation"),
        ("GET", "/repos/octo/site/pulls?stat=all", None, 200, [], "no parameter `stat`"),
        ("GET", "/repos/octo/site/pulls?state=most", None, 200, [], "parameter `state` cannot be 'most'"),
        ("POST", "/repos/octo/site/pulls", {"head": "a"}, 201, None, "body .: 'base' is a required property"),
        ("POST", "/repos/octo/site/statuses/1", {"state": "green"}, 201, None, "body state: 'green' is not one of"),
        ("PATCH", "/repos/octo/site/pulls/1", {"draft": False}, 200, None, "no field `draft` in the body"),
        ("GET", "/repos/octo/site/pulls/1/reviews", None, 200, [{"id": "x"}], "answer 0: 'node_id' is a required"),
        ("GET", "/repos/octo/site/pulls", None, 201, [], "never answers 201"),
        ("GET", "/repos/octo/site/pulls", None, 404, "gone", "a refusal without a message"),
    ],
)
def test_what_github_does_not_describe_is_noticed(
    hub: GitHub, method: str, path: str, body: Any, status: int, answer: Any, says: str
) -> None:
    sent = json.dumps(body).encode() if body is not None else b""
    request = Request(method, f"/api/v3{path}", "", {}, sent, 0.0, status=status, answer=answer)
    assert any(says in one for one in violations([request])), violations([request])
