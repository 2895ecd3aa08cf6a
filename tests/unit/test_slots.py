"""Who of a worker process takes what."""

from __future__ import annotations

import threading

from tinytown_workers.serve.slots import Slot, Slots

ROLE = "role.backend"


def crew(*names: str) -> tuple[Slots, list[Slot]]:
    slots, found = Slots(ROLE), [Slot(name, "backend") for name in names]
    for slot in found:
        slots.add(slot)
    return slots, found


def work(number: int) -> tuple[str, str, int]:
    return ("mission", f"local/project#{number}", 1)


def test_whoever_has_been_idle_for_longest_takes_what_is_for_all() -> None:
    slots, (ann, bob) = crew("ann", "bob")
    assert slots.take(ROLE, work(1)) is ann
    assert slots.next(ann) is None
    assert slots.take(ROLE, work(2)) is bob
    assert slots.take(ROLE, work(3)) is ann
    assert slots.take("agent.carol", work(4)) is None, "nobody's here, and it is not kept"
    assert slots.next(ann) is None


def test_what_is_for_a_busy_one_waits_for_it_alone() -> None:
    """Whatever the others do meanwhile."""
    slots, (ann, bob) = crew("ann", "bob")
    assert slots.take("agent.ann", work(1)) is ann
    assert slots.take("agent.ann", work(2)) is None
    assert slots.take(ROLE, work(3)) is bob
    assert slots.next(bob) is None
    assert slots.next(ann) == work(2)
    assert ann.busy
    assert slots.next(ann) is None
    assert slots.idle


def test_what_finds_nobody_idle_goes_to_the_first_who_is() -> None:
    slots, (ann, bob) = crew("ann", "bob")
    taken = [slots.take(ROLE, work(number)) for number in (1, 2, 3)]
    assert taken == [ann, bob, None]
    assert slots.next(bob) == work(3)
    assert slots.next(ann) is None


def test_there_is_room_for_those_who_take_work_and_those_at_it() -> None:
    slots, (ann, bob, carol) = crew("ann", "bob", "carol")
    assert slots.capacity == 3
    slots.take("agent.bob", work(1))
    ann.paused = True
    bob.end()
    assert slots.capacity == 2, "one idle, and one at its last run"
    assert slots.take(ROLE, work(2)) is carol
    assert slots.next(bob) is None
    slots.remove(bob)
    assert [slot.name for slot in slots] == ["ann", "carol"]
    assert slots.capacity == 1


def test_a_closed_process_takes_nothing_more() -> None:
    """What it is at goes on; what was kept is another's to be sent."""
    slots, (ann,) = crew("ann")
    assert slots.take(ROLE, work(1)) is ann
    assert slots.take(ROLE, work(2)) is None
    slots.close()
    assert slots.take(ROLE, work(3)) is None
    assert (slots.capacity, slots.idle) == (1, False)
    assert slots.next(ann) is None
    assert (slots.capacity, slots.idle) == (0, True)


def test_the_run_of_one_that_goes_is_ended_whenever_that_is() -> None:
    _, (ann, bob) = crew("ann", "bob")
    before, after = threading.Event(), threading.Event()
    with ann.at_work(before):
        assert not before.is_set()
        ann.end()
        assert before.is_set()
    bob.end()
    with bob.at_work(after):
        assert after.is_set()


def test_one_takes_no_more_runs_than_it_may() -> None:
    """Not even what was kept for it."""
    slots, (ann, bob) = crew("ann", "bob")
    bob.paused = True
    ann.rounds_left = 2
    assert slots.take(ROLE, work(1)) is ann
    ann.begins()
    assert slots.take(ROLE, work(2)) is None
    assert slots.next(ann) == work(2)
    ann.begins()
    assert slots.take(ROLE, work(3)) is None
    assert slots.next(ann) is None
    assert slots.take(ROLE, work(4)) is None
    assert slots.capacity == 0


def test_one_stands_still_when_it_takes_nothing_and_its_run_does() -> None:
    slots, (ann, _) = crew("ann", "bob")
    assert not ann.still
    ann.paused = True
    assert ann.still, "it has no run"
    ann.paused = False
    slots.take("agent.ann", work(1))
    ann.paused = ann.hold.wanted = True
    assert not ann.still, "what it does now is no run that could be suspended"
    with ann.hold.part() as one, ann.hold.part() as other:
        one.still = True
        assert not ann.still
        other.still = True
        assert ann.still
    assert not ann.still


def test_whatever_may_be_told_of_one_changes_what_is_at_rest() -> None:
    """And while one is at work nothing is."""
    slots, (ann, bob) = crew("ann", "bob")
    seen = [slots.at_rest()]
    ann.rounds_left = 1
    seen.append(slots.at_rest())
    ann.paused = True
    seen.append(slots.at_rest())
    bob.end()
    seen.append(slots.at_rest())
    slots.remove(bob)
    seen.append(slots.at_rest())
    assert None not in seen
    assert all(one not in seen[:number] for number, one in enumerate(seen))
    ann.paused = False
    assert slots.at_rest() == [("ann", False, 1, False)]
    assert slots.take(ROLE, work(1)) is ann
    assert slots.at_rest() is None
