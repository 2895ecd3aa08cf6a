"""What keeps a pull request from merging is read as it is; what cannot be read says so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.github.hub import GitHub
from tests.integration.github.bench import BRANCH, REPO, Bench
from tinytown.errors import (
    ConfigurationError,
    RateLimitError,
    StateError,
    TinytownError,
    UnclearError,
    UnreachableError,
)
from tinytown.forge.contract import Change
from tinytown.missions.evidence.schedule import Look
from tinytown.missions.records.forge_evidence import ChangeEvidence

LOOK = Look(due_at=130.0, good_until=200.0)


def read(bench: Bench, *changes: Change, **more: Any) -> list[ChangeEvidence]:
    found = bench.again().evidence(REPO, changes, LOOK, seen_at=100.0, **more)
    return [found[change.id] for change in changes]


def test_every_kind_of_a_change(bench: Bench, github: GitHub) -> None:
    change = bench.published(draft=True)
    github.protect("main", checks=["ci", ("build", "my-app")], reviews=1, strict=True)
    github.rule(
        "main",
        "required_status_checks",
        required_status_checks=[{"context": "lint"}],
        strict_required_status_checks_policy=False,
    )
    github.check("ci", "failure", log="one\n##[error]1 failed\nPost cleanup\n", workflow="CI")
    github.check("Cursor Bugbot", "neutral", app="cursor", summary="found 1 issue")
    github.check("slow")
    github.status("CodeRabbit", "success", "Review rate limited", by="coderabbitai[bot]")
    github.person("eve", "read")
    github.review("ann", "CHANGES_REQUESTED", "Say why")
    github.review("eve", "APPROVED")
    thread = github.thread("ann", "a.txt", 1, "Is that so?")
    github.reply("eve", thread, "No")
    bench.forge.answer_thread(REPO, thread.node_id, "Mended", about="t", resolve=False)
    github.comment("cursor[bot]", github.pull().number, "Skipping Bugbot: too large")
    github.comment("ann", github.pull().number, "Hello")
    (seen,) = read(bench, change)
    for kind in (seen.checks, seen.statuses, seen.bots, seen.reviews, seen.threads, seen.mergeability, seen.protection):
        assert kind is not None
        assert (kind.head, kind.seen_at, kind.due_at, kind.good_until) == (change.head, 100.0, 130.0, 200.0)
        assert kind.unreadable == ""
    assert seen.checks
    runs = {run.name: run for run in seen.checks.runs}
    assert (runs["ci"].status, runs["ci"].conclusion, runs["ci"].app) == ("completed", "failure", "github-actions")
    assert runs["ci"].log.splitlines()[-1] == "##[error]1 failed"
    assert (runs["Cursor Bugbot"].conclusion, runs["Cursor Bugbot"].app) == ("neutral", "cursor")
    assert (runs["slow"].status, runs["slow"].conclusion) == ("in_progress", "")
    assert seen.statuses
    assert [(s.context, s.state, s.description) for s in seen.statuses.contexts] == [
        ("CodeRabbit", "success", "Review rate limited")
    ]
    assert seen.reviews
    said = {review.author: review for review in seen.reviews.reviews if review.state != "commented"}
    assert (said["ann"].state, said["ann"].may_write, said["ann"].head) == ("changes_requested", True, change.head)
    assert (said["eve"].state, said["eve"].may_write) == ("approved", False)
    assert seen.reviews.author == "tinytown"
    assert seen.threads
    assert [(c.author, c.trusted, c.ours) for c in seen.threads.threads[0].comments] == [
        ("ann", True, False), ("eve", False, False), ("tinytown", True, True),
    ]  # fmt: skip
    assert seen.bots
    assert [one.body for one in seen.bots.comments] == ["Skipping Bugbot: too large"]
    assert seen.mergeability
    assert (seen.mergeability.draft, seen.mergeability.draft_by_us) == (True, True)
    assert seen.mergeability.base_tip == github.tip()
    assert seen.protection
    assert [(r.context, r.app_id is not None) for r in seen.protection.required] == [
        ("ci", False), ("build", True), ("lint", False),
    ]  # fmt: skip
    assert seen.protection.strict == "unknown", "only an administrator sees it"


def test_what_the_base_says_is_read_where_something_failed(bench: Bench, github: GitHub) -> None:
    old = github.tip()
    change = bench.published()
    github.check("ci", "failure", sha=old)
    github.push_by("ann", "main", {"b.txt": "b\n"})
    bench.forge.mirror(REPO)
    github.check("ci", "success")
    assert read(bench, change)[0].base_checks is None
    github.check("ci", "failure")
    base = read(bench, change)[0].base_checks
    assert base
    assert (base.head, [run.conclusion for run in base.runs]) == (old, ["failure"])


def test_conflicting_files_are_named(bench: Bench, github: GitHub) -> None:
    change = bench.published(head=bench.work({"README.md": "ours\n"}))
    github.push_by("ann", "main", {"README.md": "theirs\n"})
    seen = [read(bench, change)[0].mergeability for _ in range(3)][-1]
    assert seen
    assert (seen.conflicts, seen.state, seen.conflicting_files) == ("yes", "dirty", ("README.md",))


def test_a_repository_without_any_ci_says_so(bench: Bench, github: GitHub) -> None:
    change = bench.published()
    checks = read(bench, change)[0].checks
    assert checks
    assert (checks.runs, checks.has_ci) == ((), "no")
    github.workflow("CI", {"test": "success"}, approval=True)
    checks = read(bench, change)[0].checks
    assert checks
    assert checks.has_ci == "yes"


def test_workflows_that_wait_for_a_person_are_seen(bench: Bench, github: GitHub) -> None:
    """They have no check runs, so bots alone would make it green."""
    github.workflow("CI", {"test": "success"}, approval=True)
    change = bench.published()
    github.check("bot", "success", app="bot")
    checks = read(bench, change)[0].checks
    assert checks
    assert [(run.name, run.conclusion) for run in checks.workflows] == [("CI", "action_required")]


@pytest.mark.parametrize("actions", [True, False])
def test_a_token_that_cannot_read_checks(
    bench: Bench, github: GitHub, monkeypatch: pytest.MonkeyPatch, actions: bool
) -> None:
    change = bench.published()
    github.workflow("CI", {"test": "failure"})
    github.push_by("tinytown", BRANCH, {"b.txt": "b\n"})
    github.clock.advance(60)
    github.status("old-ci", "pending")
    rights = {"pull_requests": "write", "contents": "write", "statuses": "write", "metadata": "read", "issues": "write"}
    rights |= {"actions": "read"} if actions else {}
    monkeypatch.setenv("GH_TOKEN", github.token("tinytown", kind="fine-grained", permissions=rights))
    (seen,) = read(bench, change)
    assert seen.checks
    if actions:
        assert (seen.checks.source, seen.checks.unreadable) == ("actions", "")
        assert [(run.name, run.conclusion) for run in seen.checks.runs] == [("test", "failure")]
    else:
        assert seen.checks.lasting
        assert "read access to checks" in seen.checks.unreadable
    assert seen.statuses
    assert [(s.context, s.state) for s in seen.statuses.contexts] == [("old-ci", "pending")]
    assert seen.mergeability
    assert not seen.mergeability.unreadable


def test_many_are_read_at_once_and_one_that_is_gone_takes_none_along(bench: Bench, github: GitHub) -> None:
    changes = []
    for number in range(4):
        branch = f"{BRANCH}{number}"
        changes.append(bench.published(head=bench.work({f"{number}.txt": "x\n"}, branch=branch), branch=branch))
    gone = bench.published(head=bench.work({"y.txt": "y\n"}, branch=f"{BRANCH}y"), branch=f"{BRANCH}y")
    github.world.nodes.pop(gone.id)
    before = len(github.seen)
    found = bench.forge.evidence(REPO, [*changes, gone], LOOK, seen_at=100.0)
    assert found.keys() == {change.id for change in changes}
    assert sum(one.path == "/api/graphql" for one in github.seen[before:]) == 1
    # Too much for the server at once.
    github.fault("POST", "/api/graphql", 502)
    found = bench.forge.evidence(REPO, changes, LOOK, seen_at=100.0)
    assert len(found) == 4
    github.fault("POST", "/api/graphql", 502, times=None)
    with pytest.raises(UnreachableError):
        bench.forge.evidence(REPO, changes[:1], LOOK, seen_at=100.0)


def test_more_threads_than_a_page_holds(bench: Bench, github: GitHub) -> None:
    change = bench.published()
    for number in range(60):
        github.thread("ann", "a.txt", 1, f"Point {number}")
    threads = read(bench, change)[0].threads
    assert threads
    assert (len(threads.threads), threads.unread) == (60, 0)


def test_a_part_that_fails_takes_no_other_along_but_a_limit_ends_it(bench: Bench, github: GitHub) -> None:
    change = bench.published()
    github.fault("GET", "/repos/octo/site/rules/branches/main", 403, body={"message": "Upgrade to GitHub Pro"})
    (seen,) = read(bench, change)
    assert seen.protection
    assert seen.protection.lasting
    assert "Upgrade to GitHub Pro" in seen.protection.unreadable
    assert seen.reviews
    assert not seen.reviews.unreadable
    github.primary_limit("tinytown", "graphql")
    with pytest.raises(RateLimitError) as caught:
        read(bench, change)
    assert caught.value.wait > 60


def test_more_checks_than_a_page_holds(bench: Bench, github: GitHub) -> None:
    change = bench.published()
    for number in range(105):
        github.check(f"job {number}", "success", app="many")
    checks = read(bench, change)[0].checks
    assert checks
    assert (len(checks.runs), checks.unreadable) == (105, "")


def test_a_failed_job_is_run_again_once(bench: Bench, github: GitHub) -> None:
    github.workflow("CI", {"test": "failure"})
    change = bench.published()
    checks = read(bench, change)[0].checks
    assert checks
    (failed,) = checks.runs
    rerun = "/repos/octo/site/actions/jobs/*/rerun"
    github.fault("POST", rerun, 502, effect=True)
    with pytest.raises(UnclearError):
        bench.forge.run_again(REPO, failed.id, failed.workflow_run)
    bench.again().run_again(REPO, failed.id, failed.workflow_run)
    assert sum(one.is_for("POST", rerun) for one in github.seen) == 1


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("This workflow run cannot be retried", StateError),
        ("Resource not accessible by integration", ConfigurationError),
    ],
)
def test_a_refused_rerun_says_whether_the_token_or_the_run_is_the_cause(
    bench: Bench, github: GitHub, message: str, error: type[TinytownError]
) -> None:
    github.workflow("CI", {"test": "failure"})
    checks = read(bench, bench.published())[0].checks
    assert checks
    github.fault("POST", "/repos/octo/site/actions/jobs/*/rerun", 403, body={"message": message})
    with pytest.raises(error):
        bench.forge.run_again(REPO, checks.runs[0].id, checks.runs[0].workflow_run)
