"""What is lost is found by the indexes, without reading the mission; and they can be made anew from the records."""

from __future__ import annotations

import pytest

from tests.fakes.builders import key
from tests.story.arranged import ATown, MakeTown, verdict
from tests.story.simulation import Crash, tell
from tinytown.engine.dispatch import attempts, reconcile
from tinytown.engine.dispatch.advance import advance
from tinytown.host.server import Server
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import ItemState, Outcome
from tinytown.state import lookup

#: Stories that are told with nothing but the indexes.
SEEDS = range(12)


@pytest.fixture
def by_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a mission so large that it takes many ticks until the page of an item comes."""
    monkeypatch.setattr(reconcile, "_repair_page", lambda *_, **__: None)


def as_an_older_release_left_it(town: ATown, mission: str) -> None:
    store = town.context.store
    keys = store.keys
    due = lookup.due(store, mission)
    made = (keys.lanes, keys.later, keys.opens, keys.notable, keys.counts, keys.tally)
    store.client.delete(*(name(mission) for name in made))
    store.client.hdel(keys.mission(mission), "indexed")
    if due:
        store.client.sadd(keys.due(mission), *due)


@pytest.mark.parametrize("look", ["tick", "advance", "report"])
def test_a_mission_of_an_older_release_gets_its_indexes(a_town: MakeTown, look: str) -> None:
    town = a_town(max_parallel_items=2)
    mission = town.begin(waits={1: (), 2: (), 3: (), 4: (1,)})
    claimed = town.claim(1, "ada")
    assert claimed is not None
    town.pass_time(1)
    as_an_older_release_left_it(town, mission.id)
    assert lookup.counts(town.context.store, mission.id) is None
    town.watcher.remember()
    match look:
        case "tick":
            reconcile.reconcile_all(town.context)
        case "advance":
            advance(town.context, mission.id)
        case "report":
            town.watcher.look = lambda: None  # type: ignore[method-assign]
            assert attempts.report(town.context, claimed, Report(outcome=Outcome.SUCCEEDED, head="c1"))
            del town.watcher.look  # type: ignore[method-assign]
    town.watcher.look()
    assert not town.context.store.client.exists(town.context.store.keys.due(mission.id))
    assert sum((lookup.counts(town.context.store, mission.id) or {}).values()) == 4


@pytest.mark.usefixtures("by_indexes")
def test_a_root_whose_message_was_lost_is_started_by_a_tick(a_town: MakeTown) -> None:
    town = a_town()
    mission = town.begin(waits={1: (), 2: (1,)})
    town.messages.clear()
    reconcile.reconcile_all(town.context)
    assert town.item(1).state is ItemState.ASSIGNED
    assert lookup.opens(town.context.store, mission.id) == {}


@pytest.mark.usefixtures("by_indexes")
def test_what_a_dead_process_had_not_released_is_started_by_a_tick(
    a_town: MakeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the settling was committed alone, and its edges were never sent."""
    monkeypatch.setattr(attempts, "_TOGETHER", 0)
    town = a_town(reviewer_required=False, settle_on="approved", auto_merge=False)
    mission = town.begin(waits={1: (), 2: (1,)})
    reconcile.reconcile_all(town.context)
    town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1"))
    claimed = town.claim(1, "checks")
    assert claimed is not None

    def die(where: str) -> None:
        if where.startswith("before sending"):
            raise Crash

    town.maybe_cut = die  # type: ignore[method-assign]
    with pytest.raises(Crash):
        attempts.report(town.context, claimed, verdict("c1"))
    del town.maybe_cut  # type: ignore[method-assign]
    assert (town.item(1).state, town.item(2).state) == (ItemState.DONE, ItemState.PENDING)
    assert [*lookup.opens(town.context.store, mission.id)] == [key(1)]
    reconcile.reconcile_all(town.context)
    assert town.item(2).state is ItemState.ASSIGNED
    assert lookup.opens(town.context.store, mission.id) == {}


@pytest.mark.usefixtures("by_indexes")
def test_who_waited_for_a_time_goes_on_after_it(a_town: MakeTown) -> None:
    town = a_town()
    mission = town.begin(waits={1: ()})
    reconcile.reconcile_all(town.context)
    town.do(1, "ada", Report(outcome=Outcome.FAILED, summary="no"))
    store = town.context.store
    assert store.admission_view(mission.id).due == {}
    assert lookup.due(store, mission.id) == [key(1)]
    town.pass_time(3600)
    reconcile.reconcile_all(town.context)
    assert town.item(1).state is ItemState.ASSIGNED


def test_a_reason_that_is_not_on_record_is_told(a_town: MakeTown) -> None:
    """As it is now: the worker that was busy is gone, the dependency that was open has failed."""
    from tinytown.engine.views.missions import mission_view

    town = a_town(max_parallel_items=1, max_attempts=1)
    mission = town.begin(waits={1: (), 2: (), 3: (1,)})

    def reasons() -> dict[int, str]:
        shown = mission_view(town.context, mission.id).items
        return {i.number: f"{i.waiting.reason}: {i.waiting.remedy}" for i in shown if i.waiting is not None}

    sent = next(n for n in (1, 2) if town.item(n).attempt is not None)
    assert sent == 1
    assert reasons() == {2: "slots: 1 of 1 slots are taken", 3: "dependencies: after #1"}
    for worker in town.workers:
        town.context.crew.leave(worker.name)
    town.pass_time(0)
    town.do(1, "ada", Report(outcome=Outcome.FAILED, summary="no"))
    assert reasons()[3].startswith("dependency_failed: retry #1")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("by_indexes")
def test_the_indexes_alone_carry_a_mission_through_everything(server: Server, seed: int) -> None:
    """Nothing but reasons for waiting needs more."""
    tell(seed, server.url)
