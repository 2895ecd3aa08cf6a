"""What people do on GitHub while a mission runs is understood: nothing is lost, nothing is done twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.github.hub import GitHub
from tests.fakes.github.rules.workflows import JobPlan, Reader
from tests.integration.github.town import MakeTown, Town
from tinytown.engine.operate import items as operate_items
from tinytown.engine.watch import outside
from tinytown.missions.states import ItemState, MissionState
from tinytown.state import lookup
from tinytown.state.mail import CONDUCTOR


def done(town: Town, number: int = 1) -> Town:
    return town.until(lambda: town.item(number).state is ItemState.DONE and town.item(number).merged)


def creations(github: GitHub) -> int:
    return len(github.writes("POST", "/repos/*/pulls"))


def test_an_issue_becomes_a_merged_pull_request(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    town = done(a_town().start(1))
    assert town.pull().merged is not None
    assert github.repo.issues[1].state == "closed"
    assert town.state() is MissionState.COMPLETED


def test_one_that_is_born_conflicting_is_mended_at_once(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town()
    town.then = lambda: github.push_by("ann", "main", {"1.txt": "theirs\n"})
    town.start(1)
    town.look()
    assert [one.partition("\n")[0] for one in town.rounds] == ["merge: it conflicts with `main` in `1.txt`"]
    done(town)
    assert creations(github) == 1


def test_runs_that_wait_for_a_person_are_not_green_whatever_bots_say(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"}, approval=True)
    town = a_town().start(1)
    github.check("Cursor Bugbot", "success", app="cursor")
    town.until(town.standing_help)
    assert "approve its runs" in town.standing_help()[0]
    assert town.pull().merged is None
    github.approve_runs()
    done(town)


def test_a_failed_leg_and_a_skipped_last_job_are_one_round(a_town: MakeTown, github: GitHub) -> None:
    def green(read: Reader) -> Any:
        return "success" if read("green") else "failure"

    github.protect("main", checks=("finish",))
    github.workflow("CI", {"leg (3.11)": JobPlan(green), "finish": JobPlan("success", needs=("leg (3.11)",))})
    town = a_town()
    town.writes = [{"a.txt": "a\n"}, {"green": "yes\n"}]
    done(town.start(1))
    assert len(town.rounds) == 1
    assert "leg (3.11)" in town.rounds[0]
    assert "finish" not in town.rounds[0].partition("\n")[0]


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_merge_by_a_person_settles_it_and_its_dependents_start(a_town: MakeTown, github: GitHub, method: str) -> None:
    github.issue(2, "Next", "Depends on #1")
    github.workflow("CI", {"test": "success"})
    town = a_town(auto_merge=False).start(1, 2)
    assert town.item(2).state is ItemState.PENDING
    github.merge_by("ann", method=method)
    town.look()
    assert town.item().state is ItemState.DONE
    assert town.item(2).state is ItemState.IN_REVIEW
    assert town.pull(2).state == "open"


def test_a_merge_of_what_its_approval_settled_is_noticed_while_others_go_on(a_town: MakeTown, github: GitHub) -> None:
    github.push_by("ann", "dev", {"dev.txt": "dev\n"})
    github.issue(2, "Next", "Depends on #1")
    github.workflow("CI", {"test": "success"})
    town = a_town(base="dev", auto_merge=False)
    town.held = lambda item: item.number == 2
    town.start(1, 2).until(lambda: town.item().state is ItemState.DONE)
    assert not town.item().merged
    github.merge_by("ann", int(town.item().change or 0))
    town.look()
    assert town.item().merged == github.tip("dev")
    assert github.repo.issues[1].state == "closed"


def test_one_that_a_person_closes_is_asked_about_and_goes_on_when_a_person_opens_it(
    a_town: MakeTown, github: GitHub
) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town().start(1)
    github.close_pull(by="ann")
    town.look()
    assert "was closed without being merged" in town.said()
    town.look().look()
    assert town.pull().state == "closed"
    assert creations(github) == 1
    github.reopen_pull()
    done(town)


def test_one_that_a_person_directs_elsewhere_is_asked_about_and_goes_on_when_it_is_back(
    a_town: MakeTown, github: GitHub
) -> None:
    github.workflow("CI", {"test": "success"})
    github.push_by("ann", "dev", {"dev.txt": "dev\n"})
    town = a_town().start(1)
    town.pull().base = "dev"
    town.look()
    assert "is to go into `dev` now" in town.said()
    town.pull().base = "main"
    done(town)


def test_nobodys_commit_is_lost_where_a_person_pushes_while_an_agent_works(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "failure"})
    town = a_town().start(1)
    branch = town.item().branch
    theirs: list[str] = []

    def push() -> None:
        theirs.append(github.push_by("ann", branch, {"ann.txt": "ann\n"}))
        github.workflow("CI", {"test": "success"})
        town.taken = theirs

    town.then = push
    town.writes = [{"mended.txt": "mended\n"}, {"ann.txt": "ann\n", "mended.txt": "mended\n"}]
    done(town)
    assert github.repo.bare.contains(theirs[0], github.tip())
    assert github.repo.bare.show(github.tip(), "mended.txt")


def test_commits_of_a_person_that_conflict_with_an_agents_are_taken_in_by_a_round(
    a_town: MakeTown, github: GitHub
) -> None:
    github.workflow("CI", {"test": "failure"})
    town = a_town().start(1)

    def push() -> None:
        town.taken.append(github.push_by("ann", town.item().branch, {"1.txt": "ann\n"}))
        github.workflow("CI", {"test": "success"})

    town.then = push
    done(town)
    assert len(town.rounds) == 2
    assert "has commits of somebody else" in town.rounds[1]
    assert github.repo.bare.contains(town.taken[0], github.tip())


def test_what_a_person_adds_to_it_goes_through_all_gates(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town(auto_merge=False, settle_on="merged").start(1)
    town.until(lambda: town.item().approved)
    before = town.item().head
    theirs = github.push_by("ann", town.item().branch, {"ann.txt": "ann\n"})
    town.until(lambda: town.item().approved == theirs)
    assert (town.item().head, town.item().published) == (theirs, theirs)
    assert before != theirs
    assert not town.rounds
    github.merge_by("ann")
    done(town)


def test_a_change_that_builds_on_another_is_merged_after_it(a_town: MakeTown, github: GitHub) -> None:
    github.issue(2, "Next", "Depends on #1")
    github.workflow("CI", {"test": "success"})
    town = a_town(settle_on="approved").start(1, 2)
    refusal = {"message": "Base branch was modified. Review and try the merge again."}
    github.fault("PUT", f"/repos/*/pulls/{town.item(1).change}/merge", 405, body=refusal, times=None)
    town.until(lambda: town.item(2).approved).look()
    assert town.said(2) == f"PR #{town.item(2).change} is merged once PR #{town.item(1).change} is, which it builds on"
    assert town.pull(2).merged is None
    github.faults.clear()
    done(town, 2)
    order = [one.place for one in github.writes("PUT", "/repos/*/merge") if not one.scripted]
    assert order == [f"/repos/octo/site/pulls/{town.item(number).change}/merge" for number in (1, 2)]


def test_a_thread_has_one_round_and_a_new_reply_one_more(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town(auto_merge=False, settle_on="merged").start(1)
    thread = github.thread("ann", "1.txt", 1, "Say why")
    town.until(lambda: thread.resolved_by)
    assert len(town.rounds) == 1
    town.look().look()
    assert len(thread.comments) == 2
    github.reply("ann", thread, "That is not why")
    thread.resolved_by = None
    town.until(lambda: thread.resolved_by)
    assert ["Say why" in town.rounds[0], "That is not why" in town.rounds[1]] == [True, True]
    assert len(town.rounds) == 2
    assert len(thread.comments) == 4


def test_a_repository_that_is_renamed_goes_on(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town().start(1)
    github.rename("octo/place")
    town.restart()
    done(town)
    assert creations(github) == 1


def test_an_issue_is_closed_and_dependents_start_where_the_base_is_not_the_default_branch(
    a_town: MakeTown, github: GitHub
) -> None:
    github.push_by("ann", "dev", {"dev.txt": "dev\n"})
    github.issue(2, "Next", "Depends on #1")
    github.workflow("CI", {"test": "success"})
    town = a_town(base="dev").start(1, 2)
    done(town)
    assert github.repo.issues[1].state == "closed"
    done(town, 2)


def test_a_branch_that_a_person_rewrites_is_taken_in(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town(auto_merge=False, settle_on="merged").start(1)
    branch = town.item().branch
    town.until(lambda: town.item().approved)
    bare = github.repo.bare
    github.push_by("ann", "main", {"main.txt": "main\n"})
    content = bare.show(town.item().head or "", "1.txt")
    theirs = github.push_by("ann", "rewritten", {"1.txt": content, "more.txt": "more\n"})
    github.force_push("ann", branch, theirs)
    town.look().look().look()
    head = town.item().head
    assert town.item().approved == head
    assert bare.contains(theirs, github.tip(branch))
    assert (github.tip(branch), town.rounds) == (head, [])
    github.merge_by("ann")
    done(town)


def test_a_branch_that_a_person_deletes_is_asked_about(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town().start(1)
    github.delete_branch(town.item().branch, by="ann")
    town.look().look()
    assert len(town.standing_help()) == 1
    assert creations(github) == 1


@pytest.mark.parametrize("gone", ["transferred", "deleted"])
def test_an_issue_that_is_gone_is_said_and_held_until_a_person_says_so(
    a_town: MakeTown, github: GitHub, gone: str
) -> None:
    github.workflow("CI", {"test": "success"})
    town, issue = a_town().start(1), github.repo.issues[1]
    github.at("octo/lib").person("tinytown")
    if gone == "deleted":
        github.delete_issue(1)
    else:
        github.transfer(1, "octo/lib", 7)
    town.look().look()
    said = [message.text for message in town.context.mail.read(CONDUCTOR) if "Issue #1 of mission" in message.text]
    assert len(said) == 1
    assert ("was moved to octo/lib#7" if gone == "transferred" else "can no longer be read") in said[0]
    town.look().look()
    assert (town.item().state, town.pull().merged) == (ItemState.IN_REVIEW, None)
    assert [reason.count("so nothing more is done for it") for reason in town.standing_help()] == [1]
    operate_items.retry(town.context, town.mission, "1")
    done(town)
    assert issue.state == ("closed" if gone == "transferred" else "open")


def test_a_look_at_a_waiting_pull_request_costs_little(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    github.issue(2, "Another")
    town = a_town(auto_merge=False, settle_on="merged").start(1, 2)
    town.until(lambda: "merge" in town.said(1) and "merge" in town.said(2))
    town.look()
    asked = len(github.seen)
    town.look()
    looked = github.seen[asked:]
    # A fetch of two requests, and one question about all pull requests.
    assert len([one for one in looked if one.status != 304]) == 3
    # What did not change counts for nothing: the repository, its base, and of each item its issue and its pull request.
    assert len([one for one in looked if one.status == 304]) == 6


def test_an_issue_that_comes_back_is_worked_on_again(a_town: MakeTown, github: GitHub) -> None:
    github.issue(2, "Next", "Depends on #1")
    github.workflow("CI", {"test": "success"})
    town = a_town().start(1, 2)
    issues = {number: github.repo.issues[number] for number in (1, 2)}
    for number in issues:
        github.delete_issue(number)
    town.look().look()
    assert (town.pull().merged, town.item(2).state) == (None, ItemState.PENDING)
    for number, issue in issues.items():
        github.repo.deleted.remove(number)
        github.repo.issues[number] = issue
    done(done(town), 2)


@pytest.mark.parametrize("when", ["it waits", "an agent works"])
def test_a_branch_that_a_person_set_back_is_asked_about_and_not_pushed_forward(
    a_town: MakeTown, github: GitHub, when: str
) -> None:
    github.workflow("CI", {"test": "failure"})
    town = a_town().start(1)
    branch, older = town.item().branch, town.item().head or ""
    town.until(lambda: len(town.rounds) == 1)
    if when == "it waits":
        github.force_push("ann", branch, older)
    else:
        town.then = lambda: github.force_push("ann", branch, older)
        town.until(lambda: len(town.rounds) == 2)
    town.look().look()
    assert github.tip(branch) == older
    assert f"back to {older[:10]}" in town.said()
    assert len(town.standing_help()) == 1
    github.workflow("CI", {"test": "success"})
    operate_items.retry(town.context, town.mission, "1")
    done(town)
    assert github.repo.bare.contains(town.item().head or "", github.tip())


def test_notable_items_are_read_once_a_look(a_town: MakeTown, github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town(auto_merge=False, settle_on="merged").start(1)
    town.until(lambda: "merge" in town.said())
    reads: list[str] = []
    real = lookup.notable
    monkeypatch.setattr(lookup, "notable", lambda store, mission: reads.append(mission) or real(store, mission))
    town.pass_time(61)
    town.context._done_at.clear()
    outside.watch(town.context, town.mission)
    assert len(reads) == 1
