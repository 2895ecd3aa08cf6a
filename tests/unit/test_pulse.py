"""What goes on beside runs: on time, each apart from the others, and never after its end."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest

from tests.waiting import wait_until
from tinytown_workers.run.pulse import Beat, Pulse

#: Seconds between two times that something is done.
SOON = 0.02


def test_what_hangs_keeps_nothing_else_waiting_and_its_end_waits_for_it() -> None:
    pulse, done = Pulse(), Counter[str]()
    hangs, goes_on = threading.Event(), threading.Event()

    def hang() -> bool:
        hangs.set()
        return goes_on.wait(60)

    def count(name: str, times: int) -> Callable[[], bool]:
        def act() -> bool:
            done[name] += 1
            return done[name] < times

        return act

    stuck = pulse.every(SOON, hang)
    assert hangs.wait(60)
    pulse.every(SOON, count("three times", 3))
    pulse.every(SOON, count("often", 10_000))
    wait_until(lambda: done["often"] >= 5, timeout=60, description="the others go on")
    assert done["three times"] == 3
    ending = threading.Thread(target=stuck.finish)
    ending.start()
    ending.join(5 * SOON)
    assert ending.is_alive(), "what is under way is waited for"
    goes_on.set()
    ending.join(60)
    assert not ending.is_alive()


def test_what_has_ended_is_not_done_and_costs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    pulse, done = Pulse(), threading.Event()
    begun: list[Beat] = []
    real = Beat.do

    def do(beat: Beat, again: Callable[[Beat], None]) -> None:
        begun.append(beat)
        real(beat, again)

    monkeypatch.setattr(Beat, "do", do)
    ended = [pulse.every(1.0, lambda: bool(done.set())) for _ in range(200)]
    for beat in ended:
        beat.end()
    later = threading.Event()
    pulse.every(1.0 + SOON, lambda: bool(later.set()))
    assert later.wait(60), "it comes after them"
    assert not done.is_set()
    assert not set(begun) & set(ended), "a thread is begun for what is done, and for nothing else"


def test_what_comes_sooner_is_done_sooner() -> None:
    pulse, soon = Pulse(), threading.Event()
    pulse.every(3600, lambda: True)
    pulse.every(SOON, lambda: bool(soon.set()))
    assert soon.wait(60)
