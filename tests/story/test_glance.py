"""A large mission is shown by what moves, waits for somebody or goes next, and its size does not matter for that."""

from __future__ import annotations

from tests.fakes.builders import key
from tests.story.arranged import ATown, MakeTown
from tinytown.engine.operate import missions as operate
from tinytown.engine.views.glance import SHOWN, glance
from tinytown.engine.views.missions import mission_view
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import ItemState, Outcome

#: Bytes of an item's record, roughly; its key alone is much shorter.
A_RECORD = 300


def begun(town: ATown, size: int) -> str:
    """The first two of these issues fail, the others go on; what comes after the tenth waits for one of the ten."""
    waits: dict[int, tuple[int, ...]] = {n: () if n <= 10 else (n % 10 + 1,) for n in range(1, size + 1)}
    mission = town.begin(waits=waits).id
    for number in (1, 2):
        town.do(number, "ada", Report(outcome=Outcome.FAILED, summary="no"))
    return mission


def sent_for(town: ATown, mission: str) -> int:
    """Bytes that the server sends for a glance at a mission by somebody who has read nothing of it before."""
    store = town.context.store
    store._orders.clear()
    before = store.client.info("stats")["total_net_output_bytes"]
    glance(town.context, mission)
    return int(store.client.info("stats")["total_net_output_bytes"]) - int(before)


def test_of_a_large_mission_it_shows_what_matters_and_counts_the_rest(a_town: MakeTown) -> None:
    town = a_town(max_attempts=1)
    mission = begun(town, SHOWN + 50)
    whole, shown = mission_view(town.context, mission), glance(town.context, mission)
    states = {item.number: item.state for item in shown.items}
    at_work = {item.number for item in whole.items if item.attempt is not None}
    assert (len(at_work), {1, 2}) == (2, {n for n, state in states.items() if state is ItemState.FAILED})
    assert list(states)[:2] == sorted(at_work)
    assert set(range(1, 11)) == states.keys(), "all that is ready is next in line, and nothing that is pending"
    assert shown.counts() == whole.counts()
    assert shown.size == SHOWN + 50
    told = {item.key: item for item in whole.items}
    assert [item for item in shown.items if item != told[item.key]] == [], "each waits for what it says at length"
    assert shown.names()[key(1)] == "#1"


def test_of_a_small_mission_it_shows_all(a_town: MakeTown) -> None:
    town = a_town(max_attempts=1)
    mission = begun(town, 30)
    assert glance(town.context, mission).items == mission_view(town.context, mission).items


def test_many_that_need_a_person_are_not_all_shown(a_town: MakeTown) -> None:
    town = a_town(max_attempts=1)
    mission = begun(town, SHOWN + 50)
    operate.cancel(town.context, mission)
    shown = glance(town.context, mission)
    assert len(shown.items) == SHOWN
    # Which of them is the server's choice.
    assert {item.state for item in shown.items} <= {ItemState.CANCELLED, ItemState.FAILED}
    assert shown.counts() == mission_view(town.context, mission).counts()


def test_its_size_does_not_matter_for_what_is_read(a_town: MakeTown) -> None:
    """But for the keys of all items."""
    town = a_town(max_attempts=1)
    sizes = [SHOWN + 50, SHOWN + 650]
    missions = []
    for size in sizes:
        missions.append(begun(town, size))
        operate.cancel(town.context, missions[-1])
    small, large = (sent_for(town, mission) for mission in missions)
    assert (large - small) / (sizes[1] - sizes[0]) < A_RECORD / 2
