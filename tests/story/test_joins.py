"""What waits for many, where the graph of its mission grows: nothing waits for the tick."""

from __future__ import annotations

from tests.story.arranged import ATown, MakeTown
from tinytown.engine.dispatch import attempts, claiming
from tinytown.engine.plan import by_hand
from tinytown.engine.plan.again import begin_again
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import ItemState, Outcome


def give(town: ATown, to: str, *after: str) -> str:
    return by_hand.assign(town.context, by_hand.Assignment(to, "work", after)).item.typed


def answer(town: ATown, id_: str) -> None:
    """Its agent is done, and has changed nothing."""
    given = by_hand.find(town.context, id_)
    assert given.item.attempt is not None
    number, agent = given.item.attempt.number, given.item.directed_to or ""
    claimed = claiming.claim(town.context, given.mission.id, given.item.key, number, agent=agent)
    assert claimed is not None
    assert attempts.report(town.context, claimed, Report(outcome=Outcome.SUCCEEDED, summary="done"))


def with_two_tasks(a_town: MakeTown) -> tuple[ATown, str, str]:
    """A town in which two count as many, and a task each for two agents."""
    town = a_town(reviewer_required=False)
    town.wide = 1
    waiting = give(town, "nobody-yet")
    town.watcher.missions.append(by_hand.find(town.context, waiting).mission.id)
    return town, give(town, "ada"), give(town, "bob")


def test_a_join_goes_on_at_once_though_its_mission_has_grown_meanwhile(a_town: MakeTown) -> None:
    """Some of what it waits for was done before the change, some after."""
    town, first, second = with_two_tasks(a_town)
    joined = give(town, "nobody-yet", first, second)
    answer(town, first)
    town.deliver()
    give(town, "nobody-yet")
    town.deliver()
    assert by_hand.find(town.context, joined).item.state is ItemState.PENDING
    answer(town, second)
    town.deliver()
    assert by_hand.find(town.context, joined).item.state is ItemState.READY


def test_a_join_of_tasks_that_are_done_again_waits_for_all_of_them_again(a_town: MakeTown) -> None:
    """What was counted before the new turn counts for nothing in it."""
    town, first, second = with_two_tasks(a_town)
    joined = give(town, "ada", first, second)
    for id_ in (first, second):
        answer(town, id_)
        town.deliver()
    answer(town, joined)
    begin_again(town.context, first)
    town.deliver()
    assert by_hand.find(town.context, joined).item.state is ItemState.PENDING
    answer(town, first)
    town.deliver()
    answer(town, joined)
