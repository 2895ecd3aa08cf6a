"""Whoever lets a mission or an item go on turns nothing red to green: what GitHub says of its head is read anew."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.fakes.github.hub import GitHub
from tests.integration.github.town import MakeTown, Town
from tinytown.engine.operate import items as operate_items
from tinytown.engine.operate import missions
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, Purpose

Turn = Callable[[Town], object]

FEW = {"pull_requests": "write", "contents": "write", "statuses": "write", "metadata": "read", "issues": "write"}


def with_token(**rights: object) -> Turn:
    """Another token is in the environment, and the process that speaks to GitHub begins anew."""

    def turn(town: Town) -> None:
        # The fixture of this GitHub sets it back.
        os.environ["GH_TOKEN"] = town.github.token("tinytown", **rights)
        town.restart()

    return turn


#: What a red head is red by, and how it becomes so.
REDS: dict[str, Turn] = {
    "check": lambda town: town.github.check("test", "failure"),
    "changes requested": lambda town: town.github.review("ann", "CHANGES_REQUESTED", "Say why"),
    "conflict": lambda town: town.github.push_by("ann", "main", {"1.txt": "theirs\n"}),
    "bot": lambda town: town.github.check("Cursor Bugbot", "neutral", app="cursor", summary="found 1 issue"),
    "unreadable": with_token(kind="fine-grained", permissions=FEW),
}


@pytest.fixture
def town(a_town: MakeTown, github: GitHub) -> Town:
    """Its pull request is as good as done once it is approved."""
    return a_town(max_fix_rounds=0, settle_on="approved", auto_merge=False)


def reviewing(item: Item) -> bool:
    return item.attempt is not None and item.attempt.purpose is Purpose.REVIEW


def is_through(town: Town) -> bool:
    """Whether it was settled or merged."""
    item = town.item()
    return item.state is ItemState.DONE or item.merged is not None or town.pull().merged is not None


def paused_when_green(town: Town, github: GitHub) -> None:
    """Its head was green at the last look, and its reviewer is about to approve it."""
    town.start(1)
    github.check("test", "success")
    town.held = reviewing
    town.until(lambda: reviewing(town.item()))
    missions.pause(town.context, town.mission)
    town.held = lambda _: False


@pytest.mark.parametrize("red", REDS)
def test_what_became_red_while_it_was_paused(town: Town, github: GitHub, red: str) -> None:
    paused_when_green(town, github)
    REDS[red](town)
    missions.resume(town.context, town.mission)
    town.go_on()
    assert not is_through(town)
    town.look()
    assert not is_through(town)
    assert not town.rounds


def test_what_became_red_while_it_was_reviewed(town: Town, github: GitHub) -> None:
    """Its approval settles nothing by what GitHub said before it."""
    town.start(1)
    github.check("test", "success")
    town.held = reviewing
    town.until(lambda: reviewing(town.item()))
    github.check("test", "failure")
    town.held = lambda _: False
    town.go_on()
    assert town.item().approved == town.item().head
    assert not is_through(town)
    town.look()
    assert not is_through(town)


def test_what_stayed_green_goes_on_with_the_next_look(town: Town, github: GitHub) -> None:
    paused_when_green(town, github)
    missions.resume(town.context, town.mission)
    town.go_on()
    assert not is_through(town)
    assert "still to be looked at" in town.said()
    town.look(1)
    assert not is_through(town), "its approval was told there just now"
    town.look(1)
    assert is_through(town)


@pytest.mark.parametrize("red", REDS)
def test_what_was_red_before_it_was_asked_about(town: Town, github: GitHub, red: str) -> None:
    """Whether it was paused meanwhile, or the mission or the item is let go on, once or again."""
    town.start(1)
    github.check("test", "success")
    town.held = reviewing
    REDS[red](town)
    town.until(town.standing_help)
    town.held = lambda item: item.attempt is not None and item.attempt.purpose is Purpose.FIX
    let_go_on(town)
    town.look()
    assert not is_through(town)
    assert town.standing_help(), "who asked once asks again"
    operate_items.retry(town.context, town.mission, None)
    town.go_on()
    assert not is_through(town)
    let_go_on(town)
    town.look()
    assert not is_through(town)
    assert not town.rounds


def let_go_on(town: Town) -> None:
    missions.pause(town.context, town.mission)
    missions.resume(town.context, town.mission)
    town.go_on()
    assert not is_through(town)
