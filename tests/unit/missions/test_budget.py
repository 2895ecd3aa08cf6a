"""The spend cap: what was reported, and an estimate for what runs."""

from __future__ import annotations

import pytest

from tests.fakes.builders import NOW, a_crew, a_mission, key, passed, ready, with_change
from tinytown.missions import budget
from tinytown.missions.scheduler import Admit, Refuse, admit
from tinytown.missions.states import WaitReason


def test_the_estimate_is_the_mean_of_the_runs_that_reported() -> None:
    assert budget.estimate(a_mission()) == budget.FIRST_ESTIMATE
    assert budget.estimate(a_mission(spent_usd=3.0, costed_runs=4)) == 0.75
    assert budget.estimate(a_mission(spent_usd=0.0, costed_runs=4)) == 0.0


@pytest.mark.parametrize(
    ("cap", "spent", "runs", "flying", "left"),
    [
        (None, 99.0, 9, 9, None),
        # The run to be started is not counted: the first can always start, with any cap above nothing.
        (0.01, 0.0, 0, 0, 1),
        (0.0, 0.0, 0, 0, 0),
        # What is in flight counts for half a dollar until a run reported.
        (1.0, 0.0, 0, 1, 1),
        (1.0, 0.0, 0, 2, 0),
        (2.0, 0.0, 0, 1, 3),
        # Then for the mean.
        (1.0, 0.2, 2, 3, 5),
        (1.0, 0.2, 2, 8, 0),
        (1.0, 1.0, 1, 0, 0),
        (1.0, 1.5, 1, 0, 0),
        # Runs that are known to cost nothing are not limited.
        (1.0, 0.0, 5, 3, None),
    ],
)
def test_how_many_more_runs_may_start(
    cap: float | None, spent: float, runs: int, flying: int, left: int | None
) -> None:
    mission = a_mission(budget_usd=cap, spent_usd=spent, costed_runs=runs)
    assert budget.runs_left(mission, flying) == left


def test_the_remedy_names_what_was_spent_and_the_next_command() -> None:
    words = budget.remedy(a_mission(budget_usd=2.0, spent_usd=2.25))
    assert words.startswith("budget"), "escalation knows it by its first word"
    assert "$2.25 of $2.00" in words
    assert "--budget-usd" in words


def test_the_budget_holds_back_runs_but_no_check_and_takes_no_slot() -> None:
    """A check that is due is not refused for the slot of a run that may not start."""
    crew = a_crew("a:worker", "b:worker", "c:worker", "checks")
    items = [ready(1, priority=3), ready(2, priority=2), with_change(3)]
    decisions = admit(a_mission(max_parallel_items=2), items, live=0, crew=crew, now=NOW, runs=1)
    assert [d.key for d in decisions if isinstance(d, Admit)] == [key(1), key(3)]
    assert [(d.key, d.reason) for d in decisions if isinstance(d, Refuse)] == [(key(2), WaitReason.BUDGET)]


def test_a_merge_costs_nothing() -> None:
    decisions = admit(a_mission(), [passed()], live=0, crew=a_crew("checks"), now=NOW, runs=0)
    assert [type(d) for d in decisions] == [Admit]
