"""GitHub is looked at when something is due there, and left alone when it does not answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.github.hub import GitHub
from tests.integration.github.town import MakeTown, Town
from tests.waiting import wait_until
from tinytown.cli import columns, mission_view
from tinytown.engine.looks import Looks
from tinytown.engine.views import missions
from tinytown.engine.watch import due, outside
from tinytown.errors import UnreachableError
from tinytown.missions.evidence import mergeability
from tinytown.missions.states import ItemState, MissionState
from tinytown.state import forge_away


@pytest.fixture
def looking(a_town: MakeTown) -> Iterator[list[due.Looker]]:
    """The threads that a test begins, ended before its towns are."""
    begun: list[due.Looker] = []
    yield begun
    for one in begun:
        one.end()
        one._thread.join(20)
        assert not one._thread.is_alive()


def questions(github: GitHub) -> int:
    return sum(one.place == "/api/graphql" for one in github.seen)


def test_what_github_still_computes_is_asked_for_again_without_a_tick(
    a_town: MakeTown, github: GitHub, looking: list[due.Looker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mergeability, "UNKNOWN_SECS", (0.2, 0.2, 0.2))
    github.workflow("CI", {"test": "success"})
    town = a_town(auto_merge=False, settle_on="merged", reviewer_required=False, checks_appear_secs=1).start(1)
    town.pull().unknown = 9
    looking.append(due.Looker(town.context))
    asked = questions(github)
    looking[0].begin()
    town.context.looks.expect(town.mission, town.item().key, 0.0)
    # At once, when checks have had their time to appear, and as long as it is not told.
    wait_until(lambda: questions(github) >= asked + 4, description="four looks")
    verdict = town.item().forge_verdict
    assert verdict is not None
    assert "has not told yet whether it can be merged" in verdict.why


AWAY = {"502": "answers 502", "a limit": "rate limit"}


@pytest.mark.parametrize("fault", AWAY)
@pytest.mark.parametrize("looked_at", [False, True], ids=["never looked at", "looked at"])
def test_status_says_since_when_github_does_not_answer_and_when_it_is_asked_again(
    a_town: MakeTown, github: GitHub, capsys: pytest.CaptureFixture[str], fault: str, looked_at: bool
) -> None:
    town = a_town().start(1)
    if looked_at:
        github.check("test")
        town.look()
    if fault == "502":
        github.fault("*", "/api/*", 502, times=None)
    else:
        github.secondary_limit(times=None, after=300)
    town.look()
    town.watch()
    said, lines = shown(town, capsys)
    assert "in review, waits 0s (unreachable: " in said
    assert AWAY[fault] in said
    assert "; next try in " in said
    assert "to be looked at" not in said
    assert lines[0].startswith("⏳ PR #2 forge: waiting (")
    assert AWAY[fault] in lines[0]
    assert ", for 0s; retrying in " in lines[0]
    assert [line.partition(":")[0] for line in lines[1:]] == (["🔄 PR #2 CI check"] if looked_at else [])
    github.faults.clear()
    town.outlive_limits()
    town.watch()
    said, lines = shown(town, capsys)
    assert AWAY[fault] not in said + str(lines)


def test_another_process_finds_since_when_it_is_and_that_it_is_over(a_town: MakeTown, github: GitHub) -> None:
    town = a_town().start(1)
    github.fault("*", "/api/*", 502, times=None)
    town.look()
    first = forge_away.read(town.context.store)
    town.restart()
    town.context.looks = Looks()
    town.look()
    second = forge_away.read(town.context.store)
    assert first is not None
    assert second is not None
    assert second.since == first.since
    assert second.until > first.until
    github.faults.clear()
    town.restart()
    town.context.looks = Looks()
    town.look()
    assert forge_away.read(town.context.store) is None


def test_an_ended_mission_says_until_when_it_was_seen_what_is_left_to_merge(
    a_town: MakeTown, github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody may have merged it since: nobody looks any more, and status asks nothing."""
    github.workflow("CI", {"test": "success"})
    github.issue(2, "Add another page")
    town = a_town(auto_merge=False)
    town.held = lambda item: item.number == 2
    town.start(1, 2)
    town.until(lambda: town.item(1).state is ItemState.DONE)
    url = town.item(1).change_url
    assert f"; yours to merge: {url}" in shown(town, capsys)[0]
    town.held = lambda _: False
    town.until(lambda: town.state() is MissionState.COMPLETED)
    github.merge_by("ann", int(town.item(1).change or 0))
    asked = len(github.seen)
    at = columns.moment(town.context.store.mission(town.mission).record.finished_at)
    assert f"; yours to merge, as last seen at {at}: {url}" in shown(town, capsys)[0]
    assert len(github.seen) == asked


def shown(town: Town, capsys: pytest.CaptureFixture[str]) -> tuple[str, list[str]]:
    """What `tt mission status --watch` prints of the items, and of what is watched."""
    capsys.readouterr()
    mission_view.show(missions.mission_view(town.context, town.mission), work=False, watch=True)
    before, _, after = capsys.readouterr().out.partition("🚧 Watch Items")
    return before, [line.strip() for line in after.splitlines()[1:]]


def away(town: Town) -> bool:
    try:
        outside.watch_all(town.context)
    except UnreachableError:
        return True
    return False


def test_a_github_that_does_not_answer_is_left_alone_for_a_minute_then_two(
    a_town: MakeTown, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town().start(1)
    pauses: list[float] = []
    monkeypatch.setattr(town.context, "put_off", lambda _what, seconds: pauses.append(seconds))
    github.fault("*", "*", 503, times=None)
    for _ in range(4):
        town.pass_time(61)
        town.restart()
        assert away(town)
    assert pauses == [60.0, 120.0, 300.0, 300.0]


def test_nothing_is_asked_while_it_is_left_alone(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town().start(1)
    github.fault("*", "*", 503, times=None)
    town.pass_time(61)
    town.restart()
    assert away(town)
    github.faults.clear()
    town.pass_time(61)
    seen = len(github.seen)
    outside.watch_all(town.context)
    due.look_when_due(town.context)
    assert len(github.seen) == seen
    town.context._done_at.clear()
    outside.watch_all(town.context)
    assert len(github.seen) > seen
