"""A dispatcher in the foreground tells what happens from now on, not what missions did long ago."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.builders import key
from tinytown.cli import dispatch
from tinytown.missions.records.agent import Event

NOW = 10_000.0
HISTORY = [
    ("1-0", Event(at=NOW - 600, kind="merged", item=key(1), data={"sha": "a" * 10})),
    ("2-0", Event(at=NOW - 3, kind="merged", item=key(2), data={"sha": "b" * 10})),
]


def told(capsys: pytest.CaptureFixture[str], run: str | None, tick: float) -> str:
    store = SimpleNamespace(
        now=lambda: NOW,
        mission_ids=lambda live: ["m"],
        events=lambda mission, after, count: HISTORY,
        order=lambda mission: {key(n): n for n in (1, 2)},
    )
    settings = SimpleNamespace(timing=SimpleNamespace(tick_secs=tick))
    context: Any = SimpleNamespace(store=store, town=SimpleNamespace(settings=settings))
    dispatch._Teller(context, run).tell(all_of_it=True)
    return capsys.readouterr().out


@pytest.mark.parametrize(("run", "tick", "old"), [(None, 30, False), (None, 900, True), ("m", 30, True)])
def test_of_the_past_only_the_last_tick_is_told_unless_a_mission_is_named(
    capsys: pytest.CaptureFixture[str], run: str | None, tick: float, old: bool
) -> None:
    shown = told(capsys, run, tick)
    assert "Round 0: Issue #2: merged as bbbbbbbbbb" in shown
    assert ("Issue #1: merged" in shown) is old
