"""What a judgement makes of an item, and how its gates go by it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.builders import NOW, a_mission, an_item, asking, passed, with_attempt, with_change
from tests.fakes.evidence import (
    HEAD,
    OLD,
    SEEN,
    a_case,
    checks,
    mergeability,
    protection,
    required,
    run,
    thread,
    threads,
)
from tinytown.missions import gates, mission_state
from tinytown.missions.evidence import outcome
from tinytown.missions.evidence.judgement import Ask, Fix, MarkReady, Wait
from tinytown.missions.gates import Hold, Run, Settle, Step
from tinytown.missions.records.evidence import ForgeVerdict, ReviewWarnings
from tinytown.missions.records.forge_evidence import Memory
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.missions.states import ItemState, Purpose, WaitReason

WATCHED = Policy(forge_judges=True)
REVIEW, MERGE = Run(Purpose.REVIEW), Run(Purpose.MERGE)


def item(**changes: Any) -> Item:
    return with_change(head=HEAD, change="42", **changes)


def applied(record: Item, **given: Any) -> Item:
    return outcome.applied(record, a_case(**given), now=NOW)[0]


def step(record: Item, **policy: Any) -> Step:
    return gates.next_step(record, WATCHED.evolve(**policy))


def test_nothing_is_reviewed_or_merged_before_its_evidence_was_judged() -> None:
    """Nor by a verdict on another head."""
    unseen = Hold(WaitReason.CHECK, "its newest commit is still to be looked at")
    assert step(item()) == unseen
    assert step(item(approved=HEAD, checked=HEAD)) == unseen
    assert step(item(forge_verdict=ForgeVerdict(sha=OLD, reviewable=True, passed=True))) == unseen
    settled = item(state=ItemState.DONE, approved=HEAD)
    assert step(settled) == gates.Nothing()
    assert step(applied(settled)) == MERGE


def test_the_gates_in_order() -> None:
    """Checks, review, approvals and conflicts, merge."""
    red = applied(item(), checks=checks(run(conclusion="")))
    assert step(red) == Hold(WaitReason.CHECK, "PR #42 is not merging because check `ci` has not finished")
    fine = applied(item())
    assert step(fine) == REVIEW
    assert step(fine.evolve(approved=HEAD, told=HEAD)) == MERGE
    assert step(fine, reviewer_required=False) == MERGE
    assert step(fine.evolve(approved=HEAD, told=HEAD), auto_merge=False, settle_on="approved") == Settle()


def test_a_change_that_lacks_only_people_is_reviewed_meanwhile() -> None:
    record = applied(item(), protection=protection(approvals=1))
    assert step(record) == REVIEW
    held = step(record.evolve(approved=HEAD, told=HEAD))
    assert isinstance(held, Hold)
    assert held.reason is WaitReason.APPROVAL
    assert "1 person must approve it" in held.remedy


def test_the_local_way_goes_by_its_own_checks_as_before() -> None:
    assert gates.next_step(passed(), Policy()) == MERGE
    assert gates.next_step(with_change(), Policy()) == Run(Purpose.CHECK)
    assert gates.next_step(with_change(forge_verdict=ForgeVerdict(sha="head", passed=True)), Policy()) == Run(
        Purpose.CHECK
    )


def test_failures_begin_one_fix_round_with_all_of_them() -> None:
    given = {
        "checks": checks(run("a", "failure", log="E  one"), run("b", "failure", log="E  two")),
        "threads": threads(thread()),
    }
    record, found = outcome.applied(item(), a_case(**given), now=NOW)
    assert isinstance(found, Fix)
    assert (record.state, record.fix_rounds) == (ItemState.FIXING, 1)
    assert record.fix is not None
    assert (record.fix.gate, record.fix.sha) == ("check", HEAD)
    for words in ("check `a` failed", "check `b` failed", "src/app.py:3"):
        assert words in record.fix.summary
    for words in ("E  one", "E  two", "Why?"):
        assert words in record.fix.details


def test_a_conflict_names_its_files_in_the_brief() -> None:
    record = applied(item(), mergeability=mergeability("dirty", conflicting_files=("a.py", "b.py")))
    assert record.fix is not None
    assert (record.fix.gate, record.fix.details) == ("merge", "a.py\nb.py")


def test_rounds_that_are_used_up_ask_and_no_later_look_lifts_that() -> None:
    red = {"checks": checks(run(conclusion="failure"))}
    record = applied(item(fix_rounds=3), **red)
    assert record.state is ItemState.IN_REVIEW
    assert record.waiting is not None
    assert record.waiting.reason is WaitReason.NEEDS_HELP
    again = applied(record, **red)
    assert (again.state, again.waiting) == (ItemState.IN_REVIEW, record.waiting)
    assert applied(record).waiting == record.waiting


def test_no_round_begins_under_an_attempt_or_where_a_person_is_asked_for_something_else() -> None:
    red = {"checks": checks(run(conclusion="failure"))}
    busy = with_attempt(item(), Purpose.REVIEW, agent="rita")
    for record in (busy, asking(item()), item(state=ItemState.DONE), an_item(head=HEAD, state=ItemState.CANCELLED)):
        after = applied(record, **red)
        assert after.evolve(forge_verdict=None) == record
        assert after.forge_verdict is not None


@pytest.mark.parametrize("given", [{}, {"checks": checks(run("other", ""))}])
def test_what_the_evidence_asks_for_is_asked_no_more_when_it_says_something_else(given: dict[str, Any]) -> None:
    """A person ran the check again: nobody has to type a command besides."""
    mission = a_mission(forge_judges=True)
    lost = {"checks": checks(run(conclusion="stale", id=0, workflow_run=0))}
    asked = mission_state.hold(applied(item(), **lost), mission, now=NOW)
    assert asked.waiting is not None
    assert asked.waiting.reason is WaitReason.NEEDS_HELP
    assert "see why it cannot run" in asked.waiting.remedy
    assert mission_state.hold(applied(asked, **lost), mission, now=NOW).waiting == asked.waiting
    after = applied(asked, **given)
    assert after.waiting is None
    assert isinstance(step(after), Run if not given else Hold)


def test_whoever_has_to_act_is_named() -> None:
    record, found = outcome.applied(item(), a_case(protection=protection(approvals=1)), now=NOW)
    assert isinstance(found, Ask)
    assert record.forge_verdict is not None
    assert record.forge_verdict.remedy.endswith("a person with write access: review it and approve it")
    waits, seen = outcome.applied(item(), a_case(checks=checks(run(conclusion=""))), now=NOW)
    assert isinstance(seen, Wait)
    assert waits.forge_verdict is not None
    assert waits.forge_verdict.until == seen.until


def test_what_a_person_must_approve_by_its_content_is_a_part_of_the_case() -> None:
    touched = item(review_warnings=ReviewWarnings(sha=HEAD, protected=("tinytown.toml",)))
    subject = outcome.subject(touched, name="PR #42", base="main", pushed_at=1.0)
    assert "tinytown.toml" in subject.needs_person
    approved = outcome.subject(touched.evolve(human_approved=HEAD), name="PR #42", base="main", pushed_at=1.0)
    assert approved.needs_person == ""


def test_the_third_look_at_a_head_is_the_one_that_asks() -> None:
    memory = Memory(head=HEAD, missing={"e2e": 2}, checks_seen_at=SEEN - 60)
    case = a_case(memory=memory, protection=protection(**required("e2e")))
    assert isinstance(outcome.applied(item(), case, now=NOW)[1], Ask)


def test_an_item_that_is_being_fixed_is_judged_as_one() -> None:
    fixing = item(state=ItemState.FIXING)
    assert outcome.subject(fixing, name="PR #42", base="main", pushed_at=1.0).fixing
    assert not outcome.subject(item(), name="PR #42", base="main", pushed_at=1.0).fixing


def test_a_draft_waits_for_its_own_reviewer() -> None:
    """And for none where none is wanted."""
    draft = {"mergeability": mergeability("draft", draft=True, draft_by_us=True)}
    waiting, found = outcome.applied(item(), a_case(**draft), now=NOW)
    assert found.actions == ()
    assert step(waiting) == REVIEW
    for record, policy in ((item(approved=HEAD), {}), (item(), {"reviewer_required": False})):
        assert outcome.applied(record, a_case(policy=policy, **draft), now=NOW)[1].actions == (MarkReady(),)
