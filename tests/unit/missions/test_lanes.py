"""The lines of due items: whoever reads only their heads decides as whoever reads everything."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.fakes.builders import NOW, a_crew, a_mission, an_item, key, passed, ready, waiting, with_attempt, with_change
from tinytown.missions import lanes, limits, scheduler
from tinytown.missions.crew import Crew
from tinytown.missions.limits import Limit
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission, Policy
from tinytown.missions.scheduler import Admit, More, Refuse, admit
from tinytown.missions.states import ItemState, WaitReason

POLICY = Policy()


def entry(item: Item) -> str:
    spot = lanes.spot(item, POLICY)
    assert spot is not None
    return spot.entry


def test_a_line_is_in_the_order_of_the_scheduler() -> None:
    dice = random.Random(1)
    items = [
        ready(n, priority=dice.choice([-(10**12), -1, 0, 0, 0, 3, 10**12]), critical_path=dice.choice([1, 2, 300]))
        for n in range(1, 200)
    ]
    assert [lanes.read_entry(e)[1] for e in sorted(map(entry, items))] == [i.key for i in scheduler.order(items)]


@pytest.mark.parametrize(
    ("item", "lane"),
    [
        (ready(), "role/worker"),
        (ready(role="ui dev", role_named=True), "role/ui%20dev/named"),
        (with_change(state=ItemState.FIXING), "role/worker"),
        (ready(directed_to="bob"), "agent/bob"),
        (with_change(), "check"),
        (with_change(checked="head", authors=("eve", "bob")), "review/bob,eve"),
        (passed(), "check"),
        (with_change(published=None), "publish"),
        (passed(merged="m", merged_head="head"), "settle"),
        (an_item(), ""),
        (with_attempt(ready()), ""),
        (waiting(ready(), WaitReason.NEEDS_HELP), ""),
    ],
)
def test_those_whom_the_same_workers_could_take_stand_in_one_line(item: Item, lane: str) -> None:
    assert lanes.lane_of(item, POLICY) == lane


def test_who_waits_for_a_time_stands_beside_the_line_until_then() -> None:
    assert lanes.spot(ready(not_before=NOW), POLICY) == lanes.Spot(entry(ready()), NOW)
    limited = ready(not_before=NOW, limited_by="claude@here")
    assert lanes.spot(limited, POLICY) == lanes.Spot(entry(ready())), "others may take it before that"
    often = limited.evolve(limits=lanes.MAX_PASSED_ON + 1)
    assert lanes.spot(often, POLICY) == lanes.Spot(entry(ready()), NOW)
    merged = passed(merged="m", merged_head="head", not_before=NOW)
    assert lanes.spot(merged, POLICY) == lanes.Spot(entry(merged)), "nothing holds up its settling"


# -- the same decisions --------------------------------------------------------------------------


def a_due_item(number: int, dice: random.Random) -> Item:
    """Whatever may be due."""
    rank = {"priority": dice.choice([0, 0, 0, 5]), "critical_path": dice.choice([1, 1, 2, 7])}
    role = {"role": dice.choice(["worker", "backend", "tester"]), "role_named": dice.random() < 0.3}
    kind = dice.choice(["work", "work", "work", "directed", "fix", "check", "review", "merge"])
    item = {
        "work": lambda: ready(number, **rank, **role),
        "directed": lambda: ready(number, **rank, **role, directed_to=dice.choice(["w1", "w2", "gone"])),
        "fix": lambda: with_change(number, state=ItemState.FIXING, **rank, **role),
        "check": lambda: with_change(number, **rank, **role),
        "review": lambda: with_change(
            number, checked="head", authors=tuple(dice.sample(["w1", "w2", "r1"], dice.randint(1, 2))), **rank, **role
        ),
        "merge": lambda: passed(number, **rank, **role),
    }[kind]()
    if dice.random() < 0.2:
        item = item.evolve(not_before=NOW + dice.choice([-5, 5]))
    if dice.random() < 0.2:
        item = item.evolve(limited_by=dice.choice(["a@h", "b@h"]), limits=dice.choice([1, 9]))
        item = item.evolve(not_before=NOW + dice.choice([-5, 500]))
    return item


def a_busy_crew(dice: random.Random) -> Crew:
    names = ["w1:worker", "w2:worker", "w3:worker", "b1:backend", "r1:reviewer", "r2:reviewer", "c:checks"]
    chosen = [name for name in names if dice.random() < 0.7]
    crew = a_crew(*chosen, busy=tuple(n.partition(":")[0] for n in chosen if dice.random() < 0.3))
    workers = [
        replace(w, clis=("a",) if dice.random() < 0.5 else ("b", "a"), host="h") if w.role != "checks" else w
        for w in crew.workers
    ]
    known = {}
    for account in ("a@h", "b@h"):
        if dice.random() < 0.3:
            until = NOW + dice.choice([-1000.0, -10.0, -1.0, 100.0])
            known[account] = Limit(since=until - dice.choice([100.0, 7200.0]), until=until)
    return replace(crew, workers=workers, limits=known, sent={"role.worker": 1} if dice.random() < 0.2 else {})


def by_heads(
    mission: Mission, items: Sequence[Item], crew: Crew, *, live: int, runs: int | None, heads: int
) -> tuple[list[Admit], list[Refuse], int]:
    """As the engine does it: the head of each line, again and again; also how many items were read."""
    due = {i.key: i for i in items}
    admitted: list[Admit] = []
    read = 0
    for _ in range(200):
        lines: dict[str, list[str]] = {}
        for item in due.values():
            spot = lanes.spot(item, mission.policy)
            assert spot is not None
            if spot.later is None or spot.later <= NOW:
                lines.setdefault(lanes.lane_of(item, mission.policy), []).append(spot.entry)
        page = {lane: sorted(entries)[:heads] for lane, entries in lines.items()}
        ends = {lanes.read_entry(page[lane][-1])[1] for lane in page if len(lines[lane]) > heads}
        seen = [due[lanes.read_entry(e)[1]] for entries in page.values() for e in entries]
        read += len(seen)
        decisions = admit(mission, seen, live=live, crew=crew, now=NOW, runs=runs, ends=ends)
        new = [d for d in decisions if isinstance(d, Admit)]
        admitted += new
        for one in new:
            del due[one.key]
        live += len(new)
        runs = None if runs is None else runs - sum(d.purpose.runs_agent for d in new)
        if not any(isinstance(d, More) for d in decisions):
            return admitted, [d for d in decisions if isinstance(d, Refuse)], read
        heads *= 4
    raise AssertionError("it never comes to an end")


@pytest.mark.parametrize("seed", range(400))
def test_the_heads_of_the_lines_are_enough_to_decide_from(seed: int) -> None:
    """The same items go, in the same order, to the same places; and the same is said of whoever waits."""
    dice = random.Random(seed)
    items = [a_due_item(n, dice) for n in range(1, dice.choice([3, 12, 40]))]
    crew = a_busy_crew(dice)
    mission = a_mission(max_parallel_items=dice.choice([1, 2, 4, 9]))
    live, runs = dice.choice([0, 0, 1, 4]), dice.choice([None, None, 0, 1, 3])
    every = admit(mission, items, live=live, crew=replace(crew, sent=dict(crew.sent)), now=NOW, runs=runs)
    admitted, refused, _ = by_heads(
        mission, items, replace(crew, sent=dict(crew.sent)), live=live, runs=runs, heads=dice.choice([1, 2, 8])
    )
    assert admitted == [d for d in every if isinstance(d, Admit)]
    whole = [d for d in every if isinstance(d, Refuse)]
    waits_for_a_worker = (WaitReason.SLOTS, WaitReason.BUDGET)
    assert any(d.reason not in waits_for_a_worker for d in refused) == any(
        d.reason not in waits_for_a_worker for d in whole
    )
    lines = {i.key: lanes.lane_of(i, mission.policy) for i in items}
    assert {lines[d.key] for d in refused if d.nobody} == {lines[d.key] for d in whole if d.nobody}


def test_a_long_line_is_not_read_to_its_end() -> None:
    items = [ready(n) for n in range(1, 2000)]
    crew = a_crew("a:worker", "b:worker")
    admitted, _, read = by_heads(a_mission(max_parallel_items=9), items, crew, live=0, runs=None, heads=8)
    assert ([d.key for d in admitted], read) == ([key(1), key(2)], 8)


def test_what_is_before_another_in_order_is_not_passed_over_because_it_was_not_read() -> None:
    """The second of one line goes before the first of the other."""
    first, second, other = ready(1, priority=5), ready(2, priority=4), with_change(3, priority=1)
    crew = a_crew("a:worker", "b:worker", "c:checks")
    (decision, more) = admit(a_mission(max_parallel_items=2), [first, other], live=0, crew=crew, now=NOW, ends={key(1)})
    assert isinstance(decision, Admit)
    assert more == More(key(1))
    admitted, _, _ = by_heads(
        a_mission(max_parallel_items=2), [first, second, other], a_crew("a:worker", "b:worker", "c:checks"),
        live=0, runs=None, heads=1,
    )  # fmt: skip
    assert [d.key for d in admitted] == [key(1), key(2)]


def test_after_the_end_of_a_usage_limit_items_go_on_one_by_one() -> None:
    """Then the first of a line says nothing about the next."""
    known = {"a@h": Limit(since=NOW - 10_000, until=NOW - 1)}
    crew = replace(a_crew("w1:worker"), limits=known)
    crew = replace(crew, workers=[replace(w, clis=("a",), host="h") for w in crew.workers])
    assert not crew.alike(NOW)
    assert crew.alike(NOW + limits.MAX_SPREAD)
    items = [ready(n) for n in range(1, 300)]
    admitted, _, _ = by_heads(a_mission(), items, crew, live=0, runs=None, heads=8)
    assert len(admitted) == 1
