"""A change is merged once, by the rules, and what the base holds is merged whatever GitHub said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.github.hub import GitHub
from tests.integration.github.bench import BRANCH, REPO, Bench
from tinytown.errors import ForeignCommitsError, RateLimitError
from tinytown.forge.github import faults

MERGE = "/repos/octo/site/pulls/*/merge"


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_merge_closes_the_issue_and_its_branch_goes(bench: Bench, github: GitHub, method: Any) -> None:
    change = replace(bench.published(), method=method)
    github.push_by("ann", "main", {"b.txt": "b\n"})
    merged = bench.settled(change)
    assert (merged.status, merged.sha) == ("merged", github.tip())
    assert github.repo.issues[1].state == "closed"
    github.push_by("ann", "main", {"later.txt": "later\n"})
    assert bench.again().observe(REPO, change).sha == merged.sha
    assert bench.again().merge(REPO, change, checked_tree=None, checks=None).sha == merged.sha
    assert bench.forge.delete_branch(REPO, change) == ""
    assert github.tip(BRANCH) == ""
    assert bench.forge.delete_branch(REPO, change) == ""
    seen = bench.again().observe(REPO, change)
    assert (seen.state, seen.sha) == ("merged", merged.sha)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 502},
        {"drop": True},
        {"status": 405, "body": {"message": "Pull Request is not mergeable"}},
        {"status": 409, "body": {"message": "Head branch was modified. Review and try the merge again."}},
        {"status": 422, "body": {"message": "Validation Failed"}},
        {"status": 200, "body": {"merged": False}},
    ],
    ids=str,
)
def test_it_landed_whatever_was_answered(bench: Bench, github: GitHub, fault: dict[str, Any]) -> None:
    change = bench.published()
    bench.settled(replace(change, base="nowhere"))  # GitHub knows by now whether it can be merged
    github.fault("PUT", MERGE, effect=True, **fault)
    merged = bench.settled(change)
    assert (merged.status, merged.sha) == ("merged", github.tip())
    assert sum(one.method == "PUT" for one in github.seen) == 1


@pytest.mark.parametrize("fault", [{"status": 502}, {"drop": True}], ids=str)
def test_a_lost_answer_is_unknown_until_the_base_tells(bench: Bench, github: GitHub, fault: dict[str, Any]) -> None:
    change = bench.published()
    github.fault("PUT", MERGE, **fault)
    merged = bench.settled(change)
    assert (merged.status, merged.sha) == ("unknown", None)
    assert merged.again
    assert bench.forge.observe(REPO, change).state == "open"
    assert bench.settled(change).status == "merged"


@pytest.mark.parametrize(
    ("message", "status", "words"),
    [
        ("Base branch was modified. Review and try the merge again.", "base_moved", "modified"),
        ("Merge commits are not allowed on this repository.", "blocked", "allow it in the settings of octo/site"),
        ("At least 1 approving review is required by reviewers with write access.", "blocked", "At least 1 approving"),
        ("Pull Request is not mergeable", "pending", "not mergeable"),
    ],
)
def test_a_refusal_says_why(bench: Bench, github: GitHub, message: str, status: str, words: str) -> None:
    change = bench.published()
    bench.settled(replace(change, base="nowhere"))
    github.fault("PUT", MERGE, 405, body={"message": message})
    result = bench.merge(change)
    assert (result.status, result.sha) == (status, None)
    assert words in result.details


def test_it_waits_while_github_computes(bench: Bench, github: GitHub) -> None:
    change = bench.published()
    github.mergeability_takes(2)
    result = bench.merge(change)
    assert (result.status, result.again) == ("pending", 5.0)
    assert not github.writes("PUT")
    assert bench.settled(change).status == "merged"


def test_what_people_do_with_it_is_understood(bench: Bench, github: GitHub) -> None:
    change = bench.published()
    github.push_by("ann", "dev", {"dev.txt": "dev\n"})
    pull = github.pull()
    pull.base = "dev"
    assert "directed #" in bench.merge(change).details
    assert bench.forge.observe(REPO, change).base == "dev"
    pull.base = "main"
    theirs = github.push_by("ann", BRANCH, {"b.txt": "b\n"})
    result = bench.settled(change)
    assert result.status == "head_moved"
    assert theirs[:10] in result.details
    github.merge_by("ann")
    taken = replace(change, head=theirs)
    seen = bench.forge.observe(REPO, taken)
    assert (seen.state, seen.sha) == ("merged", github.tip())
    # The base holds the older head, too, in that same commit.
    assert bench.forge.observe(REPO, change).sha == github.tip()
    assert not github.writes("PUT")


def test_an_administrators_token_does_not_get_past_the_rules(bench: Bench, github: GitHub) -> None:
    change = bench.published()
    github.person("tinytown", "admin")
    github.protect("main", reviews=1)
    result = bench.settled(change)
    assert result.status == "blocked"
    assert "lacks what GitHub's rules demand" in result.details
    assert not github.writes("PUT")
    github.review("ann", "APPROVED")
    assert bench.settled(change).status == "merged"


def test_a_branch_that_something_builds_on_or_that_has_more_is_kept(bench: Bench, github: GitHub) -> None:
    change = bench.published()
    github.push_by("ann", "next", {"n.txt": "n\n"}, on=change.head)
    github.open_pull("ann", "next", base=BRANCH)
    assert "is not proven to hold" in bench.forge.delete_branch(REPO, change)
    assert bench.settled(change).status == "merged"
    assert "is to go into" in bench.forge.delete_branch(REPO, change)
    github.close_pull()
    more = github.push_by("ann", BRANCH, {"more.txt": "more\n"})
    assert "is not proven to hold" in bench.forge.delete_branch(REPO, change)
    assert github.tip(BRANCH) == more


def test_a_limit_is_kept_and_nothing_sleeps(bench: Bench, github: GitHub) -> None:
    """With enough requests left it is a pause: the reset of the other limit is an hour away, or past."""
    change = bench.change()
    github.secondary_limit()
    with pytest.raises(faults.PauseError) as caught:
        bench.forge.publish(REPO, change)
    assert 55 < caught.value.wait <= 60
    seen = len(github.seen)
    for forge in (bench.forge, bench.again()):  # So does another process of the town.
        with pytest.raises(RateLimitError):
            forge.publish(REPO, change)
    assert len(github.seen) == seen


def test_the_base_is_merged_into_a_branch_once(bench: Bench, github: GitHub) -> None:
    change = bench.published(draft=True)
    assert bench.forge.update_branch(REPO, change) == change.head, "it holds the base"
    tip = github.push_by("ann", "main", {"b.txt": "b\n"})
    head = bench.forge.update_branch(REPO, change)
    assert head == github.tip(BRANCH) != change.head
    assert github.repo.bare.contains(tip, head)
    # The record of it was lost.
    assert bench.again().update_branch(REPO, change) == head
    updated = replace(change, head=head, pushed=head)
    assert bench.forge.publish(REPO, updated).id == change.id
    for _ in range(2):
        bench.again().mark_ready(REPO, updated)
    assert not github.pull().draft
    theirs = github.push_by("ann", BRANCH, {"c.txt": "c\n"})
    with pytest.raises(ForeignCommitsError) as caught:
        bench.again().update_branch(REPO, updated)
    assert caught.value.sha == theirs
    github.push_by("ann", "main", {"a.txt": "theirs\n"})
    assert bench.again().update_branch(REPO, replace(updated, head=theirs)) is None


def test_a_look_at_many_changes_asks_little(bench: Bench, github: GitHub) -> None:
    """Unchanged answers cost nothing of the rate limit, and git's copy is brought up to date once."""
    changes = []
    for number in range(3):
        branch = f"{BRANCH}{number}"
        changes.append(bench.published(head=bench.work({f"{number}.txt": "x\n"}, branch=branch), branch=branch))
    for change in changes * 2:  # By the second look it is computed whether they can be merged.
        bench.forge.observe(REPO, change)
    before = len(github.seen)
    for change in changes:
        assert bench.forge.observe(REPO, change).state == "open"
    asked = github.seen[before:]
    assert [one.status for one in asked if "/pulls/" in one.path] == [304] * 3
    assert sum("upload-pack" in one.path for one in asked) <= 2
    github.merge_by("ann")
    assert bench.forge.observe(REPO, changes[-1]).state == "merged", "at once, whatever the copy's age"
