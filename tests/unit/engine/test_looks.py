"""When changes are looked at between two ticks."""

from __future__ import annotations

import threading

import pytest

from tests.waiting import patience
from tinytown.engine.looks import Looks
from tinytown.errors import RateLimitError, UnreachableError
from tinytown.missions.pauses import FORGE_AWAY_SECS


class Clock:
    """The database's time."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now
        self.asked = threading.Event()

    def __call__(self) -> float:
        self.asked.set()
        return self.now


def waiting(looks: Looks, clock: Clock) -> threading.Thread:
    thread = threading.Thread(target=looks.wait, args=(clock,), kwargs={"ended": lambda: False}, daemon=True)
    thread.start()
    return thread


def ends(thread: threading.Thread) -> bool:
    thread.join(patience(10))
    return not thread.is_alive()


def test_what_is_due_ends_the_wait_and_is_taken_once() -> None:
    looks = Looks()
    looks.known("m", {"a": 90.0, "b": 99.0, "c": 150.0}, now=80.0)
    looks.expect("n", "d", 120.0)
    looks.wait(Clock(), ended=lambda: False)
    assert looks.take(100.0) == ["m"]
    assert looks.take(100.0) == []
    assert sorted(looks.take(200.0)) == ["m", "n"]


def test_what_is_due_already_is_being_looked_at() -> None:
    """Else a change of which nothing can be read would be looked at without a pause."""
    looks = Looks()
    looks.known("m", {"a": 90.0, "b": 101.0}, now=100.0)
    assert looks.take(100.5) == []
    assert looks.take(101.0) == ["m"]


def test_news_of_an_earlier_look_ends_a_long_wait() -> None:
    looks, clock = Looks(), Clock()
    looks.expect("m", "a", 100_000.0)
    thread = waiting(looks, clock)
    assert clock.asked.wait(patience(10))
    looks.expect("m", "b", 100.0)
    assert ends(thread)


def test_who_waits_for_nothing_asks_nothing_and_ends_when_it_is_over() -> None:
    looks, clock, over = Looks(), Clock(), threading.Event()
    thread = threading.Thread(target=looks.wait, args=(clock,), kwargs={"ended": over.is_set}, daemon=True)
    thread.start()
    over.set()
    looks.wake()
    assert ends(thread)
    assert not clock.asked.is_set()


def test_a_forge_that_is_away_is_asked_less_and_less_and_a_limit_is_no_failure() -> None:
    looks, away = Looks(), UnreachableError("away", remedy="wait")
    assert [looks.failed(away) for _ in range(4)] == [*FORGE_AWAY_SECS, FORGE_AWAY_SECS[-1]]
    assert looks.failed(RateLimitError("used up", wait=7.0)) == pytest.approx(7.0)
    looks.answered()
    assert looks.failed(away) == FORGE_AWAY_SECS[0]
