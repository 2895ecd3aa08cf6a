"""A mission is blocked, and a person asked, with the event that leaves nothing to move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.story.arranged import ATown, MakeTown, verdict
from tests.story.simulation import Worker
from tinytown.engine.conductor import escalate
from tinytown.engine.dispatch import advance, mission_state, reconcile
from tinytown.engine.operate import items as operate_items
from tinytown.engine.operate import missions
from tinytown.errors import StateError
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import ItemState, MissionState, Outcome

_FAILS = Report(outcome=Outcome.FAILED, summary="no")


@dataclass(frozen=True)
class Blocking:
    """A mission of two items and the last event that leaves nothing to move; no tick is ever made."""

    name: str
    policy: dict[str, object]
    waits: dict[int, tuple[int, ...]]
    ends: Callable[[ATown, str], object]
    asks: str


def _fail_both(town: ATown, mission: str) -> None:
    town.do(1, "ada", _FAILS)
    assert (town.state(), len(town.questions())) == (MissionState.RUNNING, 1), "the other one runs"
    town.do(2, "bob", _FAILS)


def _done_then_failed(town: ATown, mission: str) -> None:
    town.do(1, "ada", _FAILS)
    town.pass_gates(2)
    town.do(2, "checks", Report(outcome=Outcome.SUCCEEDED, merged="m2"))


def _mute_review(town: ATown, mission: str) -> None:
    town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1"))
    town.do(1, "checks", verdict("c1"))
    for _ in range(2):
        town.do(1, "bob", Report(outcome=Outcome.SUCCEEDED))


def _refused_checks(town: ATown, mission: str) -> None:
    town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1"))
    town.do(1, "checks", verdict("c1", passed=False))


def _refused_by_the_forge(town: ATown, mission: str) -> None:
    town.forge.faults.append(StateError("it has its own commits"))
    town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1"))


def _cancelled(town: ATown, mission: str) -> None:
    operate_items.cancel(town.context, mission, "1", why="no")


_CHAIN: dict[int, tuple[int, ...]] = {1: (), 2: (1,)}
_PAIR: dict[int, tuple[int, ...]] = {1: (), 2: ()}
_BLOCKING = [
    Blocking("both fail", {"max_attempts": 1}, _PAIR, _fail_both, "#2 failed: work failed once: no"),
    Blocking("one failed, the other is merged", {"max_attempts": 1}, _PAIR, _done_then_failed, "#1 failed"),
    Blocking("the first of a chain", {"max_attempts": 1}, _CHAIN, lambda t, _: t.do(1, "ada", _FAILS), "#1 failed"),
    Blocking("no verdict", {}, _CHAIN, _mute_review, "gave no verdict"),
    Blocking("no fix round left", {"max_fix_rounds": 0}, _CHAIN, _refused_checks, "still rejects it"),
    Blocking("not published", {}, _CHAIN, _refused_by_the_forge, "its own commits"),
    Blocking("an operator ends an item", {}, _CHAIN, _cancelled, "#1 is cancelled"),
]


@pytest.mark.parametrize("case", _BLOCKING, ids=lambda case: case.name)
def test_a_mission_is_blocked_and_asks_with_the_event(a_town: MakeTown, case: Blocking) -> None:
    """Not at the next tick, which asks nothing that was asked already; a retry takes both back as quickly."""
    town = a_town(**case.policy)
    mission = town.begin(waits=case.waits)
    case.ends(town, mission.id)
    assert town.state() is MissionState.BLOCKED
    assert case.asks in town.questions()[-1]
    assert any(case.asks in reason for reason in town.standing_help())
    asked = len(town.questions())
    for _ in range(2):
        reconcile.reconcile(town.context, mission.id)
        escalate.escalate_all(town.context)
    assert len(town.questions()) == asked, "once"
    operate_items.retry(town.context, mission.id, None)
    assert (town.state(), town.standing_help()) == (MissionState.RUNNING, ())


def test_nobody_to_take_it_is_said_at_once_and_a_worker_that_comes_ends_it(a_town: MakeTown) -> None:
    town = a_town()
    for name in ("ada", "bob"):
        town.context.crew.remove(name)
    mission = town.begin(waits={1: ()})
    assert town.state() is MissionState.BLOCKED
    assert "nobody can take it" in town.questions()[-1]
    town.enlist(Worker("cleo", "worker"))
    advance.advance(town.context, mission.id)
    assert (town.state(), town.standing_help()) == (MissionState.RUNNING, ())


def test_an_answer_to_one_question_leaves_the_other_one_open(a_town: MakeTown) -> None:
    """And asks it no second time."""
    town = a_town(max_attempts=1)
    mission = town.begin(waits={1: (), 2: ()})
    _fail_both(town, mission.id)
    asked = len(town.questions())
    operate_items.retry(town.context, mission.id, "1")
    assert town.state() is MissionState.RUNNING
    (open_still,) = town.standing_help()
    assert "#2 failed" in open_still
    escalate.escalate_all(town.context)
    assert len(town.questions()) == asked


def test_what_will_be_tried_again_by_itself_blocks_nothing(a_town: MakeTown) -> None:
    """A pause after a failure, or a worker that is busy elsewhere, is nobody's question."""
    town = a_town()
    town.begin(waits={1: ()})
    town.do(1, "ada", _FAILS)
    assert (town.state(), town.questions()) == (MissionState.RUNNING, [])


def test_an_end_reads_the_whole_mission_only_where_nothing_moves(
    a_town: MakeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the cost of a mission would grow with its square."""
    town = a_town()
    town.begin(waits={n: (n - 1,) if n > 1 else () for n in range(1, 5)})
    reads: list[str] = []
    items = town.context.store.items
    monkeypatch.setattr(town.context.store, "items", lambda mission: reads.append(mission) or items(mission))
    for number in (1, 2, 3):
        town.pass_gates(number)
        town.do(number, "checks", Report(outcome=Outcome.SUCCEEDED, merged=f"m{number}"))
    assert (town.item(4).state, reads) == (ItemState.ASSIGNED, [])


def test_blocked_is_not_written_over_an_admission(a_town: MakeTown) -> None:
    """Somebody sends an item after it was read and before the mission is called blocked."""
    town = a_town(max_attempts=1)
    mission = town.begin(waits={1: ()})
    town.do(1, "ada", _FAILS)
    missions.put_head(town.context, mission.id, lambda m: m.evolve(state=MissionState.RUNNING), "mission_resumed")
    town.hook = lambda: operate_items.retry(town.context, mission.id, "1")
    mission_state.update_state(town.context, mission.id)
    assert (town.state(), town.item(1).state) == (MissionState.RUNNING, ItemState.ASSIGNED)
