"""Issues: what depends on what, what is said below them, and where they are when they have moved."""

from __future__ import annotations

import pytest
import requests
from github import GithubException
from github.Repository import Repository as Repo

from tests.fakes.github.hub import GitHub
from tests.integration.fake_github.conftest import client


def test_what_blocks_an_issue_is_listed_even_when_it_is_closed(hub: GitHub, repo: Repo) -> None:
    first = hub.issue(1, "First", state="closed", reason="completed")
    second = hub.at("octo/lib").issue(4, "Elsewhere")
    hub.issue(2, "Second", "Depends", author="ann", labels=["api"], blocked_by=[first, second])
    seen = repo.get_issue(2)
    assert [one.raw_data["repository_url"][-9:] for one in seen.get_blocked_by()] == ["octo/site", "/octo/lib"]
    assert seen.raw_data["issue_dependencies_summary"] == {
        "blocked_by": 1, "total_blocked_by": 2, "blocking": 0, "total_blocking": 0,
    }  # fmt: skip
    assert [one.number for one in repo.get_issues()] == [2]
    assert [(one.number, one.state_reason) for one in repo.get_issues(state="closed")] == [(1, "completed")]


def test_comments_are_listed_by_pages_edited_and_deleted(hub: GitHub, repo: Repo) -> None:
    hub.issue(1, "First", comments=[("ann", f"Word {n}") for n in range(35)])
    seen = repo.get_issue(1)
    said = seen.create_comment("Hello <!-- marker -->")
    said.edit("Hello again")
    assert [one.body for one in seen.get_comments()][34:] == ["Word 34", "Hello again"]
    assert [one.place for one in hub.seen if one.query.get("page") == "2"]
    with pytest.raises(GithubException, match="Must have push access"):
        hub_client(hub, "stranger").get_issue(1).get_comment(said.id).delete()
    said.delete()
    assert len(hub.repo.issues[1].comments) == 35
    assert len(hub.writes("POST", "*/comments")) == 1


def hub_client(hub: GitHub, login: str) -> Repo:
    return client(hub, hub.token(login))


def test_an_issue_is_closed_with_its_reason_and_opened_again(hub: GitHub, repo: Repo) -> None:
    hub.issue(1, "First", author="ann")
    repo.get_issue(1).edit(state="closed", state_reason="not_planned")
    closed = repo.get_issue(1)
    assert (closed.state, closed.state_reason, closed.closed_by.login) == ("closed", "not_planned", "tiny")
    closed.edit(state="open")
    assert (repo.get_issue(1).state, repo.get_issue(1).state_reason) == ("open", "reopened")
    repo.get_issue(1).add_to_labels("api", "urgent")
    repo.get_issue(1).remove_from_labels("api")
    assert [one.name for one in repo.get_issue(1).labels] == ["urgent"]


def test_a_pull_request_answers_as_an_issue_and_not_the_other_way_round(hub: GitHub, repo: Repo) -> None:
    hub.issue(1, "First")
    hub.push_by("tiny", "tt/one", {"a.txt": "one\n"})
    change = hub.open_pull("tiny", "tt/one")
    assert repo.get_issue(change.number).pull_request is not None
    with pytest.raises(GithubException, match="404"):
        repo.get_pull(1)


def test_what_has_moved_is_found_by_reading_and_is_not_there_for_writing(hub: GitHub, repo: Repo) -> None:
    """A read is led on with its query; a write is not carried out at the old name."""
    hub.issue(1, "First")
    hub.issue(2, "Second")
    hub.issue(3, "Third")
    hub.transfer(2, "octo/lib", 7)
    hub.delete_issue(3)
    assert repo.get_issue(2).url.endswith("/octo/lib/issues/7")
    with pytest.raises(GithubException, match="410"):
        repo.get_issue(3)
    hub.rename("octo/shop")
    led = requests.get(f"{hub.base_url}/repos/octo/site/issues?state=all", allow_redirects=False, timeout=30)
    assert led.status_code == 301
    assert led.headers["Location"] == f"{hub.base_url}/repositories/{hub.repo.id}/issues?state=all"
    assert requests.get(led.headers["Location"], timeout=30).json()[0]["title"] == "First"
    token = {"Authorization": f"token {hub.token('tiny')}"}
    lost = requests.post(
        f"{hub.base_url}/repos/octo/site/issues",
        json={"title": "Lost"},
        headers=token,
        allow_redirects=False,
        timeout=30,
    )
    assert (lost.status_code, sorted(hub.repo.issues)) == (307, [1])
