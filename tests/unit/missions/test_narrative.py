"""A mission's history in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.builders import key
from tinytown.missions.narrative import tell
from tinytown.missions.records.agent import Event

NUMBERS = {key(n): n for n in range(1, 5)}


def e(kind: str, number: int = 0, **data: Any) -> Event:
    return Event(at=0.0, kind=kind, mission="m", item=key(number) if number else "", data=data)


def started(number: int, agent: str, purpose: str = "work", target: str = "head") -> Event:
    return e("attempt_started", number, agent=agent, purpose=purpose, target=target)


def ready(number: int, after: int = 0) -> Event:
    return e("item_ready", number, after=key(after) if after else "")


def test_a_hand_off_is_one_line() -> None:
    """As the tutorial tells it."""
    assert tell([e("item_done", 1), ready(2, after=1), started(2, "backend")], NUMBERS) == [
        "Issue #1 done → Issue #2 ready → assigned to backend"
    ]


def test_only_what_led_to_it_is_joined() -> None:
    """Two items may settle in one moment, and release different ones."""
    told = tell([e("item_done", 1), e("item_done", 2), ready(4, after=2), ready(3, after=1)], NUMBERS)
    assert told == ["Issue #1 done → Issue #3 ready", "Issue #2 done → Issue #4 ready"]
    assert tell([e("item_done", 1), ready(3)], NUMBERS) == ["Issue #1 done", "Issue #3 → ready"]


def test_each_item_that_follows_has_a_line_of_its_own() -> None:
    told = tell(
        [e("item_done", 1), ready(2, after=1), ready(3, after=1), started(3, "ann"), started(2, "bob")], NUMBERS
    )
    assert len(told) == 2
    assert told[0].endswith("Issue #2 ready → assigned to bob")
    assert "Issue #3" in told[1]
    assert told[1].endswith("assigned to ann")


def test_what_is_done_is_never_left_out() -> None:
    assert tell([e("item_done", 1)], NUMBERS) == ["Issue #1 done"]
    assert tell([e("item_done", 1), e("item_done", 2), ready(3, after=1)], NUMBERS)[-1] == "Issue #2 done"
    assert tell([e("item_done", 4), e("mission_completed")], NUMBERS) == [
        "Issue #4 done",
        "All done → Mission completed",
    ]


def test_an_assignment_without_its_beginning_stands_alone() -> None:
    """A reader may begin in the middle."""
    assert tell([started(2, "backend")], NUMBERS) == ["Issue #2 → assigned to backend"]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (started(1, "ann", "fix"), "Issue #1: ann is fixing it"),
        (started(1, "rita", "review"), "Issue #1: rita is reviewing it"),
        (started(1, "checks", "check"), "Issue #1: running the checks"),
        (started(1, "checks", "check", "merge"), "Issue #1: merging"),
        (e("attempt_ended", 1, outcome="succeeded", purpose="work"), None),
        (e("attempt_ended", 1, outcome="cancelled", purpose="work"), None),
        (e("attempt_ended", 1, outcome="timed_out", purpose="work", summary="60 s"), "Issue #1: work timed out: 60 s"),
        (e("attempt_ended", 1, outcome="lost", purpose="fix"), "Issue #1: fix was lost"),
        (
            e("attempt_ended", 1, outcome="usage_limit", purpose="work", summary="429"),
            "Issue #1: work reached a usage limit: 429",
        ),
        (e("attempt_withdrawn", 1), "Issue #1: nobody took it; sent again"),
        (e("checks_passed", 1), "Issue #1: checks passed"),
        (e("approved", 1, by="rita"), "Issue #1: approved by rita"),
        (e("merged", 1, sha="0123456789abcdef"), "Issue #1: merged as 0123456789"),
        (e("change_published", 1, text="tt/0a1b2c3d/1"), None),
        (
            e("change_published", 1, text="PR #4", url="https://github.com/you/auth/pull/4"),
            "Issue #1: PR #4 at https://github.com/you/auth/pull/4",
        ),
        (
            e("review_unheard", 1, agent="rita", summary="it said nothing"),
            "Issue #1: no verdict by rita: it said nothing",
        ),
        (e("fix_requested", 1, gate="check", summary="red"), "Issue #1: check rejected it: red → fix round"),
        (e("item_failed", 1, summary="3 times"), "Issue #1: failed: 3 times"),
        (e("item_waits", 1, reason="usage_limit", remedy="later"), "Issue #1: waits (usage limit): later"),
        (e("item_retried", 1), "Issue #1: retried"),
        (e("item_cancelled", 1), "Issue #1: cancelled"),
        (e("item_redirected", 1, agent="ann"), "Issue #1: redirected to ann"),
        (e("help_asked", reasons=["a", "b"]), "Help asked: a; b"),
        (e("mission_paused", reason="lunch"), "Mission paused: lunch"),
        (e("mission_paused"), "Mission paused"),
        (e("mission_resumed"), "Mission resumed"),
        (e("mission_blocked"), "Mission blocked"),
        (e("mission_running"), "Mission running again"),
        (e("mission_cancelled"), "Mission cancelled"),
        (e("mission_failed", reason="the base is gone"), "Mission failed: the base is gone"),
        (e("mission_noted", text="mind the gap"), "Note: mind the gap"),
    ],
)
def test_every_line_of_history_has_its_sentence(event: Event, line: str | None) -> None:
    assert tell([event], NUMBERS) == ([line] if line is not None else [])


def test_what_a_newer_release_writes_is_passed_over() -> None:
    assert tell([e("something_new", 1)], NUMBERS) == []


def test_an_event_without_all_its_fields_is_told_all_the_same() -> None:
    for kind in ("attempt_started", "attempt_ended", "approved", "merged", "fix_requested", "item_waits", "help_asked"):
        tell([e(kind, 1)], NUMBERS)
