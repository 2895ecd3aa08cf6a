"""When a limit ends, in all the ways in which CLIs and services say it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from tinytown.agents import clock

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
#: A Thursday noon.
NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC).timestamp()


def utc(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("said", "secs"),
    [
        ("try again in 20s", 20),
        ("Please retry in 41.5s.", 41.5),
        ("retry after 1h30m", 5400),
        ("try again in 1 day 2 hours 5 minutes", 93900),
        ("try again in 2 hours 13 minutes", 7980),
        ("try again in 45 minutes", 2700),
        ("resets in 2h 30m", 9000),
        ("try again in 1 hour and 1 minute", 3660),
        ("try again in 2 hours, 13 minutes, and 5 seconds", 7985),
        ("try again in about an hour", 3600),
        ("try again in ~5 min", 300),
        ("resets in 1 week", 604800),
        ("Retry-After: 17", 17),
        ('"retry_after": 9', 9),
        ("retry-after-ms: 1500", 1.5),
        ("retry in 250ms", 0.25),
        ("retry after 90 seconds", 90),
        ("Please wait 30 seconds", 30),
        ("try again in PT2H13M", 7980),
        ("retry-after: P1DT1S", 86401),
        ("try again in a while", None),
        ("try again", None),
        ("I slept 20s", None),
        ("try again in 4 places", None),
        ("in 20s", None),
        ("reset the counter 12 times", None),
    ],
)
def test_a_duration(said: str, secs: float | None) -> None:
    found = clock.end_of_limit(said, now=NOW, zone=UTC)
    assert (None if found is None else round(found - NOW, 6)) == secs


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("You've hit your limit · resets 4:38pm (UTC)", utc(2026, 10, 1, 16, 38)),
        ("You've hit your limit · resets 4:38am (UTC)", utc(2026, 10, 2, 4, 38)),
        ("resets 3pm", utc(2026, 10, 1, 13, 0)),
        ("resets 3pm (America/New_York)", utc(2026, 10, 1, 19, 0)),
        ("Your limit will reset at 3pm (Europe/Berlin).", utc(2026, 10, 1, 13, 0)),
        ("or try again at 4:38 AM.", utc(2026, 10, 2, 2, 38)),
        ("try again at 4:38 p.m.", utc(2026, 10, 1, 14, 38)),
        ("try again at 16:38", utc(2026, 10, 1, 14, 38)),
        ("try again at 16:38 UTC", utc(2026, 10, 1, 16, 38)),
        ("resets at 12am (UTC)", utc(2026, 10, 2, 0, 0)),
        ("resets at 12pm (UTC+2)", utc(2026, 10, 2, 10, 0)),
        ("resets 4:38pm PDT", utc(2026, 10, 1, 23, 38)),
        ("resets Oct 3, 9am (Europe/Berlin)", utc(2026, 10, 3, 7, 0)),
        ("resets Oct 3 at 9:30am (UTC)", utc(2026, 10, 3, 9, 30)),
        ("try again at Oct 3rd, 2026 9:00 AM.", utc(2026, 10, 3, 7, 0)),
        ("resets on 3 October, 09:00 (UTC)", utc(2026, 10, 3, 9, 0)),
        ("weekly limit reached · resets Monday 9am (UTC)", utc(2026, 10, 5, 9, 0)),
        ("resets Thursday at 11:00 (UTC)", utc(2026, 10, 8, 11, 0)),
        ("resets tomorrow at 9am (UTC)", utc(2026, 10, 2, 9, 0)),
        ("available again on 2026-10-03 at 09:00 (UTC)", utc(2026, 10, 3, 9, 0)),
        ("resets at 2026-10-03T09:00:00Z", utc(2026, 10, 3, 9, 0)),
        ("resets_at: 2026-10-03T09:00:00.5+02:00", utc(2026, 10, 3, 7, 0) + 0.5),
        ("Retry-After: Sat, 03 Oct 2026 07:28:00 GMT", utc(2026, 10, 3, 7, 28)),
        ('"resets_at": 1791018000', 1791018000.0),
        ('"resetsAt":1791018000000', 1791018000.0),
        ("Claude AI usage limit reached|1791018000", 1791018000.0),
        ("Claude AI usage limit reached|1791018000000", 1791018000.0),
        # It has ended meanwhile, or in this very minute.
        ("Claude AI usage limit reached|1735689600", NOW),
        ("resets 12pm (UTC)", NOW),
        ("resets Sep 30, 9am (UTC)", NOW),
        # Nobody waits so long: a misreading.
        ("resets at 2031-01-01T00:00:00Z", None),
        ("resets 25:00", None),
        ("resets 13pm", None),
        ("resets Feb 31, 9am", None),
        ("resets 5", None),
    ],
)
def test_a_moment(said: str, end: float | None) -> None:
    """A clock that names no zone is that of the CLI; here it is in Berlin."""
    assert clock.end_of_limit(said, now=NOW, zone=BERLIN) == end


def test_the_turn_of_the_year() -> None:
    now = utc(2026, 12, 30, 12)
    assert clock.end_of_limit("resets Jan 2, 9am (UTC)", now=now) == utc(2027, 1, 2, 9)


def test_the_day_on_which_clocks_are_changed() -> None:
    """Tomorrow's clock is read by tomorrow's time; an hour that comes twice is the one to come."""
    before = utc(2026, 10, 24, 12)
    assert clock.end_of_limit("resets 9am", now=before, zone=BERLIN) == utc(2026, 10, 25, 8)
    assert clock.end_of_limit("resets 9am", now=before - 86400, zone=BERLIN) == utc(2026, 10, 24, 7)
    first = utc(2026, 10, 25, 0, 10)
    assert clock.end_of_limit("resets 2:30am", now=first, zone=BERLIN) == utc(2026, 10, 25, 0, 30)
    assert clock.end_of_limit("resets 2:30am", now=first + 1800, zone=BERLIN) == utc(2026, 10, 25, 1, 30)
    spring = utc(2026, 3, 28, 23)
    missing = clock.end_of_limit("resets 2:30am", now=spring, zone=BERLIN)
    assert missing in (utc(2026, 3, 29, 0, 30), utc(2026, 3, 29, 1, 30))


def test_a_clock_without_any_zone_is_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert clock.end_of_limit("resets 3pm", now=NOW) == datetime(2026, 10, 1, 15, tzinfo=NEW_YORK).timestamp()
    finally:
        monkeypatch.undo()
        time.tzset()


def test_hostile_words_are_read_in_a_moment() -> None:
    began = time.monotonic()
    for word in ("resets ", "try again in 1 hour ", "resets Oct 1, ", "1h", "resets (", "retry after ", "9" * 40):
        clock.end_of_limit(word * 100_000, now=NOW, zone=timezone(timedelta(hours=1)))
    assert time.monotonic() - began < 5
