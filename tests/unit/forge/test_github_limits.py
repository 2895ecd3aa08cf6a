"""When GitHub may be asked again, and how fast things may be created there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tinytown.errors import RateLimitError
from tinytown.forge.github import faults, limits
from tinytown.forge.github.limits import GRAPHQL, REST, Limits, ProcessPace
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
    known.reached(faults.used_up(GITHUB, token=TOKEN, wait=600), REST, TOKEN)
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
        waits.append(known.reached(asked, REST, TOKEN).wait)
        assert known.reached(asked, REST, TOKEN).wait == waits[-1], "met by two at once"
        assert wait_of(lambda: known.require(GRAPHQL)) == waits[-1]
        clock.now += waits[-1]
        known.require(REST)
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, limits.LONGEST_PAUSE]
    clock.now += waits[-1] + 1
    assert known.reached(asked, REST, TOKEN).wait == 60
    assert known.reached(faults.pause(GITHUB, wait=9000), REST, TOKEN).wait == 9000, "GitHub's own word"


def test_one_thing_a_second_is_created() -> None:
    clock = Clock()
    pace = ProcessPace(clock=clock)
    assert pace.take() == 0
    clock.now += 0.25
    assert pace.take() == 0.75
    assert pace.take() < 0, "the place after that is too far away to be waited for"
    clock.now += 0.75
    assert pace.take() == 1.0


def test_so_many_are_created_in_an_hour() -> None:
    clock = Clock()
    pace = ProcessPace(clock=clock)
    for _ in range(limits.CREATE_HOURLY):
        assert pace.take() == 0
        clock.now += 2
    assert pace.take() == -(3600 - 2 * limits.CREATE_HOURLY)
    clock.now += 3600 - 2 * limits.CREATE_HOURLY
    assert pace.take() == 0
