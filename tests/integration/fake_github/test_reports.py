"""Checks, statuses, reviews, and the runs of Actions behind them."""

from __future__ import annotations

import pytest
import requests
from github import GithubException
from github.Repository import Repository as Repo

from tests.fakes.github.hub import GitHub
from tests.fakes.github.rules.workflows import JobPlan


@pytest.fixture(autouse=True)
def change(hub: GitHub) -> None:
    hub.push_by("tiny", "tt/one", {"a.txt": "one\ntwo\n"})


def names(repo: Repo, sha: str) -> dict[str, str | None]:
    return {one.name: one.conclusion for one in repo.get_commit(sha).get_check_runs()}


def test_a_job_is_skipped_if_one_that_it_needs_failed(hub: GitHub, repo: Repo) -> None:
    """Until then nothing is seen of it; run again, only the failed ones are, and the rest is taken over."""
    state = {"ok": False}
    hub.workflow(
        "CI", takes=10, jobs={
            "lint": "success",
            "test": lambda read: "success" if state["ok"] else ("failure", f"read {read('a.txt')}"),
            "finish": JobPlan(needs=("lint", "test")),
        },
    )  # fmt: skip
    sha = hub.open_pull("tiny", "tt/one").head_sha
    assert names(repo, sha) == {"lint": None, "test": None}
    hub.clock.advance(10)
    assert names(repo, sha) == {"lint": "success", "test": "failure", "finish": "skipped"}
    run = next(iter(repo.get_workflow_runs(head_sha=sha)))
    assert (run.status, run.conclusion, run.event) == ("completed", "failure", "pull_request")
    state["ok"] = True
    assert run.rerun_failed_jobs()
    assert not run.rerun()
    hub.clock.advance(10)
    hub.clock.advance(10)
    assert names(repo, sha)["test"] == "success"
    hub.clock.advance(10)
    again = repo.get_workflow_run(run.id)
    assert (again.run_attempt, again.conclusion) == (2, "success")
    assert {one.name for one in again.jobs()} == {"lint", "test", "finish"}


def test_runs_may_wait_for_a_person(hub: GitHub, repo: Repo) -> None:
    hub.workflow("CI", {"test": "success"}, approval=True)
    sha = hub.open_pull("tiny", "tt/one").head_sha
    run = next(iter(repo.get_workflow_runs(head_sha=sha)))
    assert (run.conclusion, names(repo, sha)) == ("action_required", {})
    hub.approve_runs()
    assert names(repo, sha) == {"test": "success"}


def test_a_newer_push_cancels_older_runs(hub: GitHub, repo: Repo) -> None:
    hub.workflow("CI", {"test": "success"}, takes=10, cancels=True)
    old = hub.open_pull("tiny", "tt/one").head_sha
    new = hub.push_by("tiny", "tt/one", {"b.txt": "b\n"})
    assert (names(repo, old), names(repo, new)) == ({"test": "cancelled"}, {"test": None})


def test_a_log_is_at_another_address_for_a_minute_and_wants_no_token(hub: GitHub, repo: Repo) -> None:
    sha = hub.open_pull("tiny", "tt/one").head_sha
    hub.check("test", "failure", log="first\nlast\n", annotations=[{"path": "a.txt", "line": 1, "message": "Wrong"}])
    job = next(iter(next(iter(repo.get_workflow_runs(head_sha=sha))).jobs()))
    assert [one.message for one in repo.get_check_run(job.id).get_annotations()] == ["Wrong"]
    where = job.logs_url()
    assert requests.get(where, timeout=30).text == "first\nlast\n"
    part = requests.get(where, headers={"Range": "bytes=-5"}, timeout=30)
    assert (part.status_code, part.text) == (206, "last\n")
    assert requests.get(where, headers={"Authorization": "token x"}, timeout=30).status_code == 400
    hub.clock.advance(61)
    assert requests.get(where, timeout=30).status_code == 403


def test_checks_and_statuses_are_two_systems(hub: GitHub, repo: Repo) -> None:
    """Nothing reported is pending for the one, and nothing for the other."""
    commit = repo.get_commit(hub.open_pull("tiny", "tt/one").head_sha)
    assert (commit.get_combined_status().state, commit.get_combined_status().total_count) == ("pending", 0)
    commit.create_status("success", description="Approved", context="tinytown/review")
    commit.create_status("failure", context="legacy")
    commit.create_status("success", context="legacy")
    assert commit.get_combined_status().state == "success"
    assert [one.context for one in commit.get_statuses()] == ["legacy", "legacy", "tinytown/review"]
    assert commit.get_check_runs().totalCount == 0
    first = hub.check("build", "failure", app="one")
    hub.check("build", "success", app="two")
    hub.check("build", "success", app="one")
    assert [one.app.slug for one in commit.get_check_runs()] == ["one", "two"]
    assert first.id in [one.id for one in commit.get_check_runs(filter="all")]
    with pytest.raises(GithubException, match="must authenticate via a GitHub App"):
        repo.create_check_run("mine", commit.sha)


def test_reviews_are_kept_in_their_order_and_can_be_dismissed(hub: GitHub, repo: Repo) -> None:
    hub.protect("main", reviews=1)
    hub.person("bea")
    number = hub.open_pull("tiny", "tt/one").number
    pull = repo.get_pull(number)
    pull.create_review_request(reviewers=["bea"])
    assert [one.login for one in pull.get_review_requests()[0]] == ["bea"]
    wish = hub.review("bea", "CHANGES_REQUESTED", "Say why")
    hub.review("ann", "APPROVED")
    assert [(one.user.login, one.state) for one in pull.get_reviews()] == [
        ("bea", "CHANGES_REQUESTED"), ("ann", "APPROVED"),
    ]  # fmt: skip
    repo.get_pull(number)
    assert repo.get_pull(number).mergeable_state == "blocked"
    pull.get_review(wish.id).dismiss("It was answered")
    assert repo.get_pull(number).mergeable_state == "clean"
    with pytest.raises(GithubException, match="Can not approve your own pull request"):
        pull.create_review(event="APPROVE")


def test_comments_on_lines_are_threads(hub: GitHub, repo: Repo) -> None:
    number = hub.open_pull("tiny", "tt/one").number
    pull = repo.get_pull(number)
    comments = [{"path": "a.txt", "line": 2, "side": "RIGHT", "body": "Two?"}]
    made = pull.create_review(body="See below", event="COMMENT", comments=comments)
    said = next(iter(pull.get_single_review_comments(made.id)))
    pull.create_review_comment_reply(said.id, "Two.")
    assert [(one.body, one.in_reply_to_id) for one in pull.get_review_comments()] == [("Two?", None), ("Two.", said.id)]
    assert [one.line for one in hub.pull().threads] == [2]
    with pytest.raises(GithubException, match="could not be resolved"):
        pull.create_review(event="COMMENT", comments=[{"path": "none.txt", "line": 1, "body": "?"}])


def test_an_outdated_branch_is_updated_where_its_head_is_the_expected_one(hub: GitHub, repo: Repo) -> None:
    hub.protect("main", strict=True)
    number = hub.open_pull("tiny", "tt/one").number
    hub.push_by("ann", "main", {"c.txt": "more\n"})
    repo.get_pull(number)
    pull = repo.get_pull(number)
    assert pull.mergeable_state == "behind"
    assert not pull.update_branch(expected_head_sha="1" * 40)
    assert pull.update_branch(expected_head_sha=pull.head.sha)
    repo.get_pull(number)
    assert repo.get_pull(number).mergeable_state == "clean"
