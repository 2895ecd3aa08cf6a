"""The loop by which records change: again where somebody was quicker, and not for ever."""

from __future__ import annotations

import pytest

from tests.story.arranged import MakeTown
from tinytown.engine.commit import commit
from tinytown.errors import ConflictError, StateError
from tinytown.state.change import Change


def test_whoever_was_forestalled_decides_anew_from_what_is_there(a_town: MakeTown) -> None:
    town = a_town()
    mission = town.begin(waits={1: ()})
    store = town.context.store

    def remark(words: str) -> None:
        def decide(change: Change) -> None:
            head = store.mission(mission.id)
            change.put_mission(head, head.record.evolve(remarks=(*head.record.remarks, words)))

        commit(town.context, decide)

    town.hook = lambda: remark("first")
    remark("second")
    assert store.mission(mission.id).record.remarks == ("first", "second")


def test_it_gives_up_after_some_tries(a_town: MakeTown) -> None:
    town = a_town()
    mission = town.begin(waits={1: ()})
    stale = town.context.store.mission(mission.id)
    change = town.context.store.change()
    change.put_mission(stale, stale.record.evolve(reason="newer"))
    change.commit()
    looks = []

    def decide(change: Change) -> None:
        looks.append(1)
        change.put_mission(stale, stale.record.evolve(reason="stale"))

    with pytest.raises(ConflictError):
        commit(town.context, decide, tries=3)
    assert len(looks) == 3


def test_any_other_error_ends_it_and_nothing_is_written(a_town: MakeTown) -> None:
    town = a_town()
    mission = town.begin(waits={1: ()})

    def decide(change: Change) -> None:
        head = town.context.store.mission(mission.id)
        change.put_mission(head, head.record.evolve(reason="half"))
        raise StateError("no")

    with pytest.raises(StateError):
        commit(town.context, decide)
    assert town.context.store.mission(mission.id).record.reason == ""
