"""The limits of all missions together, in a town with a real database: money a day, and starts a minute."""

from __future__ import annotations

import json

import pytest

from tests.story.arranged import ATown, MakeTown
from tinytown import contract
from tinytown.engine.conductor.questions import open_questions
from tinytown.engine.dispatch import attempts, reconcile
from tinytown.engine.dispatch.advance import advance
from tinytown.engine.operate import limits, missions
from tinytown.engine.views.limits import limits_json
from tinytown.engine.views.missions import mission_json, mission_view
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import MissionState, Outcome, WaitReason
from tinytown.settings import parse
from tinytown.state import spending
from tinytown_beat import pace
from tinytown_beat.schedule import beat_schedule, interval

#: No reviews and no merges: each item is one run.
PLAIN = {"reviewer_required": False, "settle_on": "approved", "auto_merge": False, "max_parallel_items": 9}


def worked(cost: float | None = 1.0, tokens: int | None = 10, head: str = "c1") -> Report:
    return Report(outcome=Outcome.SUCCEEDED, head=head, cost_usd=cost, tokens=tokens)


def reasons(town: ATown, mission: str) -> dict[str, str]:
    view = mission_view(town.context, mission)
    return {item.key: item.waiting.reason.value for item in view.items if item.waiting is not None}


def runs_out(town: ATown) -> None:
    """The day ends: what is recorded of it is yesterday's."""
    store = town.context.store
    day = int(store.now() // 86_400)
    for name, value in store.client.hgetall(store.keys.spent).items():
        if name.startswith(f"{day}/"):
            store.client.hdel(store.keys.spent, name)
            store.client.hset(store.keys.spent, f"{day - 1}/{name.partition('/')[2]}", value)


def test_a_day_that_is_used_up_holds_all_missions_asks_once_and_goes_on_by_itself(a_town: MakeTown) -> None:
    town = a_town(**PLAIN, limits={"usd_per_day": 1.0})
    one = town.begin(waits={1: ()})
    assert town.do(1, "ada", worked(cost=1.25))
    two = town.begin(waits={2: (), 3: ()})
    three = town.begin(waits={4: ()})
    for _ in range(2):
        reconcile.reconcile_all(town.context)
    runs = [a for a in town.context.store.live_attempts() if a.purpose == "work"]
    assert runs == []
    assert set(reasons(town, two.id).values()) == {WaitReason.DAY_LIMIT.value}
    view = mission_json(mission_view(town.context, three.id))
    assert view["state"] == "running"
    assert view["limited"] == "$1.25 of today's $1.00 are spent"
    assert "`tt limits --usd-today MORE`" in view["items"][0]["waiting"]["remedy"]
    assert view["items"][0]["waiting"]["until"] == limits_json(town.context)["ends_at"]
    [asked] = town.questions()
    assert "no further run begins before midnight UTC" in asked
    assert "Answer with `tt limits --usd-today MORE`" in asked
    [question] = open_questions(town.context)
    assert (question.mission, question.answer) == ("", "tt limits --usd-today MORE")
    assert [e.kind for _, e in town.context.store.events()].count("day_limit_reached") == 1
    # What is no run of an agent goes on.
    assert any(a.queue == "checks" and a.mission == one.id for a in town.context.store.live_attempts())

    runs_out(town)
    reconcile.reconcile_all(town.context)
    assert {a.mission for a in town.context.store.live_attempts() if a.purpose == "work"} <= {two.id, three.id}
    assert [a for a in town.context.store.live_attempts() if a.purpose == "work"]
    assert open_questions(town.context) == []


def test_more_for_today_lets_all_go_on_at_once_and_is_asked_about_when_that_is_used_up_too(a_town: MakeTown) -> None:
    town = a_town(**PLAIN, limits={"tokens_per_day": 10})
    mission = town.begin(waits={1: ()})
    assert town.do(1, "ada", worked(cost=None, tokens=10))
    other = town.begin(waits={5: ()})
    assert reasons(town, other.id) == {town.item(5).key: "day_limit"}
    assert len(town.questions()) == 1
    limits.set_today(town.context, tokens=15)
    assert town.item(5).attempt is not None, "at once, not at the next tick"
    assert open_questions(town.context) == []
    assert town.do(5, "bob", worked(cost=None, tokens=90, head="c5"))
    town.begin(waits={6: ()})
    reconcile.reconcile_all(town.context)
    assert len(town.questions()) == 2
    said = limits_json(town.context)
    assert (said["spent_tokens"], said["tokens_limit"], said["raised"]) == (100, 15, True)
    assert said["untold_runs"] == 2, "no dollars were told"
    assert mission.id in town.context.store.mission_ids(live=True)


def test_runs_in_flight_of_any_mission_count_with_what_such_runs_cost(a_town: MakeTown) -> None:
    town = a_town(**PLAIN, limits={"usd_per_day": 3.0})
    town.begin(waits={1: ()})
    assert town.do(1, "ada", worked(cost=2.0))
    town.begin(waits={2: ()})
    claimed = town.claim(2, "ada")
    assert claimed is not None
    three = town.begin(waits={3: ()})
    assert reasons(town, three.id) == {town.item(3).key: "day_limit"}
    assert town.questions() == [], "nothing is used up yet"
    assert town.item(3).waiting is None or town.item(3).waiting.until is None
    assert attempts.report(town.context, claimed, worked(cost=0.25, head="c2"))
    # It cost less than was reckoned, so the other goes on at once: it waited for a worker's end.
    town.watcher.missions.append(three.id)
    assert town.item(3).attempt is not None
    assert spending.today(town.context.store)[0].usd == 2.25


def test_two_controls_at_once_do_not_begin_more_than_is_left(a_town: MakeTown) -> None:
    """One reads, the other admits, the first commits: it is refused and looks again."""
    town = a_town(**PLAIN, limits={"usd_per_day": 0.1})
    one, two = town.begin(waits={1: (), 2: ()}), town.begin(waits={3: ()})
    for mission in (one, two):
        missions.pause(town.context, mission.id)
        missions.put_head(town.context, mission.id, lambda m: m.evolve(state=MissionState.RUNNING), "mission_resumed")
    town.hook = lambda: advance(town.context, two.id)
    advance(town.context, one.id)
    assert len(town.context.store.live_attempts()) == 1


def test_starts_are_spread_over_all_missions(a_town: MakeTown) -> None:
    town = a_town(**PLAIN, limits={"starts_per_minute": 6})
    one = town.begin(waits={1: (), 2: ()})
    two = town.begin(waits={3: ()})
    assert len(town.context.store.live_attempts()) == 1
    waiting = reasons(town, one.id) | reasons(town, two.id)
    assert set(waiting.values()) == {"start_rate"}
    assert town.questions() == []
    # Ten seconds later the next one begins, and no other.
    store = town.context.store
    store.client.hset(store.keys.spent, "started", repr(store.now() - 11))
    pace.run(town.context)
    assert len(store.live_attempts()) == 2
    assert spending.today(store)[0].last_start == pytest.approx(store.now(), abs=5)
    pace.run(town.context)
    assert len(store.live_attempts()) == 2


def test_a_day_that_nobody_limits_is_counted_all_the_same(a_town: MakeTown) -> None:
    town = a_town(**PLAIN)
    town.begin(waits={1: ()})
    assert town.do(1, "ada", worked(cost=0.1, tokens=5))
    assert json.loads(json.dumps(limits_json(town.context)))["spent_usd"] == 0.1
    limits.set_today(town.context, usd=0.05)
    town.begin(waits={2: ()})
    assert town.item(2).attempt is None


@pytest.mark.parametrize(("rate", "secs"), [(None, None), (1, None), (6, 10.0), (600, 1.0)])
def test_the_clock_ticks_for_the_next_start_where_the_tick_would_be_too_late(
    rate: float | None, secs: float | None
) -> None:
    settings = parse({"limits": {"starts_per_minute": rate} if rate else {}}, source="a test")
    assert (contract.TASK_PACE in beat_schedule(settings)) == (secs is not None)
    assert secs is None or interval(contract.TASK_PACE, settings) == secs
