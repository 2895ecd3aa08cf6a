"""When a mission calls for help, with what words, and how often."""

from __future__ import annotations

import itertools

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
from tinytown.missions import escalation
from tinytown.missions.escalation import FIRST_PAUSE, MAX_PAUSE, next_help, reasons
from tinytown.missions.records.evidence import ForgeVerdict
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Help
from tinytown.missions.states import ItemState, MissionState, WaitReason

BLOCKED = a_mission(state=MissionState.BLOCKED)
OUTSIDE = waiting(an_item(3), WaitReason.EXTERNAL_BLOCKER, remedy="close local/x#1 as completed")
OUTSIDE_SAID = "Issue #3 waits for an issue outside the mission: close local/x#1 as completed"
LOOK = f"look at `tt work show 2 --log`, then run `tt mission retry {a_mission().short} 2`"

QUIET = [
    ready(),
    with_attempt(ready()),
    an_item(state=ItemState.DONE),
    an_item(state=ItemState.SKIPPED),
    waiting(ready(), WaitReason.SLOTS),
    waiting(ready(), WaitReason.NO_WORKER, remedy="every worker is busy"),
    waiting(ready(not_before=NOW + 30), WaitReason.BACKOFF),
    waiting(ready(not_before=NOW + 30), WaitReason.USAGE_LIMIT),
    waiting(ready(), WaitReason.BUDGET, remedy="others are in flight"),
    waiting(an_item(), WaitReason.DEPENDENCIES),
    waiting(with_change(), WaitReason.CHECK),
    waiting(with_change(), WaitReason.REVIEW),
    waiting(passed(not_before=NOW + 30), WaitReason.MERGE, until=NOW + 30),
    waiting(passed(), WaitReason.MERGE, remedy="every worker with the role checks is busy or starting"),
]


@pytest.mark.parametrize("item", QUIET, ids=lambda i: f"{i.state}-{i.waiting.reason if i.waiting else None}")
def test_what_moves_by_itself_needs_nobody(item: Item) -> None:
    """A long agent run is progress, a scheduled pause is, and so is a queue."""
    assert reasons(a_mission(), [item], nobody=[]) == ()


@pytest.mark.parametrize(
    "why", [WaitReason.NEEDS_HELP, WaitReason.NOT_LOGGED_IN, WaitReason.APPROVAL, WaitReason.BASE_DIRTY]
)
def test_what_only_a_person_can_end_is_said_even_while_others_work(why: WaitReason) -> None:
    found = reasons(a_mission(), [waiting(with_change(2), why, remedy="do this"), with_attempt(ready())], nobody=[])
    way_out = f"; {LOOK}" if why is WaitReason.NEEDS_HELP else ""
    assert found == (f"Issue #2 waits ({why.value.replace('_', ' ')}): do this{way_out}",)


def test_a_merge_that_a_person_must_make_is_said() -> None:
    by_hand = a_mission(auto_merge=False)
    assert reasons(by_hand, [waiting(passed(), WaitReason.MERGE, remedy="merge it")], nobody=[])
    assert reasons(by_hand, [waiting(passed(merge_wanted=True), WaitReason.MERGE)], nobody=[]) == ()


def test_what_is_to_be_done_at_a_forge_is_not_to_be_tried_again_here() -> None:
    said = ForgeVerdict(sha="head", reason=WaitReason.NEEDS_HELP, remedy="no check looks at it; merge it on GitHub")
    item = asking(passed(2, forge_verdict=said), said.remedy)
    assert reasons(a_mission(), [item], nobody=[]) == (f"Issue #2 waits (needs help): {said.remedy}",)
    assert LOOK in reasons(a_mission(), [asking(item, "publish failed 3 times")], nobody=[])[0]


@pytest.mark.parametrize("until", [None, 200.0])
def test_what_a_forge_is_still_at_needs_no_person(until: float | None) -> None:
    """As when GitHub computes whether a change can be merged, which nobody but it can end."""
    said = ForgeVerdict(sha="head", reason=WaitReason.MERGE, remedy="it is not known", until=until)
    item = waiting(passed(forge_verdict=said), WaitReason.MERGE, remedy="it is not known")
    assert bool(reasons(a_mission(auto_merge=False), [item], nobody=[])) is (until is None)
    other = waiting(item, WaitReason.MERGE, remedy="merge it")
    assert reasons(a_mission(auto_merge=False), [other], nobody=[])


def test_a_failed_item_is_said_with_its_last_words() -> None:
    failed = asking(an_item(2, state=ItemState.FAILED), "work failed 3 times")
    assert reasons(a_mission(), [failed, with_attempt(ready())], nobody=[]) == (
        f"Issue #2 failed: work failed 3 times; {LOOK}",
    )
    named = waiting(with_change(2), WaitReason.NEEDS_HELP, remedy="do this: `tt mission merge`")
    assert reasons(a_mission(), [named], nobody=[]) == ("Issue #2 waits (needs help): do this: `tt mission merge`",)


def test_ready_work_that_nobody_can_take_is_said() -> None:
    item = waiting(ready(2), WaitReason.NO_WORKER, remedy="run `tt spawn worker`")
    found = reasons(a_mission(), [item], nobody=[key(2)])
    assert found == ("Issue #2 is ready but nobody can take it: run `tt spawn worker`",)


def test_work_that_is_offered_in_vain_again_and_again_is_said() -> None:
    """Its workers are alive and idle, so nothing else would ever tell."""
    item = with_attempt(ready(2)).evolve(untaken=escalation.MAX_UNTAKEN)
    (found,) = reasons(a_mission(), [item], nobody=[])
    assert "no worker takes it" in found
    assert reasons(a_mission(), [item.evolve(untaken=escalation.MAX_UNTAKEN - 1)], nobody=[]) == ()


def test_a_pause_that_is_long_over_hides_nothing() -> None:
    stale = an_item(4, state=ItemState.DONE, not_before=1.0)
    assert reasons(BLOCKED, [OUTSIDE, stale], nobody=[]) == (OUTSIDE_SAID,)


def test_an_issue_outside_is_said_only_when_nothing_else_moves() -> None:
    assert reasons(a_mission(), [OUTSIDE, with_attempt(ready())], nobody=[]) == ()
    assert reasons(BLOCKED, [OUTSIDE], nobody=[]) == (OUTSIDE_SAID,)


def test_a_mission_that_only_cancelled_items_hold_up_says_so() -> None:
    """A blocked mission is never silent."""
    cancelled = an_item(1, state=ItemState.CANCELLED)
    behind = waiting(an_item(2), WaitReason.DEPENDENCY_FAILED)
    assert reasons(a_mission(), [cancelled, with_attempt(ready(4))], nobody=[]) == ()
    (found,) = reasons(BLOCKED, [cancelled, behind], nobody=[])
    assert found.startswith("Issue #1 is cancelled")


def test_reasons_come_in_the_items_order() -> None:
    items = [asking(with_change(n), "x") for n in (3, 1, 2)]
    assert [r.split()[1] for r in reasons(a_mission(), items, nobody=[])] == ["#3", "#1", "#2"]


def test_a_paused_mission_is_silent_unless_its_budget_paused_it() -> None:
    items = [asking(with_change())]
    by_hand = a_mission(state=MissionState.PAUSED, reason="lunch")
    assert reasons(by_hand, items, nobody=[]) == ()
    by_budget = a_mission(state=MissionState.PAUSED, reason="budget: $2.00 of $2.00 spent")
    assert reasons(by_budget, items, nobody=[]) == ("budget: $2.00 of $2.00 spent",)


# -- how often -----------------------------------------------------------------------------------


def test_help_is_asked_with_doubling_pauses_up_to_a_bound() -> None:
    help_, asked_at = None, []
    now = 0.0
    while now < 3 * MAX_PAUSE:
        help_, ask = next_help(help_, ["x"], now=now)
        if ask:
            asked_at.append(now)
        now += 60.0
    pauses = [b - a for a, b in itertools.pairwise(asked_at)]
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses == sorted(pauses)
    assert max(pauses) <= MAX_PAUSE
    assert help_ is not None
    assert (help_.since, help_.asked) == (0.0, len(asked_at))


def test_something_new_is_said_at_once() -> None:
    old, _ = next_help(None, ["x"], now=0.0)
    new, ask = next_help(old, ["x", "y"], now=1.0)
    assert ask
    assert new == Help(reasons=("x", "y"), since=0.0, asked=1, next_at=1.0 + FIRST_PAUSE)


def test_what_was_solved_is_dropped_without_asking() -> None:
    old, _ = next_help(None, ["x", "y"], now=0.0)
    fewer, ask = next_help(old, ["y"], now=1.0)
    assert not ask
    assert fewer is not None
    assert (fewer.reasons, fewer.next_at) == (("y",), FIRST_PAUSE)


def test_progress_ends_the_cry() -> None:
    old, _ = next_help(None, ["x"], now=0.0)
    assert next_help(old, [], now=1.0) == (None, False)
    assert next_help(None, [], now=1.0) == (None, False)


def test_nothing_to_write_between_two_cries() -> None:
    old, _ = next_help(None, ["x"], now=0.0)
    same, ask = next_help(old, ["x"], now=10.0)
    assert same is old
    assert not ask


def test_no_human_wait_is_forgotten() -> None:
    """Each reason of the model either ends by itself or is known as a person's."""
    by_itself = {
        WaitReason.DEPENDENCIES, WaitReason.DEPENDENCY_FAILED, WaitReason.EXTERNAL_BLOCKER, WaitReason.SLOTS,
        WaitReason.NO_WORKER, WaitReason.BACKOFF, WaitReason.USAGE_LIMIT, WaitReason.UNREACHABLE,
        WaitReason.DISK_FULL, WaitReason.NO_WORKSPACE, WaitReason.CHECK, WaitReason.REVIEW, WaitReason.MERGE,
        WaitReason.BUDGET, WaitReason.DAY_LIMIT, WaitReason.START_RATE, WaitReason.PAUSED,
    }  # fmt: skip
    assert by_itself | escalation.FOR_A_PERSON == set(WaitReason)
