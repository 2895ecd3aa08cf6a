"""The limits of a town: what a day's runs may use, reckoned with what runs, and how quickly they may begin."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.builders import NOW, a_crew, a_mission, key, passed, ready
from tinytown.missions import spending
from tinytown.missions.scheduler import Admit, Refuse, admit
from tinytown.missions.spending import Allowance, Caps, Costs, Day, Kind, Used
from tinytown.missions.states import WaitReason

WORK = Kind("worker", "scribe")
CENT = Costs({("worker", "scribe"): (Used(0.01, 100),)})


def allowance(
    caps: Caps, day: Day | None = None, *, costs: Costs = CENT, flying: int = 0, now: float = NOW
) -> Allowance:
    return Allowance(caps, day or Day(), costs, [WORK] * flying, now=now)


# -- what a run is reckoned with -------------------------------------------------------------------


def test_a_run_is_reckoned_with_the_median_of_its_kind_else_of_its_role_else_of_all_else_a_guess() -> None:
    costs = Costs(
        {
            ("worker", "scribe"): (Used(1.0, 10), Used(9.0, 90), Used(2.0, 20)),
            ("worker", "poet"): (Used(0.5, 1), Used(0.5, 1), Used(0.5, 1), Used(0.5, 1)),
            ("reviewer", "scribe"): (Used(0.1, 5),),
        }
    )
    assert costs.expected("worker", "scribe") == Used(2.0, 20)
    assert costs.expected("worker") == Used(0.5, 1)
    assert costs.expected("worker", "unknown") == Used(0.5, 1)
    assert costs.expected("tester") == Used(0.5, 3)
    assert Costs().expected("tester") == Used(spending.FIRST_USD, spending.FIRST_TOKENS)


def test_a_cli_that_tells_no_cost_is_reckoned_with_its_tokens_alone_once_that_is_known() -> None:
    once, often = (Used(None, 40),), (Used(None, 40),) * spending.TELLS_NONE
    assert Costs({("worker", "mute"): once}).expected("worker", "mute") == Used(spending.FIRST_USD, 40)
    mute = Costs({("worker", "mute"): often, ("worker", "scribe"): (Used(1.0, 1),)})
    assert mute.expected("worker", "mute") == Used(0.0, 40)
    assert mute.silent() == ["mute"]


# -- a day -----------------------------------------------------------------------------------------


@given(
    cap=st.integers(1, 500),
    cost=st.integers(1, 120),
    spent=st.integers(0, 600),
    flying=st.integers(0, 12),
    wanted=st.integers(1, 40),
    tokens=st.booleans(),
)
def test_however_many_begin_at_once_they_overshoot_by_less_than_one(
    cap: int, cost: int, spent: int, flying: int, wanted: int, tokens: bool
) -> None:
    """With runs that use what such runs used; and while anything is left and nothing runs, one begins."""
    caps = Caps(tokens=cap) if tokens else Caps(usd=float(cap))
    day = Day(tokens=spent) if tokens else Day(usd=float(spent))
    costs = Costs({("worker", "scribe"): (Used(float(cost), cost),)})
    made = allowance(caps, day, costs=costs, flying=flying)
    begun = 0
    while begun < wanted and made.refusal() is None:
        made.take(WORK)
        begun += 1
    total = spent + (flying + begun) * cost
    assert begun == 0 or total < cap + cost
    assert begun == wanted or spent + (flying + begun) * cost >= cap
    if spent < cap and not flying:
        assert begun >= 1


def test_a_limit_that_is_used_up_says_how_far_until_when_and_what_raises_it() -> None:
    day = Day(number=20_000, usd=20.5)
    made = allowance(Caps(usd=20.0), day)
    reason, remedy, until = made.refusal() or (None, "", None)
    assert reason is WaitReason.DAY_LIMIT
    assert remedy == (
        "$20.50 of today's $20.00 are spent: it goes on at midnight UTC, or with `tt limits --usd-today MORE`"
    )
    assert until == day.ends == 20_001 * 86_400
    made = allowance(Caps(usd=20.0, tokens=1000), Day(tokens=1234))
    assert made.reached == "1,234 of today's 1,000 tokens are used"
    assert "--tokens-today" in spending.answer(made.caps, Day(tokens=1234))


def test_what_runs_may_use_up_the_day_and_nobody_is_asked_about_that() -> None:
    made = allowance(Caps(usd=0.02), flying=2)
    assert made.refusal() == (WaitReason.DAY_LIMIT, "what runs may use up today's $0.02", None)
    assert made.reached == ""


def test_a_limit_of_today_stands_in_the_place_of_the_settings() -> None:
    day = Day(usd=5.0, tokens=50, raised=Caps(usd=6.0))
    assert allowance(Caps(usd=5.0), day).refusal() is None
    assert allowance(Caps(tokens=50), day).reached, "the other limit stays"
    assert allowance(Caps(), Day(usd=5.0, raised=Caps(usd=4.0))).reached, "also where the settings have none"


# -- starts ----------------------------------------------------------------------------------------


@given(rate=st.floats(0.5, 600), moments=st.lists(st.floats(0, 300), min_size=1, max_size=40))
def test_starts_are_spread_evenly_however_often_somebody_tries(rate: float, moments: list[float]) -> None:
    day, begun = Day(), []
    for moment in sorted(moments):
        made = allowance(Caps(starts_per_minute=rate), day, now=NOW + moment)
        while made.refusal() is None:
            made.take(WORK)
            begun.append(moment)
        day = Day(last_start=made.last_start)
    assert begun[0] == min(moments), "the first begins at once"
    assert all(late - early >= 60 / rate - 1e-6 for early, late in itertools.pairwise(begun))


# -- in an admission -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caps", "admitted", "reason"),
    [
        (Caps(usd=0.015), 2, WaitReason.DAY_LIMIT),
        (Caps(tokens=150), 2, WaitReason.DAY_LIMIT),
        (Caps(starts_per_minute=6.0), 1, WaitReason.START_RATE),
        (Caps(), 3, None),
    ],
)
def test_an_admission_keeps_to_the_limits_of_all_missions_and_lets_merges_through(
    caps: Caps, admitted: int, reason: WaitReason | None
) -> None:
    crew = a_crew("a:worker", "b:worker", "c:worker", "checks")
    items = [ready(1), ready(2), ready(3), passed(4)]
    decisions = admit(a_mission(max_parallel_items=9), items, live=0, crew=crew, now=NOW, allowance=allowance(caps))
    sent = [d.key for d in decisions if isinstance(d, Admit)]
    assert sent == [*(key(n) for n in range(1, admitted + 1)), key(4)]
    assert {d.reason for d in decisions if isinstance(d, Refuse)} == ({reason} if reason else set())


def test_a_worker_that_sleeps_is_not_woken_for_what_may_not_begin() -> None:
    crew = a_crew("a:worker")
    made = allowance(Caps(usd=0.0))
    [refused] = admit(a_mission(), [ready(1)], live=0, crew=crew, now=NOW, allowance=made)
    assert isinstance(refused, Refuse)
    assert (refused.reason, refused.wakes, refused.nobody) == (WaitReason.DAY_LIMIT, "", False)
