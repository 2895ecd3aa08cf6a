"""How a mission stands as a whole, and why each of its items waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.fakes.builders import (
    NOW,
    a_mission,
    an_item,
    asking,
    key,
    passed,
    ready,
    waiting,
    with_attempt,
    with_change,
)
from tinytown.missions import mission_state
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, MissionState, Purpose, WaitReason

DONE = ItemState.DONE
BY_HAND = {"auto_merge": False, "settle_on": "merged"}
ON_APPROVAL = {"auto_merge": True, "settle_on": "approved"}


def records(*items: Item) -> dict[str, Item]:
    return {i.key: i for i in items}


# -- finished ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(ItemState))
def test_a_mission_is_complete_when_every_item_settled(state: ItemState) -> None:
    """A failed or cancelled item never settles."""
    items = [an_item(1, state=DONE), an_item(2, state=state)]
    assert mission_state.finished(a_mission(), items) == (state in (DONE, ItemState.SKIPPED))


def test_a_mission_is_not_complete_while_a_merge_is_due() -> None:
    unmerged = passed(state=DONE)
    assert not mission_state.finished(a_mission(**ON_APPROVAL), [unmerged])
    assert mission_state.finished(a_mission(**ON_APPROVAL), [unmerged.evolve(merged="m")])
    by_hand = a_mission(auto_merge=False, settle_on="approved")
    assert mission_state.finished(by_hand, [unmerged])
    assert not mission_state.finished(by_hand, [unmerged.evolve(merge_wanted=True)])


# -- startable -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(ItemState))
def test_an_item_starts_only_when_all_it_waits_for_has_settled(state: ItemState) -> None:
    item = an_item(3, after=(1, 2))
    assert mission_state.startable(item, records(an_item(1, state=DONE), an_item(2, state=state))) == state.settled


def test_a_dependency_that_cannot_be_read_has_not_settled() -> None:
    assert not mission_state.startable(an_item(2, after=(1,)), {})


def test_an_open_issue_outside_the_mission_holds_an_item() -> None:
    assert not mission_state.startable(an_item(blockers=("local/other#1",)), {})
    assert mission_state.startable(an_item(), {})


@pytest.mark.parametrize("state", [s for s in ItemState if s is not ItemState.PENDING])
def test_only_a_pending_item_can_start(state: ItemState) -> None:
    assert not mission_state.startable(an_item(state=state), {})


# -- why a pending item waits --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "two", "blockers", "why"),
    [
        (ItemState.RUNNING, DONE, (), WaitReason.DEPENDENCIES),
        (ItemState.RUNNING, ItemState.FAILED, (), WaitReason.DEPENDENCY_FAILED),
        (ItemState.CANCELLED, DONE, ("local/other#1",), WaitReason.DEPENDENCY_FAILED),
        (ItemState.PENDING, DONE, ("local/other#1",), WaitReason.DEPENDENCIES),
        (DONE, DONE, ("local/other#1",), WaitReason.EXTERNAL_BLOCKER),
        (DONE, ItemState.SKIPPED, (), None),
    ],
)
def test_a_pending_item_says_for_what_it_waits(
    one: ItemState, two: ItemState, blockers: tuple[str, ...], why: WaitReason | None
) -> None:
    item = an_item(3, after=(1, 2), blockers=blockers)
    new = mission_state.explain_pending(item, records(an_item(1, state=one), an_item(2, state=two)), now=NOW)
    assert (new.waiting.reason if new.waiting else None) == why
    if new.waiting is not None:
        assert "#" in new.waiting.remedy, "it names what it waits for"


def test_only_pending_items_are_explained() -> None:
    item = ready(3, after=(1,))
    assert mission_state.explain_pending(item, records(an_item(1)), now=NOW) is item


def test_a_held_change_says_so() -> None:
    mission = a_mission(**BY_HAND)
    held = mission_state.hold(passed(), mission, now=NOW)
    assert held.waiting is not None
    assert held.waiting.reason is WaitReason.MERGE
    assert mission_state.hold(held, mission, now=NOW + 5) is held
    free = with_change()
    assert mission_state.hold(free, mission, now=NOW) is free


# -- running or blocked --------------------------------------------------------------------------

LATER = NOW + 60
FAILED = asking(an_item(1, state=ItemState.FAILED))
BEHIND = waiting(an_item(2, after=(1,)), WaitReason.DEPENDENCY_FAILED)

STANDINGS = [
    ("a live attempt", [with_attempt(ready(1)), FAILED.evolve(key=key(9))], (), {}, MissionState.RUNNING),
    ("a ready item that somebody could take", [ready(1)], (), {}, MissionState.RUNNING),
    ("a ready item that nobody alive could take", [ready(1)], (1,), {}, MissionState.BLOCKED),
    ("nobody for one, work for another", [ready(1), ready(2)], (1,), {}, MissionState.RUNNING),
    ("a failed item and what waits for it", [FAILED, BEHIND], (), {}, MissionState.BLOCKED),
    ("a failed item beside one that goes on", [FAILED, ready(2)], (), {}, MissionState.RUNNING),
    ("a cancelled item", [an_item(1, state=ItemState.CANCELLED)], (), {}, MissionState.BLOCKED),
    ("a cry for help", [asking(with_change(1))], (), {}, MissionState.BLOCKED),
    ("a pause that ends by itself", [ready(1, not_before=LATER)], (), {}, MissionState.RUNNING),
    ("a cry for help is no pause", [asking(ready(1, not_before=LATER))], (), {}, MissionState.BLOCKED),
    ("an issue outside", [an_item(1, blockers=("local/x#1",))], (), {}, MissionState.BLOCKED),
    ("a change that a person has to merge is watched", [passed(1)], (), BY_HAND, MissionState.RUNNING),
    ("a change that people have to approve", [passed(1)], (), {"required_approvals": 1}, MissionState.RUNNING),
    ("an item about to be started", [an_item(1, state=DONE), an_item(2, after=(1,))], (), {}, MissionState.RUNNING),
    ("a merge that follows the approval", [passed(1, state=DONE)], (), ON_APPROVAL, MissionState.RUNNING),
    ("a merge that asks for help", [asking(passed(1, state=DONE))], (), ON_APPROVAL, MissionState.BLOCKED),
    ("a live merge of a done item", [with_attempt(passed(1, state=DONE), Purpose.MERGE)], (),
     ON_APPROVAL, MissionState.RUNNING),
]  # fmt: skip


@pytest.mark.parametrize(
    ("items", "nobody", "policy", "state"), [s[1:] for s in STANDINGS], ids=[s[0] for s in STANDINGS]
)
@pytest.mark.parametrize("before", [MissionState.RUNNING, MissionState.BLOCKED])
def test_blocked_is_when_only_a_person_a_worker_or_an_outside_issue_can_move_it(
    before: MissionState, items: Sequence[Item], nobody: tuple[int, ...], policy: dict[str, Any], state: MissionState
) -> None:
    mission = a_mission(state=before, **policy)
    assert mission_state.running_or_blocked(mission, items, nobody=[key(n) for n in nobody], now=NOW) is state


@pytest.mark.parametrize("state", [s for s in MissionState if not s.active])
def test_a_mission_that_does_not_work_stays_as_it_is(state: MissionState) -> None:
    assert mission_state.running_or_blocked(a_mission(state=state), [ready()], nobody=[], now=NOW) is state


def test_what_released_an_item_is_the_dependency_that_settled_last() -> None:
    first, second = (an_item(n, state=DONE, settled_at=at) for n, at in ((1, 20.0), (2, 10.0)))
    assert mission_state.released_by(an_item(3, after=(1, 2)), records(first, second)) == first.key
    assert mission_state.released_by(an_item(4), {}) == ""
