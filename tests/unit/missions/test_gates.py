"""What a change must pass, in order, each proof bound to one commit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.builders import NOW, a_fix, an_item, asking, passed, ready, with_attempt, with_change
from tinytown.missions import gates
from tinytown.missions.gates import Hold, Nothing, Publish, Run, Settle, Step, next_step
from tinytown.missions.records.evidence import ForgeVerdict
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.missions.states import ItemState, Purpose, WaitReason

CHECK, REVIEW, MERGE = Run(Purpose.CHECK), Run(Purpose.REVIEW), Run(Purpose.MERGE)
BY_HAND = {"auto_merge": False, "settle_on": "approved"}


def step(item: Item, **policy: Any) -> Step:
    return next_step(item, Policy(**policy))


@pytest.mark.parametrize(
    ("item", "then"),
    [
        (an_item(), Nothing()),
        (ready(), Run(Purpose.WORK)),
        (with_change(state=ItemState.FIXING, fix=a_fix()), Run(Purpose.FIX)),
        (with_change(published=None), Publish()),
        (with_change(published="older"), Publish()),
        (with_change(), CHECK),
        (with_change(checked="head"), REVIEW),
        (passed(), MERGE),
        (passed(merged="m", merged_head="head"), Settle()),
        (passed(state=ItemState.DONE, merged="m", merged_head="head"), Nothing()),
        (an_item(state=ItemState.FAILED), Nothing()),
        (an_item(state=ItemState.CANCELLED), Nothing()),
        (an_item(state=ItemState.SKIPPED), Nothing()),
    ],
)
def test_the_gates_in_order(item: Item, then: Step) -> None:
    """Work, publish, checks, review, merge, settle."""
    assert step(item) == then


@pytest.mark.parametrize(
    ("stale", "then"),
    [
        ({"checked": "older", "approved": "older"}, CHECK),
        ({"checked": "head", "approved": "older"}, REVIEW),
        ({"checked": "older", "approved": "head"}, CHECK),
        ({"checked": "head", "approved": "head", "merged": "m", "merged_head": "older"}, MERGE),
        ({"checked": "head", "approved": "result/0"}, REVIEW),
    ],
)
def test_a_proof_of_another_commit_counts_for_nothing(stale: dict[str, Any], then: Step) -> None:
    assert step(with_change(**stale)) == then


def test_human_approvals_come_after_the_review_and_are_bound_to_the_commit() -> None:
    required = {"required_approvals": 2}
    held = step(passed(), **required)
    assert isinstance(held, Hold)
    assert held.reason is WaitReason.APPROVAL
    assert isinstance(step(passed(human_approved="older"), **required), Hold)
    assert step(passed(human_approved="head"), **required) == MERGE
    assert step(with_change(human_approved="head"), **required) == CHECK


def test_gates_that_are_not_wanted_are_left_out() -> None:
    assert step(with_change(), checks=False) == REVIEW
    assert step(with_change(checked="head"), reviewer_required=False) == MERGE
    assert step(with_change(), checks=False, reviewer_required=False, **BY_HAND) == Settle()


def test_nothing_is_judged_before_the_forge_has_it() -> None:
    for policy in ({}, {"checks": False}, BY_HAND):
        assert step(passed(published="older"), **policy) == Publish()


@pytest.mark.parametrize("kind", ["research", "review"])
def test_without_a_change_checks_and_merge_do_not_apply(kind: str) -> None:
    item = an_item(state=ItemState.IN_REVIEW, kind=kind, attempts=1)
    assert step(item) == (Settle() if kind == "review" else REVIEW)
    assert step(item.evolve(approved="result/1")) == Settle()
    assert step(item.evolve(approved="result/0")) == (Settle() if kind == "review" else REVIEW)


def test_what_only_a_word_calls_a_review_is_done_when_somebody_says_so() -> None:
    """Else an agent that does nothing would finish "Add a review form", and what depends on it would start."""
    guessed = an_item(state=ItemState.IN_REVIEW, kind="review", kind_named=False, attempts=1)
    assert step(guessed) == REVIEW
    assert step(guessed.evolve(approved="result/1")) == Settle()
    unseen = Policy(reviewer_required=False)
    for kind in ("review", "research"):
        assert gates.may_only_answer(an_item(kind=kind), unseen)
        assert not gates.may_only_answer(an_item(kind=kind, kind_named=False), unseen)
        assert gates.may_only_answer(an_item(kind=kind, kind_named=False), Policy())
    assert not gates.may_only_answer(an_item(), Policy())


def test_a_change_is_reviewed_whatever_its_kind() -> None:
    """A word in an issue makes it a review; that must not open the base to whoever works on it."""
    for kind in ("design", "implement", "test", "review", "research", "docs", "fix"):
        assert step(with_change(checked="head", kind=kind)) == REVIEW
        assert step(with_change(checked="head", approved="head", kind=kind)) == MERGE


@pytest.mark.parametrize(
    ("policy", "in_review", "done"),
    [
        ({"auto_merge": True, "settle_on": "merged"}, MERGE, MERGE),
        ({"auto_merge": True, "settle_on": "approved"}, Settle(), MERGE),
        ({"auto_merge": False, "settle_on": "approved"}, Settle(), Nothing()),
        ({"auto_merge": False, "settle_on": "merged"}, WaitReason.MERGE, Nothing()),
    ],
)
def test_when_an_item_settles_and_who_merges_it(policy: dict[str, Any], in_review: Any, done: Step) -> None:
    now = step(passed(), **policy)
    assert (now.reason if isinstance(now, Hold) else now) == in_review
    assert step(passed(state=ItemState.DONE), **policy) == done


@pytest.mark.parametrize("settle_on", ["merged", "approved"])
def test_a_merge_by_hand_goes_through_the_same_gate(settle_on: str) -> None:
    policy = {"auto_merge": False, "settle_on": settle_on}
    assert step(passed(merge_wanted=True), **policy) == MERGE
    assert step(passed(state=ItemState.DONE, merge_wanted=True), **policy) == MERGE
    assert step(with_change(merge_wanted=True), **policy) == CHECK


def test_nothing_happens_beside_a_live_attempt_or_a_cry_for_help() -> None:
    for item in (ready(), passed(), with_change(), with_change(state=ItemState.FIXING), passed(state=ItemState.DONE)):
        assert step(asking(item)) == Nothing()
    assert step(with_attempt(ready())) == Nothing()
    assert step(with_attempt(with_change(), Purpose.CHECK)) == Nothing()


@pytest.mark.parametrize(
    ("item", "wants"),
    [
        (an_item(), False),
        (ready(), True),
        (with_change(published=None), True),
        (passed(), True),
        (passed(merged="m", merged_head="head"), True),
        (ready(not_before=NOW + 9), True),
        (asking(ready()), False),
    ],
)
def test_the_due_set_holds_what_would_run_publish_or_settle(item: Item, wants: bool) -> None:
    assert gates.wants_attempt(item, Policy()) is wants


def test_what_waits_for_somebody_outside_is_not_due() -> None:
    assert not gates.wants_attempt(passed(), Policy(auto_merge=False))
    assert not gates.wants_attempt(passed(), Policy(required_approvals=1))


@pytest.mark.parametrize(
    ("changes", "policy", "left"),
    [
        ({}, {"auto_merge": False}, True),
        ({}, {"auto_merge": True}, False),  # That merge is to come.
        ({"merge_wanted": True}, {"auto_merge": False}, False),
        ({"merged": "sha"}, {"auto_merge": False}, False),
        ({"change_url": ""}, {"auto_merge": False}, False),
        ({"state": ItemState.IN_REVIEW}, {"auto_merge": False}, False),
    ],
)
def test_what_is_done_without_being_merged_is_left_to_people(
    changes: dict[str, Any], policy: dict[str, Any], left: bool
) -> None:
    item = passed(**{"state": ItemState.DONE, "change_url": "https://github.com/octo/site/pull/4", **changes})
    assert gates.is_left_to_people(item, Policy(**policy)) is left


def test_where_a_forge_judges_a_process_of_its_own_speaks_to_it() -> None:
    """It is told of each new head, and of its approval; what it says decides, and no check of the town's own."""
    judged = {"forge_judges": True}
    fine = ForgeVerdict(sha="head", reviewable=True, passed=True)
    assert step(with_change(published="older"), **judged) == Run(Purpose.PUBLISH)
    assert isinstance(step(with_change(), **judged), Hold)
    assert step(with_change(forge_verdict=fine), **judged) == REVIEW
    approved = with_change(forge_verdict=fine, approved="head")
    assert step(approved, **judged) == Run(Purpose.PUBLISH)
    assert step(approved.evolve(told="head"), **judged) == MERGE
    assert isinstance(step(approved.evolve(told="head", forge_verdict=fine.evolve(sha="older")), **judged), Hold)
