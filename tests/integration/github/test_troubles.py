"""What goes wrong between a mission and GitHub: it waits, asks at most once, and writes nothing twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.github.hub import GitHub
from tests.integration.github.town import DiedError, MakeTown, Town
from tinytown.engine.operate import missions
from tinytown.forge.github import client
from tinytown.git import remote
from tinytown.missions.states import ItemState


@pytest.fixture
def dies(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The process that speaks to GitHub dies right after each write, before it can record anything of it."""
    written = threading.Event()
    deaths: list[str] = []

    def note(request: Any) -> None:
        if request.done:
            deaths.append(f"{request.method} {request.place}")
            written.set()

    def mortal(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            try:
                return call(*arguments, **named)
            finally:
                if written.is_set():
                    written.clear()
                    raise DiedError

        return called

    monkeypatch.setattr(client.Client, "_call", mortal(client.Client._call))
    monkeypatch.setattr(remote, "push", mortal(remote.push))
    github.after_write.append(note)
    return deaths


def merged(town: Town) -> bool:
    return town.item().state is ItemState.DONE and town.pull().merged is not None


def test_whoever_dies_after_each_write_repeats_none(a_town: MakeTown, github: GitHub, dies: list[str]) -> None:
    github.push_by("ann", "dev", {"dev.txt": "dev\n"})
    github.workflow("CI", {"test": "failure"})
    town = a_town(base="dev").start(1)
    thread = github.thread("ann", "1.txt", 1, "Say why")
    town.then = lambda: github.workflow("CI", {"test": "success"})
    town.until(lambda: merged(town))
    town.look()
    assert len(town.rounds) == 1
    assert len(thread.comments) == 2
    said = Counter((one.method, one.place, one.body) for one in github.writes())
    twice = [call[:2] for call, times in said.items() if times > 1 and "git-receive-pack" not in call[1]]
    assert twice == []
    assert len(github.writes("POST", "/repos/*/pulls")) == 1
    assert len(github.writes("PUT", "/repos/*/merge")) == 1
    assert github.repo.issues[1].state == "closed"
    assert github.tip(town.item().branch) == ""
    assert len(dies) >= 8


def test_a_token_that_is_no_more_is_asked_about_once(
    a_town: MakeTown, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town().start(1)
    github.world.tokens.clear()
    town.look().look().look()
    assert len(town.standing_help()) == 1
    assert "token" in town.standing_help()[0]
    assert len(town.questions()) == 1
    monkeypatch.setenv("GH_TOKEN", github.token("tinytown"))
    town.restart()
    town.until(lambda: merged(town))


@pytest.mark.parametrize("limit", ["primary", "secondary"])
def test_a_limit_is_waited_for_and_nobody_is_asked(a_town: MakeTown, github: GitHub, limit: str) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town().start(1)
    if limit == "primary":
        for resource in ("core", "graphql"):
            github.primary_limit("tinytown", resource)
    else:
        github.secondary_limit(times=None, after=300)
    town.look()
    asked = len(github.seen)
    town.look().look().look()
    assert len([one for one in github.seen[asked:] if not one.place.endswith(("/info/refs", "-pack"))]) == 0
    assert town.standing_help() == ()
    github.world.left.clear()
    github.faults.clear()
    # Another process knows it, too.
    town.restart()
    town.look()
    assert len([one for one in github.seen[asked:] if not one.place.endswith(("/info/refs", "-pack"))]) == 0
    town.outlive_limits()
    town.until(lambda: merged(town))
    assert len(github.writes("POST", "/repos/*/pulls")) == 1


@pytest.mark.parametrize("since", ["before it is published", "after it was published"])
def test_a_github_that_is_away_for_an_hour_is_waited_for(a_town: MakeTown, github: GitHub, since: str) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town()

    def away() -> None:
        github.fault("*", "*", 503, times=None)

    if since.startswith("before"):
        town.then = away
    town.start(1)
    if since.startswith("after"):
        away()
    for _ in range(3):
        town.restart()
        town.look(1200)
        assert town.standing_help() == ()
    github.faults.clear()
    town.restart()
    town.until(lambda: merged(town))


def test_nothing_is_written_or_asked_for_a_paused_mission(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town().start(1)
    missions.pause(town.context, town.mission)
    asked = len(github.seen)
    github.thread("ann", "1.txt", 1, "Say why")
    town.look().look()
    assert len(github.seen) == asked
    assert not town.rounds
    missions.resume(town.context, town.mission)
    town.until(lambda: merged(town))
    assert len(town.rounds) == 1


@pytest.mark.parametrize("by", ["tinytown", "ann"])
def test_what_is_left_to_do_after_a_merge_is_done_once_github_answers(
    a_town: MakeTown, github: GitHub, by: str
) -> None:
    github.push_by("ann", "dev", {"dev.txt": "dev\n"})
    github.workflow("CI", {"test": "success"})
    town = a_town(base="dev", auto_merge=by == "tinytown", settle_on="merged").start(1)
    branch = town.item().branch
    github.fault("PATCH", "/repos/*/issues/1", 502, times=4)
    github.fault("POST", "/octo/site.git/git-receive-pack", 502)
    if by == "ann":
        town.until(lambda: "merge" in town.said())
        github.merge_by("ann")
    town.until(lambda: town.item().state is ItemState.DONE and town.item().merged)
    assert github.repo.issues[1].state == "closed"
    assert github.tip(branch) == ""
    assert len(github.writes("PATCH", "/repos/*/issues/1")) == 1
