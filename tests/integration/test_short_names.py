"""Which mission and which item are meant where less is typed: never one of several by chance."""

from __future__ import annotations

import click
import pytest

from tests.story.arranged import ATown
from tinytown.cli import words
from tinytown.engine.operate import missions
from tinytown.engine.views.items import mission_with
from tinytown.errors import NotFoundError, StateError
from tinytown.host.server import Server
from tinytown.missions.records.mission import Mission


@pytest.fixture
def town(server: Server):  # type: ignore[no-untyped-def]
    made = ATown(server.url)
    yield made
    made.close()


def renamed(town: ATown, mission: Mission, name: str) -> None:
    """Another entry for this mission's id in the list of missions."""
    store = town.context.store
    store.client.zadd(store.keys.missions, {name: 1})


def test_without_a_mission_the_only_active_one_is_meant(town: ATown) -> None:
    context = town.context
    with pytest.raises(NotFoundError, match="no mission yet"):
        words.meant(context, None)
    first = town.begin(waits={1: ()})
    assert words.meant(context, None) == first.id == words.shown(context, None)
    second = town.begin(waits={2: ()})
    assert words.shown(context, None) == second.id, "what only shows takes the newest"
    with pytest.raises(StateError, match="2 missions are active") as refused:
        words.meant(context, None)
    assert first.short in refused.value.message
    assert second.short in refused.value.message
    assert words.meant(context, first.short) == first.id
    for mission in (first, second):
        missions.cancel(context, mission.id)
    with pytest.raises(StateError, match="no mission is active"):
        words.meant(context, None)


def test_a_lone_word_is_a_mission_or_an_item_and_refused_where_it_could_be_both(town: ATown) -> None:
    context = town.context
    mission = town.begin(waits={2: (), 4711: ()})
    for typed, meant in (
        ((), (mission.id, None)),
        (("2",), (mission.id, "2")),
        (("#2",), (mission.id, "#2")),
        (("local/town#2",), (mission.id, "local/town#2")),
        ((mission.id,), (mission.id, None)),
        ((mission.short, "2"), (mission.id, "2")),
    ):
        assert words.meant_perhaps_item(context, typed) == meant, typed
    renamed(town, mission, "2bbbbbbb-0000-4000-8000-000000000000")
    renamed(town, mission, "4711bbbb-0000-4000-8000-000000000000")
    assert words.meant_perhaps_item(context, ("2",)) == (mission.id, "2"), "a short number is an item"
    with pytest.raises(StateError, match="could be an item or a mission"):
        words.meant_perhaps_item(context, ("4711",))
    assert words.meant_perhaps_item(context, ("#4711",)) == (mission.id, "#4711")
    with pytest.raises(NotFoundError, match="neither a mission nor an item"):
        words.meant_perhaps_item(context, ("zzz",))
    assert words.meant_item(context, ("4711",)) == (mission.id, "4711"), "a merge always names its item"
    for wrong in ((), ("a", "b", "c")):
        with pytest.raises(click.UsageError):
            words.meant_item(context, wrong)


def test_a_lone_note_is_the_note_and_a_mission_without_one_is_refused(town: ATown) -> None:
    """Else the id of a mission would become a remark."""
    context = town.context
    mission = town.begin(waits={1: ()})
    assert words.meant_note(context, ("resume",)) == (mission.id, "resume")
    assert words.meant_note(context, ("use the blue one",)) == (mission.id, "use the blue one")
    assert words.meant_note(context, (mission.short, "pause")) == (mission.id, "pause")
    assert words.meant_note(context, (mission.id[:1], "pause")) == (mission.id, "pause")
    for wrong in ((), (mission.short,), ("retry", "1", "now")):
        with pytest.raises(click.UsageError):
            words.meant_note(context, wrong)
    for typed, said in {
        ("retry", "1"): 'write `tt mission note "retry 1"`',
        ("rety", "3"): 'write `tt mission note "retry 3"`',
        ("hello", "there"): 'write `tt mission note "hello there"`',
        ("cost", "$5"): "write `tt mission note 'cost $5'`",
        ("0a1bffff", "hello"): "see `tt mission list --all`",
    }.items():
        with pytest.raises(NotFoundError) as refused:
            words.meant_note(context, typed)
        assert refused.value.remedy == said
    for many, said in {
        ("rety", "3", "please"): '`tt mission note "retry 3"`',
        (mission.short, "give", "1", "to", "ann"): f'`tt mission note {mission.short} "redirect 1 to ann"`',
        ("use", "the", "blue", "one"): '`tt mission note "use the blue one"`',
    }.items():
        with pytest.raises(click.UsageError) as unquoted:
            words.meant_note(context, many)
        assert said in unquoted.value.message


def test_an_item_is_found_in_the_newest_mission_that_has_it(town: ATown) -> None:
    context = town.context
    first = town.begin(waits={1: (), 2: ()})
    missions.cancel(context, first.id)
    second = town.begin(waits={1: ()})
    assert mission_with(context, "1") == second.id
    assert mission_with(context, "#2") == first.id
    missions.cancel(context, second.id)
    assert mission_with(context, "1") == second.id
    with pytest.raises(NotFoundError, match="no mission has an item"):
        mission_with(context, "9")
