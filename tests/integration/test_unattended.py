"""The unattended conductor's questions in the records: given once, concluded once, whoever looks and whatever ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.story.arranged import ATown
from tests.story.simulation import Worker
from tinytown.engine.conductor.questions import open_questions
from tinytown.engine.dispatch import attempts, claiming
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.dispatch.reconcile import reconcile
from tinytown.engine.operate import items as operate_items
from tinytown.engine.operate import missions, unattended
from tinytown.host import unattended as switch
from tinytown.host.server import Server
from tinytown.missions.records.asked import Asked
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import MissionState, Outcome
from tinytown.state import asked as store_asked
from tinytown.state.mail import CONDUCTOR


@pytest.fixture
def town(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[ATown]:
    monkeypatch.setattr(switch, "is_on", lambda _town: True)
    made = ATown(server.url, max_attempts=1)
    # It compares all that is indexed with the missions that a test began itself.
    monkeypatch.setattr(made.watcher, "look", lambda: None)
    made.enlist(Worker("conductor", "conductor"))
    yield made
    made.close()


def ask(town: ATown, number: int = 1) -> str:
    """A mission that asks."""
    mission = town.begin(waits={number: ()})
    town.do(number, "ada", Report(outcome=Outcome.FAILED, summary="no"))
    return mission.id


def records(town: ATown) -> list[Asked]:
    return sorted((one.record for one in store_asked.every(town.context.store).values()), key=lambda one: one.at)


def begun(town: ATown) -> Claim:
    """The conductor takes the question that it was given last."""
    asked = records(town)[-1]
    attempt = town.context.store.item(asked.run, asked.item).record.attempt
    assert attempt is not None
    claimed = claiming.claim(town.context, asked.run, asked.item, attempt.number, agent="conductor")
    assert claimed is not None
    return claimed


def notes(town: ATown) -> list[str]:
    return [q.unattended for q in unattended.with_notes(town.context, open_questions(town.context))]


def kinds(town: ATown) -> list[str]:
    return [e.kind for _, e in town.context.store.events(None, count=1000) if e.kind.startswith("question_")]


def test_silence_leaves_the_question_to_people_and_asks_nobody_else(town: ATown) -> None:
    ask(town)
    unattended.keep(town.context)
    unattended.keep(town.context)
    (asked,) = records(town)
    assert notes(town) == ["the unattended conductor is at it"]
    assert attempts.report(town.context, begun(town), Report(outcome=Outcome.SUCCEEDED, summary="it said nothing"))
    assert town.context.store.mission(asked.run).record.state is MissionState.COMPLETED
    for _ in range(3):
        unattended.keep(town.context)
    assert [one.state for one in records(town)] == ["left"]
    assert notes(town) == ["the unattended conductor could not answer: it said nothing"]
    assert kinds(town) == ["question_given", "question_left"]
    assert len(town.questions()) == 1, "the run itself asks nothing"
    assert asked.run not in store_asked.active(town.context.store)


def test_a_run_that_dies_twice_leaves_it_too(town: ATown) -> None:
    ask(town)
    unattended.keep(town.context)
    for left in (1, 0):
        claimed = begun(town)
        where = (claimed.mission.id, claimed.item.key, claimed.attempt.id)
        assert attempts.lose(town.context, *where, why="its worker died", expired_only=False)
        town.deliver()
        unattended.keep(town.context)
        reconcile(town.context, claimed.mission.id)
        assert not attempts.report(town.context, claimed, Report(outcome=Outcome.SUCCEEDED)), "it is fenced"
        assert [one.state for one in records(town)] == (["asked"] if left else [records(town)[0].state])
    unattended.keep(town.context)
    assert [one.state for one in records(town)] == ["left"]
    assert "its worker died" in notes(town)[0]


def test_an_answer_of_anybody_ends_the_run(town: ATown) -> None:
    mission = ask(town)
    unattended.keep(town.context)
    claimed = begun(town)
    operate_items.retry(town.context, mission, "1")
    unattended.keep(town.context)
    (asked,) = records(town)
    assert (asked.state, asked.why) == ("answered", "somebody answered")
    assert not attempts.report(town.context, claimed, Report(outcome=Outcome.SUCCEEDED))
    assert kinds(town) == ["question_given", "question_settled"]
    assert town.context.store.mission(asked.run).record.state is MissionState.COMPLETED


def test_its_own_answer_lets_the_run_come_to_its_end(town: ATown) -> None:
    mission = ask(town)
    unattended.keep(town.context)
    claimed = begun(town)
    old = store_asked.one(town.context.store, claimed.mission.id)
    assert old is not None
    change = town.context.store.change()
    change.put_asked(old, old.record.evolve(acted=1))
    change.commit()
    operate_items.retry(town.context, mission, "1")
    unattended.keep(town.context)
    assert [one.state for one in records(town)] == ["asked"]
    assert attempts.report(town.context, claimed, Report(outcome=Outcome.SUCCEEDED, summary="retried", cost_usd=0.5))
    unattended.keep(town.context)
    assert [(one.state, one.why) for one in records(town)] == [("answered", "retried")]
    assert kinds(town) == ["question_given", "question_answered"]


def test_what_died_after_its_answer_is_not_begun_again(town: ATown) -> None:
    mission = ask(town)
    unattended.keep(town.context)
    claimed = begun(town)
    old = store_asked.one(town.context.store, claimed.mission.id)
    assert old is not None
    change = town.context.store.change()
    change.put_asked(old, old.record.evolve(acted=1))
    change.commit()
    operate_items.retry(town.context, mission, "1")
    where = (claimed.mission.id, claimed.item.key, claimed.attempt.id)
    assert attempts.lose(town.context, *where, why="its worker died", expired_only=False)
    reconcile(town.context, claimed.mission.id)
    unattended.keep(town.context)
    assert [(one.state, one.why) for one in records(town)] == [("answered", "it had answered")]
    assert kinds(town)[-1] == "question_answered"


def test_the_budget_of_a_day_counts_what_runs_cost(town: ATown, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[Any] = [unattended.limits(town.context)]
    monkeypatch.setattr(unattended, "limits", lambda _context: limits[0])
    limits[0] = type(limits[0])(budget_usd=1.0, max_runs=10, max_same=10)
    ask(town, 1)
    unattended.keep(town.context)
    attempts.report(town.context, begun(town), Report(outcome=Outcome.SUCCEEDED, summary="no", cost_usd=1.0))
    unattended.keep(town.context)
    ask(town, 2)
    unattended.keep(town.context)
    assert len(records(town)) == 1
    assert "cost $1.00, and may cost $1.00" in notes(town)[1]
    limits[0] = type(limits[0])(budget_usd=2.0, max_runs=10, max_same=10)
    unattended.keep(town.context)
    assert len(records(town)) == 2


@pytest.mark.parametrize("how", ["stop", "force", "cancel"])
def test_a_run_that_a_person_stops_holds_up_nothing(town: ATown, how: str) -> None:
    ask(town, 1)
    unattended.keep(town.context)
    (asked,) = records(town)
    begun(town)
    if how == "stop":
        missions.pause(town.context, asked.run)
    elif how == "force":
        missions.cancel(town.context, asked.run)
    else:
        operate_items.cancel(town.context, asked.run, "q1", why="enough")
    unattended.keep(town.context)
    assert [one.state for one in records(town)] == ["left"]
    assert town.context.store.mission(asked.run).record.state is MissionState.CANCELLED
    ask(town, 2)
    unattended.keep(town.context)
    assert [one.state for one in records(town)] == ["left", "asked"]


def test_without_a_worker_it_is_said_why_nothing_happens(town: ATown) -> None:
    town.context.crew.remove("conductor")
    ask(town)
    unattended.keep(town.context)
    (note,) = notes(town)
    assert "does not begin yet: the unattended conductor does not run: see `tt doctor`" in note
    assert len(town.questions()) == 1, "the run asks nobody"


def test_two_who_look_at_the_same_moment_give_it_once(town: ATown) -> None:
    ask(town)
    town.hook = lambda: unattended.keep(town.context)
    unattended.keep(town.context)
    assert len(records(town)) == 1


def test_an_agents_question_is_answered_by_a_message(town: ATown) -> None:
    town.write(CONDUCTOR, "which one?", sender="ada", kind="query")
    unattended.keep(town.context)
    (asked,) = records(town)
    assert (asked.sender, asked.reasons) == ("ada", ("which one?",))
    town.write("ada", "the first", sender=CONDUCTOR)
    assert open_questions(town.context) == []


def test_switched_off_nothing_is_given_and_what_runs_is_ended(town: ATown, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(town)
    unattended.keep(town.context)
    begun(town)
    monkeypatch.setattr(switch, "is_on", lambda _town: False)
    unattended.keep(town.context)
    assert [(one.state, one.why) for one in records(town)] == [("left", "it was switched off")]
    ask(town, 2)
    unattended.keep(town.context)
    assert len(records(town)) == 1
    assert notes(town) == ["", ""]
