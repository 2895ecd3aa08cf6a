"""Checks whose failure is not the change's: run again once, told, and free of charge; and an error that stays."""

from __future__ import annotations

from typing import Any

from tests.fakes.github.hub import GitHub
from tests.integration.github.town import MakeTown, Town
from tinytown.missions.states import ItemState

LOST = "The hosted runner lost communication with the server."


def told(town: Town, kind: str) -> list[dict[str, Any]]:
    events = town.context.store.events(town.mission, count=500)
    return [dict(one.data) for _, one in events if one.kind == kind]


def test_a_flake_is_run_again_once_and_told_and_costs_nothing(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": ("failure", LOST)})
    town = a_town().start(1)
    github.workflow("CI", {"test": "success"})
    town.until(lambda: town.item().state is ItemState.DONE and town.item().merged)
    assert told(town, "check_rerun") == [{"check": "test", "why": "its runner failed"}]
    assert told(town, "check_flaked") == [{"check": "test"}]
    assert len(github.writes("POST", "/repos/*/rerun")) == 1
    assert (town.item().fix_rounds, sum(town.item().failures.values()), town.rounds) == (0, 0, [])


def test_the_same_error_after_two_rounds_is_asked_about(a_town: MakeTown, github: GitHub) -> None:
    """Whatever differs from run to run: times, numbers, folders."""
    lines = iter(f"2026-01-0{n}T10:00:0{n}Z /tmp/run-{n}/a.py:{n}: AssertionError: 1 != 2" for n in range(1, 9))
    github.workflow("CI", {"test": lambda _: ("failure", next(lines))})
    town = a_town(max_fix_rounds=9).start(1)
    town.until(lambda: "the same error after 2 fix rounds" in town.said())
    town.look().look()
    assert len(town.rounds) == 2
    assert len(town.questions()) == 1
