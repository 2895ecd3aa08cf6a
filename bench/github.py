"""What missions on GitHub cost, against a GitHub on this machine: requests while they wait, and how soon news is used.

The real forge, database and git work here in one process with what answers them; agents are replaced by a commit. The
time between two looks is left out, and so is the second that tinytown lets pass between two things that it creates.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from bench import places
from bench.meter import median
from tests.fakes.github.hub import GitHub
from tests.fakes.github.requests import GRAPHQL, PREFIX, Request
from tests.integration.github.town import Town
from tinytown.engine.watch import outside
from tinytown.forge.github import client, limits
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, Purpose
from tinytown.settings.sections import TimingSettings

#: Seconds of a tick, and of what is looked at.
TICK = TimingSettings().tick_secs
HOUR = 3600.0
#: Requests of REST, and points of GraphQL, that a token has for an hour, by the pull requests it is to last for.
AIM_REQUESTS = 5000 / 500
#: Milliseconds between two things that GitHub lets one create: opening a pull request should take no longer.
AIM_PUBLISH = 1000.0
#: Milliseconds that nine requests of REST take, by which one pull request can be read without any thought.
AIM_FIX = 2400.0


@dataclass(frozen=True)
class Waiting:
    """Requests of an hour in which nothing happens, by pull request."""

    rest: float
    graph: float
    #: Answered with "not modified", which counts for no limit.
    unchanged: float
    git: float


@dataclass(frozen=True)
class Told:
    """All that is measured."""

    waiting: Mapping[str, Waiting]
    publish: float
    fix: float


def measure(folder: Path, *, changes: int, rounds: int, hours: float = 1.0) -> Told:
    """``changes`` pull requests wait; ``rounds`` single ones are opened, and fail."""
    folder.mkdir(parents=True)
    with places.served(folder / "served", {}) as served, _github(folder) as github:
        publish, fix = _latencies(github, served.url, folder, rounds)
        # Here requests are counted, and no time is taken: nobody waits between two of them.
        with mock.patch.object(client, "PAUSE", 0.0):
            waiting = _both(github, served.url, folder, changes, hours)
    return Told(waiting, publish, fix)


def _both(github: GitHub, url: str, folder: Path, changes: int, hours: float) -> dict[str, Waiting]:
    return {
        "checks": _waiting(github, url, folder / "checks", changes, hours, takes=1e9),
        "a merge by hand": _waiting(github, url, folder / "merge", changes, hours),
    }


@contextmanager
def _github(folder: Path) -> Iterator[GitHub]:
    made = GitHub(folder / "github")
    made.person("tinytown", "write")
    token = made.token("tinytown")
    with made.running(), mock.patch.dict(os.environ, GH_TOKEN=token), mock.patch.object(limits, "CREATE_EVERY", 0.0):
        yield made


# -- requests while nothing happens --------------------------------------------------------------


def _waiting(github: GitHub, url: str, root: Path, changes: int, hours: float, *, takes: float = 0.0) -> Waiting:
    github.workflow("CI", {"test": "success"}, takes=takes)
    numbers = [_issue(github) for _ in range(changes)]
    town = _Usual(url, root, github, auto_merge=False, settle_on="merged", max_parallel_items=changes)
    try:
        town.start(*numbers)
        clock = _Clock(town)
        for _ in range(12):  # until everything was seen, and reviewed
            clock.tick()
        seen = len(github.seen)
        for _ in range(round(hours * HOUR / TICK)):
            clock.tick()
        return _counted(github.seen[seen:], changes * hours)
    finally:
        town.close()


def _counted(seen: list[Request], by: float) -> Waiting:
    graph = [one for one in seen if one.path == GRAPHQL]
    rest = [one for one in seen if one not in graph and one.path.startswith(PREFIX)]
    unchanged = [one for one in rest if one.status == 304]
    return Waiting(
        rest=(len(rest) - len(unchanged)) / by,
        graph=len(graph) / by,
        unchanged=len(unchanged) / by,
        git=(len(seen) - len(graph) - len(rest)) / by,
    )


class _Usual(Town):
    """A town that looks as often as any does whose owner has changed nothing."""

    def _settings(self) -> Any:
        del self.policy["watch_interval_secs"]
        found = super()._settings()  # type: ignore[no-untyped-call]
        return found.model_copy(update={"timing": TimingSettings()})


class _Clock:
    """Lets time pass for a town: for its decisions, and for what its forge believes for a while."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._ahead = 0.0
        store: Any = town.context.store
        real: Callable[[], float] = store.now
        store.now = lambda: real() + self._ahead

    def tick(self) -> None:
        """One more tick, with all that follows from it."""
        self._ahead += TICK
        context = self._town.context
        context._done_at = {what: at - TICK for what, at in context._done_at.items()}
        _age(self._town.forge)
        outside.watch_all(context)
        self._town.go_on()


def _age(forge: Any) -> None:
    """What is believed until a time of this machine's clock is believed for one tick less."""
    api = forge._api
    for known in (api.repositories._known, api.rules._known, forge._people._known, forge._observing.actions._workflows):
        for name, (until, what) in list(known.items()):
            known[name] = (until - TICK, what)


# -- how soon ------------------------------------------------------------------------------------


def _latencies(github: GitHub, url: str, folder: Path, rounds: int) -> tuple[float, float]:
    """Milliseconds from a finished piece of work to its pull request, and from a look at a red check to its fix round.

    The medians of missions of one item.
    """
    published, mended = [], []
    github.workflow("CI", {"test": "failure"})
    for number in range(rounds + 1):
        town = _Watched(url, folder / f"single{number}", github)
        try:
            town.start(_issue(github))
            town.held = lambda item: item.state is ItemState.FIXING
            town.look()
            if number:  # everybody has imported everything from now on
                published.append(town.opened_at - town.begun_at)
                mended.append(town.fixed_at - town.looked_at)
        finally:
            town.close()
    return 1e3 * median(published), 1e3 * median(mended)


class _Watched(Town):
    """A town that notes when things happen."""

    begun_at = opened_at = looked_at = fixed_at = 0.0

    def __init__(self, *arguments: Any, **policy: Any) -> None:
        super().__init__(*arguments, **policy)
        self.github.after_write[:] = [self._note]

    def _note(self, request: Request) -> None:
        if request.is_for("POST", "/repos/*/pulls") and not self.opened_at:
            self.opened_at = time.perf_counter()

    def look(self, seconds: float = 61.0) -> Town:  # type: ignore[override]
        self.looked_at = time.perf_counter()
        return super().look(seconds)

    def attempt(self, item: Item) -> None:
        if item.attempt is not None and item.attempt.purpose is Purpose.PUBLISH and not self.begun_at:
            self.begun_at = time.perf_counter()
        super().attempt(item)

    def deliver(self) -> None:
        super().deliver()
        items = [one.record for one in self.context.store.items(self.mission).values()]
        if not self.fixed_at and any(one.fix is not None and one.attempt is not None for one in items):
            self.fixed_at = time.perf_counter()


def _issue(github: GitHub) -> int:
    number = github.repo.next_number
    github.issue(number, f"Add page {number}")
    return number
