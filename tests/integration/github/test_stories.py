"""What GitHub says of a pull request in odd ways is taken for what it is, from the pull request to the item."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.github.hub import GitHub
from tests.integration.github.town import MakeTown, Town
from tinytown.missions.states import ItemState

MERGE = "/repos/octo/site/pulls/*/merge"


def done(town: Town) -> Town:
    return town.until(lambda: town.item().state is ItemState.DONE and town.item().merged)


def test_a_job_of_an_older_run_that_is_cancelled_late_says_nothing_of_the_newer_run(
    a_town: MakeTown, github: GitHub
) -> None:
    town = a_town().start(1)
    older = github.check("test")
    newer = github.check("test")
    last = github.check("finish", beside=newer)
    github.check("finish", "cancelled", beside=older)
    github.finish(older, "cancelled")
    town.look().look()
    assert (town.rounds, town.standing_help(), town.pull().merged) == ([], (), None)
    github.finish(newer, "success")
    github.finish(last, "success")
    done(town)


def test_one_apps_pass_does_not_cover_anothers_failure_of_the_same_name(a_town: MakeTown, github: GitHub) -> None:
    town = a_town().start(1)
    github.check("Build", "failure", app="app-a", summary="1 failed")
    github.check("Build", "success", app="app-b")
    town.look()
    assert [one.partition("\n")[0] for one in town.rounds] == ["check: check `Build` failed"]
    assert town.pull().merged is None
    github.check("Build", "success", app="app-a")
    github.check("Build", "success", app="app-b")
    done(town)


def test_looks_without_a_required_check_count_for_one_head_alone(a_town: MakeTown, github: GitHub) -> None:
    github.protect("main", checks=("old name",))
    github.workflow("CI", {"new name": "success"})
    town = a_town(auto_merge=False, settle_on="merged").start(1)
    town.look().look()
    assert "`old name`" in town.said()
    assert town.standing_help() == ()
    github.push_by("ann", town.item().branch, {"ann.txt": "ann\n"})
    town.look().look()
    assert "`old name`" in town.said()
    assert town.standing_help() == ()
    github.protect("main", checks=("new name",))
    town.restart()
    town.until(lambda: "merge" in town.said())


@pytest.mark.parametrize(
    "fault",
    [{"status": 502}, {"drop": True}, {"status": 405, "body": {"message": "Pull Request is not mergeable"}}],
    ids=str,
)
def test_a_merge_that_landed_is_one_whatever_was_answered(
    a_town: MakeTown, github: GitHub, fault: dict[str, Any]
) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town()
    github.fault("PUT", MERGE, effect=True, **fault)
    done(town.start(1))
    assert len(github.writes("PUT", MERGE)) == 1
    assert github.repo.issues[1].state == "closed"
    assert town.questions() == []


def test_an_outdated_thread_that_must_be_resolved_is_named_and_resolved_after_its_fix(
    a_town: MakeTown, github: GitHub
) -> None:
    more = ("dismiss_stale_reviews_on_push", "require_code_owner_review", "require_last_push_approval")
    rule = {"required_approving_review_count": 0, "required_review_thread_resolution": True}
    github.rule("main", "pull_request", **rule, **dict.fromkeys(more, False))
    github.workflow("CI", {"test": "success"})
    town = a_town(auto_merge=False, settle_on="merged").start(1)
    thread = github.thread("ann", "1.txt", 1, "Say why")
    github.push_by("ann", town.item().branch, {"1.txt": "another\n"})
    assert thread.outdated
    town.until(lambda: len(town.rounds) == 1)
    assert "in the outdated thread at 1.txt" in town.rounds[0]
    town.until(lambda: thread.resolved_by)
    assert len(town.rounds) == 1


@pytest.mark.parametrize("bot", ["CodeRabbit", "Cursor Bugbot"])
def test_a_bot_that_did_not_look_has_not_reviewed(a_town: MakeTown, github: GitHub, bot: str) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town(bots={"coderabbit" if bot == "CodeRabbit" else "bugbot": {"required": True}}).start(1)
    if bot == "CodeRabbit":
        github.status(bot, "success", "Review rate limited", by="coderabbitai[bot]")
    else:
        github.check(bot, "neutral", app="cursor", summary="Skipping Bugbot: the change is too large")
    town.until(town.standing_help)
    assert bot in town.standing_help()[0]
    assert (town.pull().merged, town.rounds) == (None, [])


def test_a_token_that_cannot_read_checks_is_said_at_the_start_and_the_rest_is_shown(
    a_town: MakeTown, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    rights = {"pull_requests": "write", "contents": "write", "statuses": "write", "metadata": "read", "issues": "write"}
    monkeypatch.setenv("GH_TOKEN", github.token("tinytown", kind="fine-grained", permissions=rights))
    github.workflow("CI", {"test": "success"})
    town = a_town().start(1)
    assert "cannot read check runs" in " ".join(town.remarks)
    github.status("old-ci", "failure", "3 of 9 failed")
    town.until(lambda: town.rounds)
    assert "old-ci" in town.rounds[0]
    town.until(town.standing_help)
    assert "its checks cannot be read" in town.standing_help()[0]
    assert town.pull().merged is None
