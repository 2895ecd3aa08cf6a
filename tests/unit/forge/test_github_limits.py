"""When GitHub may be asked again, and how fast things may be created there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tinytown.errors import RateLimitError
from tinytown.forge.github import faults, limits
from tinytown.forge.github.ledger import Ledger, path_of
from tinytown.forge.github.limits import GRAPHQL, REST, Limits
from tinytown.forge.github.site import GITHUB, Token

TOKEN = Token("x", "GH_TOKEN")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def wait_of(call: Callable[[], object]) -> float:
    with pytest.raises(RateLimitError) as caught:
        call()
    return caught.value.wait


def test_an_account_that_is_used_up_is_not_asked_before_its_reset() -> None:
    clock = Clock()
    known = Limits(GITHUB, clock=clock)
    known.reached(faults.used_up(GITHUB, token=TOKEN, wait=600), REST)
    clock.now += 100
    assert wait_of(lambda: known.require(REST)) == 500
    known.require(GRAPHQL)
    clock.now += 500
    known.require(REST)


def test_a_pause_holds_up_everything_and_doubles_until_one_was_long_enough() -> None:
    clock = Clock()
    known = Limits(GITHUB, clock=clock)
    asked = faults.pause(GITHUB, wait=60)
    waits = []
    for _ in range(8):
        waits.append(known.reached(asked, REST).wait)
        assert known.reached(asked, REST).wait == waits[-1], "met by two at once"
        assert wait_of(lambda: known.require(GRAPHQL)) == waits[-1]
        clock.now += waits[-1]
        known.require(REST)
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, limits.LONGEST_PAUSE]
    clock.now += waits[-1] + 1
    assert known.reached(asked, REST).wait == 60
    assert known.reached(faults.pause(GITHUB, wait=9000), REST).wait == 9000, "GitHub's own word"


def test_one_thing_a_second_is_created() -> None:
    clock = Clock()
    pace = Limits(GITHUB, clock=clock)
    assert pace.take() == 0
    clock.now += 0.25
    assert pace.take() == 0.75
    assert pace.take() < 0, "the place after that is too far away to be waited for"
    clock.now += 0.75
    assert pace.take() == 1.0


def test_so_many_are_created_in_an_hour() -> None:
    clock = Clock()
    pace = Limits(GITHUB, clock=clock)
    for _ in range(limits.CREATE_HOURLY):
        assert pace.take() == 0
        clock.now += 2
    assert pace.take() == -(3600 - 2 * limits.CREATE_HOURLY)
    clock.now += 3600 - 2 * limits.CREATE_HOURLY
    assert pace.take() == 0


def test_whoever_is_started_anew_knows_what_was_met_before(tmp_path: Path) -> None:
    clock, path = Clock(), path_of(tmp_path, GITHUB, TOKEN)
    before = Limits(GITHUB, ledger=Ledger(path), clock=clock)
    assert before.take() == 0
    before.reached(faults.used_up(GITHUB, token=TOKEN, wait=600), GRAPHQL)
    before.reached(faults.pause(GITHUB, wait=60), REST)
    clock.now += 0.5
    after = Limits(GITHUB, ledger=Ledger(path), clock=clock)
    assert after.take() == 0.5
    assert wait_of(lambda: after.require(GRAPHQL)) == 599.5
    assert wait_of(lambda: after.require(REST)) == 59.5
    assert after.reached(faults.pause(GITHUB, wait=60), REST).wait == 120, "the second pause in a row"
    assert TOKEN.value not in path.name
    other = Limits(GITHUB, ledger=Ledger(path_of(tmp_path, GITHUB, Token("y", "GH_TOKEN"))), clock=clock)
    other.require(REST)


def test_many_who_create_at_once_share_one_pace(tmp_path: Path) -> None:
    clock = Clock()
    path = path_of(tmp_path, GITHUB, TOKEN)
    all_of_them = [Limits(GITHUB, ledger=Ledger(path), clock=clock) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        waits = sorted(pool.map(lambda one: one.take(), all_of_them))
    assert waits[-2:] == [0.0, 1.0]
    assert waits[0] == waits[1] < 0


def test_a_ledger_that_is_damaged_or_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    path = path_of(tmp_path, GITHUB, TOKEN)
    path.write_text("{")
    known = Limits(GITHUB, ledger=Ledger(path), clock=Clock())
    known.require(REST)
    assert known.take() == 0
    (tmp_path / "a file").write_text("")
    nowhere = Limits(GITHUB, ledger=Ledger(tmp_path / "a file" / "x.json"), clock=Clock())
    assert nowhere.take() == 0
    assert nowhere.take() == 1.0, "it knows what it did itself"


def test_times_of_a_clock_that_was_set_back_do_not_count(tmp_path: Path) -> None:
    clock = Clock()
    known = Limits(GITHUB, ledger=Ledger(path_of(tmp_path, GITHUB, TOKEN)), clock=clock)
    clock.now += 10 * 24 * 3600
    known.reached(faults.used_up(GITHUB, token=TOKEN, wait=600), REST)
    assert known.take() == 0
    clock.now -= 10 * 24 * 3600
    known.require(REST)
    assert known.take() == 0


def test_the_last_points_of_graphql_are_kept_for_writes() -> None:
    clock = Clock()
    known = Limits(GITHUB, clock=clock)
    known.left(limits.RESERVE, clock.now + 900)
    known.require_for_looks()
    known.left(limits.RESERVE - 1, clock.now + 900)
    assert wait_of(known.require_for_looks) == 900
    known.require(GRAPHQL)
    clock.now += 900
    known.require_for_looks()
