"""What a changed file asks of a recorded plan, and what running work stands in the way of."""

from __future__ import annotations

import time

from tests.unit.plans.plan_files import large, reading, stages
from tinytown.missions.states import ItemState
from tinytown.plans.difference import Change, Difference, Orphan, difference

RUNNING = {"a": ItemState.RUNNING}


def test_added_changed_unchanged_and_removed() -> None:
    """Keyed by id; lines, comments and places in the file do not count."""
    old = stages("gone", "a", "b", "c tags=['x']", "d")
    new = stages("d", "new", "c tags=['y']; agent='qa'", "a", 'b depends_on=["a"]', meta='description = "More"')
    assert difference(old, new, {}) == Difference(
        added=("new",),
        changed=(Change("c", ("tags", "agent")), Change("b", ("depends_on",))),
        unchanged=("d", "a"),
        removed=("gone",),
        meta=("description",),
    )
    same = difference(old, old, {"a": ItemState.DONE})
    assert same.nothing
    assert same.unchanged == ("gone", "a", "b", "c", "d")


def test_a_default_agent_changes_those_that_it_is_for() -> None:
    found = difference(stages("a", 'b agent="qa"'), stages("a", 'b agent="qa"', meta='default_agent = "docs"'), RUNNING)
    assert found.changed == (Change("a", ("agent",)),)
    assert found.orphans == (Orphan("a", ItemState.RUNNING, "it has begun with another `agent`"),)


def test_a_task_that_waits_for_others_though_it_says_the_same_is_changed() -> None:
    e, a, b = "e tags=['epic']", 'a parent="e"', 'b parent="e"'
    found = difference(stages(e, a, b), stages(e, b, a), {})
    assert found.changed == (Change("b", ("order",)), Change("a", ("order",)))


def test_a_file_that_is_behind_wishes_nothing() -> None:
    """A word that is a wish: neither how the task stands nor what the file said before."""
    old = stages("a", "b status='failed'")
    assert difference(old, old, {"a": ItemState.DONE, "b": ItemState.RUNNING}).nothing
    caught_up = stages("a status='done'", "b status='running'")
    assert difference(old, caught_up, {"a": ItemState.DONE, "b": ItemState.RUNNING}).nothing
    wish = difference(old, stages("a status='completed'", "b status='pending'"), {"a": ItemState.FAILED})
    assert wish.changed == (Change("a", ("status",)), Change("b", ("status",)))
    assert wish.orphans == ()
    assert difference(old, stages("a", "b status='failed'; result='x'"), {}).nothing


def test_work_under_way_is_no_wish_nor_is_the_other_word_for_not_begun() -> None:
    """Such states get into a file by a pull, and are old when it is pushed."""
    for word in ("running", "in_review", "fixing", "assigned"):
        behind = stages(f"a status='{word}'")
        assert difference(stages("a"), behind, {"a": ItemState.FIXING}).nothing, word
        assert difference(stages("a"), behind, {"a": ItemState.DONE}).nothing, word
    for recorded, now in (("pending", "ready"), ("ready", "pending")):
        old, new = stages(f"a status='{recorded}'"), stages(f"a status='{now}'")
        assert difference(old, new, RUNNING).nothing
        assert difference(stages("a status='failed'"), new, {"a": ItemState.FAILED}).changed


def test_running_work_is_not_taken_from_its_task() -> None:
    """Removed, described otherwise, made an epic, told to wait, or declared to be done."""
    old = stages("a", "b", "c", "done")
    states = {**RUNNING, "done": ItemState.DONE}

    def whys(*tasks: str) -> list[str]:
        return [one.why for one in difference(old, stages(*tasks), states).orphans]

    assert whys("b", "c", "done") == ["the file does not have it any more"]
    assert whys("a", "b", "c") == []
    assert whys("a status='cancelled'", "b", "c", "done") == ["it has begun with another `status`"]
    assert whys("a tags=['epic']", "b parent='a'", "c", "done") == ["it becomes an epic, which nobody works on"]
    assert whys("a depends_on=['b', 'done', 'new']", "b", "c", "done", "new") == [
        "it would have to wait for `b`, `new`"
    ]
    assert whys("a depends_on=['done']; tags=['x']", "b tags=['y']", "done") == []


def test_an_epic_under_way_may_get_more_tasks() -> None:
    """It is nobody's work, and waits for all that is in it."""
    old = stages("e tags=['epic']", 'a parent="e"')
    found = difference(
        old, stages("e tags=['epic']", 'a parent="e"', 'b parent="e"'), {**RUNNING, "e": ItemState.RUNNING}
    )
    assert (found.added, found.orphans) == (("b",), ())


def test_thousands_of_tasks_are_compared_quickly() -> None:
    old = reading(large(3_000)).require()
    new = reading(large(3_000).replace("thing number 7", "thing 7")).require()
    begun = time.process_time()
    found = difference(old, new, {})
    assert time.process_time() - begun < 5
    assert len(found.changed) + len(found.unchanged) == 3_000
    assert found.changed[0] == Change("task-00007", ("description",))
