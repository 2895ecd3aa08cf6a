"""Whatever it is about to send or record, the process that speaks to GitHub may be killed: nothing is lost or doubled.

A process is really killed, and another one takes its place. ``FORGE_DEATHS=all`` has it die once at each boundary, a
mission each; else a few are chosen. One more mission has it die at all of them.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.github.hub import GitHub
from tests.fakes.github.objects import NOTHING
from tests.fakes.github.rules.workflows import JobPlan, Reader
from tests.integration.github.boundaries import Boundaries, Database, Kill, named
from tests.integration.github.mortal import Hatchery, Mortal
from tests.integration.github.town import Town
from tinytown.engine.operate import items as operate_items
from tinytown.host.server import Server
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, MissionState, Outcome, Purpose
from tinytown.state import lookup

ALL = os.environ.get("FORGE_DEATHS") == "all"
#: How many boundaries there are, or a few more: beyond the last one nothing is met.
BOUNDARIES = 104
SAMPLE = (9, 51, 93)
DESCRIPTION = "PATCH /repos/octo/site/pulls/2"
#: What a mission writes at GitHub.
EXPECTED = {
    "creation of the branch": 1,
    "push": 3,
    "deletion of the branch": 1,
    "POST /repos/octo/site/pulls": 1,
    DESCRIPTION: 3,
    "POST /repos/octo/site/actions/jobs/…/rerun": 1,
    "GraphQL addPullRequestReviewThreadReply": 1,
    "GraphQL resolveReviewThread": 1,
    "POST /repos/octo/site/pulls/2/reviews": 1,
    "POST /repos/octo/site/statuses/…": 1,
    "PUT /repos/octo/site/pulls/2/merge": 1,
    "PATCH /repos/octo/site/issues/1": 1,
}


class MortalTown(Town):
    """A town whose forge process is one of its own, which dies where the boundaries say."""

    def __init__(self, url: str, root: Path, github: GitHub, hatchery: Hatchery, **policy: object) -> None:
        self.boundaries = Boundaries()
        self._database = Database(url, self.boundaries)
        self._hatchery = hatchery
        self._process: Mortal | None = None
        super().__init__(url, root, github, base="dev", **policy)
        github.before_write.append(self.boundaries.before_write)
        github.after_write.append(self.boundaries.after_write)

    def close(self) -> None:
        self._end()
        self.github.before_write.remove(self.boundaries.before_write)
        self.github.after_write.remove(self.boundaries.after_write)
        self._database.close()
        super().close()

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
        self.boundaries.pid = None

    def _ask(self, do: str, *arguments: object) -> bool:
        """Have the process do something; one that dies of it is followed by another."""
        while self._process is None:
            self._process = self._hatchery.hatch(self.town, self._values(), self._database.url)
            self.boundaries.pid = self._process.pid
            if not self._process.begin():
                self._end()
        if self._process.ask(do, *arguments):
            return True
        self._end()
        return False

    def watch(self) -> None:
        while not self._ask("watch"):
            continue

    def attempt(self, item: Item) -> None:
        if item.attempt is not None and item.attempt.purpose in (Purpose.PUBLISH, Purpose.MERGE):
            self._ask("attempt", self.mission, item.key, item.attempt.number)
        else:
            super().attempt(item)

    def story(self) -> str:
        """What happened, for whoever has to find out why."""
        known = reversed(lookup.events_before(self.context.store, self.mission))
        events = "\n".join(f"{one.at:.1f} {one.kind} {one.data}" for _, one in known)
        return f"it died {self.boundaries.deaths}\n{events}\n{self.rounds}"

    def look(self, seconds: float = 61.0) -> Town:
        super().look(seconds)
        if any("times in a row" in reason for reason in self.standing_help()):
            # What dies again and again is for a person to see.
            operate_items.retry(self.context, self.mission, None)
            self.go_on()
        return self


@pytest.fixture(scope="module")
def hatchery(machine: Path) -> Iterator[Hatchery]:
    made = Hatchery()
    yield made
    made.close()


def ci(github: GitHub) -> None:
    """A runner that is lost, then a real failure, then all green."""
    runs = Counter[str]()

    def result(read: Reader) -> Any:
        files = read("1.txt") or ""
        runs[files] += 1
        if read("mended.txt"):
            return "success"
        lost = "##[error]The hosted runner lost communication with the server.\n"
        return ("failure", lost) if runs[files] == 1 else ("failure", "1 failed\n")

    github.workflow("CI", {"test": JobPlan(result)})


def one_mission(town: MortalTown, github: GitHub) -> MortalTown:
    """A mission in which the process writes all that it ever writes, to its end."""
    github.push_by("ann", "dev", {"dev.txt": "dev\n"})
    github.protect("dev", checks=("test",), strict=True)
    ci(github)
    town.writes = [{"1.txt": "one\n"}, {"mended.txt": "yes\n"}]
    town.start(1)
    town.until(lambda: len(town.rounds) == 1)
    thread = github.thread("ann", "1.txt", 1, "Say why")
    town.until(lambda: thread.resolved_by)
    github.push_by("ann", "dev", {"more.txt": "more\n"})
    town.until(lambda: town.item().state is ItemState.DONE and town.item().merged, looks=20)
    town.look()
    return town


def written(github: GitHub) -> Counter[str]:
    """All writes that were carried out, whatever was answered, with what was pushed."""
    found = Counter(named(one) for one in github.writes() if not one.place.endswith("/git-receive-pack"))
    for _, branch, before, after in github.repo.pushes:
        if branch.startswith("tt/"):
            name = "deletion of the branch" if after == NOTHING else "push"
            found["creation of the branch" if before == NOTHING else name] += 1
    return found


def twice(github: GitHub) -> list[tuple[str, bytes]]:
    """What was said more than once."""
    said = Counter((named(one), one.body) for one in github.writes() if not one.place.endswith("/git-receive-pack"))
    return [one for one, times in said.items() if times > 1]


Live = Callable[[Kill | None], MortalTown]


@pytest.fixture
def live(server: Server, tmp_path: Path, github: GitHub, hatchery: Hatchery) -> Iterator[Live]:
    """Makes a town whose forge process is killed so, and has it come to its end."""
    towns: list[MortalTown] = []

    def run(kill: Kill | None) -> MortalTown:
        towns.append(MortalTown(server.url, tmp_path / "town", github, hatchery))
        if kill is not None:
            towns[-1].boundaries.kill = kill
        try:
            return one_mission(towns[-1], github)
        except AssertionError as error:
            raise AssertionError(f"{towns[-1].story()}\n{error}") from None

    yield run
    for town in towns:
        town.close()


def came_to_a_good_end(town: MortalTown, github: GitHub, *, retried: bool = False) -> None:
    """Everything was written as it is where nobody dies: once, and charged once.

    Where a person had it ``retried``, fix rounds are counted anew, and so a description may be another one.
    """
    where = town.story()
    assert town.state() is MissionState.COMPLETED, where
    if not retried:
        assert twice(github) == [], where
        assert town.item().fix_rounds == 2, where
    left_out = DESCRIPTION if retried else ""
    found, expected = ({k: n for k, n in one.items() if k != left_out} for one in (written(github), EXPECTED))
    assert found == expected, where
    assert [one.partition(":")[0] for one in town.rounds] == ["check", "review"], where
    known = town.context.store.finished_attempts(town.mission, town.item().key)
    lost = [one for one in known if one.report.outcome is Outcome.LOST]
    assert len(lost) <= len(town.boundaries.deaths), where
    assert {one.report.outcome for one in known} <= {Outcome.SUCCEEDED, Outcome.LOST}, where


def test_what_is_written_where_nobody_dies(live: Live, github: GitHub) -> None:
    town = live(None)
    came_to_a_good_end(town, github)
    assert town.questions() == []
    assert BOUNDARIES - 10 < len(town.boundaries.met) <= BOUNDARIES, "each is one that the tests below are about"


@pytest.mark.parametrize("at", range(BOUNDARIES) if ALL else SAMPLE)
def test_wherever_it_dies_nothing_is_lost_or_doubled(live: Live, github: GitHub, at: int) -> None:
    town = live(lambda number, _, __: number == at)
    came_to_a_good_end(town, github)
    assert town.questions() == []
    assert len(town.boundaries.deaths) == 1 or at >= len(town.boundaries.met)


@pytest.mark.parametrize("seed", range(20) if ALL else [1])
def test_nor_where_it_dies_again_and_again(live: Live, github: GitHub, seed: int) -> None:
    chance = random.Random(seed)
    town = live(lambda number, _, __: chance.random() < 0.12)
    came_to_a_good_end(town, github, retried=True)
    assert len(town.boundaries.deaths) > 3
