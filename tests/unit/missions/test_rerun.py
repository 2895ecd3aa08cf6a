"""What begins anew with a task that is to be done again, and from what it goes on."""

from __future__ import annotations

from tests.fakes.builders import a_fix, an_item, key, ready, sent, with_change
from tinytown.missions import gates, rerun
from tinytown.missions.records.issue import Edge
from tinytown.missions.states import ItemState, Purpose, Source


def test_it_and_whatever_waited_for_it_begin_anew_and_nothing_else() -> None:
    items = {one.key: one for one in (an_item(1), an_item(2, after=(1,)), an_item(3, after=(2,)), an_item(4))}
    assert rerun.chosen(items, key(2)) == [key(2), key(3)]
    assert rerun.chosen(items, key(4)) == [key(4)]


def test_an_epic_begins_anew_with_all_that_is_in_it() -> None:
    """However deep; and what waited for one of them begins anew as well."""
    inner = tuple(Edge(on=key(number), source=Source.CHILD) for number in (2, 3))
    deep = (Edge(on=key(4), source=Source.CHILD),)
    items = {
        one.key: one
        for one in (
            an_item(1, kind=gates.EPIC, edges=inner),
            an_item(2),
            an_item(3, kind=gates.EPIC, edges=deep),
            an_item(4),
            an_item(5, after=(1,)),
            an_item(6),
        )
    }
    assert rerun.chosen(items, key(1)) == [key(number) for number in range(1, 6)]
    assert rerun.chosen(items, key(4)) == [key(number) for number in (1, 3, 4, 5)]


def test_what_is_merged_is_begun_from_the_base() -> None:
    """Nothing goes on from the branch that was merged: the base holds more by now."""
    done = with_change(
        state=ItemState.DONE, published="head", merged="m", merged_head="head", fence=7, attempts=3, cost_usd=1.5
    )
    new = rerun.again(done)
    assert new is not None
    assert (new.state, new.head, new.published, new.merged, new.salvage) == (ItemState.PENDING, None, None, None, None)
    assert (new.begun_after, new.fence, new.attempts, new.cost_usd) == (7, 7, 3, 1.5)


def test_what_is_not_merged_is_gone_on_from() -> None:
    fixing = with_change(state=ItemState.FIXING, fix=a_fix(), fix_rounds=3, fence=5)
    new = rerun.again(fixing)
    assert new is not None
    assert (new.state, new.head, new.fix, new.fix_rounds, new.begun_after) == (ItemState.PENDING, None, None, 0, 0)
    assert new.salvage == "head"
    failed = an_item(state=ItemState.FAILED, salvage="left", failures={"work": 3})
    again = rerun.again(failed)
    assert again is not None
    assert (again.salvage, again.failures, again.begun_after) == ("left", {}, 0)


def test_what_has_not_begun_stays() -> None:
    assert rerun.again(an_item()) is None
    assert rerun.again(ready()) is None
    assert rerun.again(an_item(state=ItemState.SKIPPED)) is None
    assert rerun.again(sent(ready(), Purpose.WORK)) is None
