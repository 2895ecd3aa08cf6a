"""Towns on several hosts that are cut off, crash, stand still and come back: nothing forbidden ever happens there.

``STORY_SEEDS=5000`` tells more stories, ``STORY_SEED=17`` tells one again; ``STORY_MUTANTS=all`` plants every fault.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.story.hosts_town import tell_of_bad_lines, tell_of_busy_hosts, tell_of_hosts
from tests.story.noticing import require_noticed
from tests.story.old_database import tell_of_old_databases
from tinytown.engine.dispatch import attempts, claiming
from tinytown.host.server import Server
from tinytown.missions import lifecycle
from tinytown.state.attempt_changes import AttemptChanges
from tinytown.state.database import Draft, answering
from tinytown.state.store import Store

#: How each kind of story is told, and the share of them in an ordinary run.
KINDS = {"quiet": (tell_of_hosts, 6), "busy": (tell_of_busy_hosts, 2), "old": (tell_of_old_databases, 2)}
SEEDS = os.environ.get("STORY_SEEDS")
CHAPTERS = 2
_ONE = os.environ.get("STORY_SEED")


@pytest.mark.skipif(_ONE is None, reason="STORY_SEED names one story to tell again")
@pytest.mark.parametrize("kind", KINDS)
def test_one_story_again(server: Server, kind: str) -> None:
    KINDS[kind][0](int(_ONE or 0), server.url)


@pytest.mark.parametrize("chapter", range(CHAPTERS))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(300 + 10 * int(SEEDS or 0))
def test_whatever_happens_to_hosts_missions_end_or_ask(server: Server, kind: str, chapter: int) -> None:
    told, usual = KINDS[kind]
    for seed in range(chapter, int(SEEDS or usual), CHAPTERS):
        told(seed, server.url)


# -- what must be noticed ------------------------------------------------------------------------


def _nothing_is_compared(patch: pytest.MonkeyPatch) -> None:
    """Whoever is late writes over what others wrote."""
    expect = Draft.expect

    def blind(self: Draft, key: str, field: str, version: int | str) -> None:
        if str(version) == "0" or not str(version).isdecimal():
            expect(self, key, field, version)

    patch.setattr(Draft, "expect", blind)


def _any_report_counts(patch: pytest.MonkeyPatch) -> None:
    """The number and the token of a report are not looked at."""
    hand_in = attempts.hand_in

    def take(context: Any, claimed: claiming.Claim, *rest: Any) -> Any:
        live = context.store.item(claimed.mission.id, claimed.item.key).record.attempt
        if live is None or not live.claimed:
            return hand_in(context, claimed, *rest)
        now = claiming.Claim(claimed.mission, claimed.item, live, claimed.agent, live.token or "")
        return hand_in(context, now, *rest)

    patch.setattr(attempts, "hand_in", take)
    patch.setattr(attempts, "renew", lambda context, claimed: True)


def _anybody_renews(patch: pytest.MonkeyPatch) -> None:
    """A refused renewal goes unheard."""
    renew = Store.renew

    def always(self: Store, *words: Any) -> bool:
        renew(self, *words)
        return True

    patch.setattr(Store, "renew", always)


def _renewed_by_number(patch: pytest.MonkeyPatch) -> None:
    """Whoever has the number of what runs keeps it, whatever its token."""
    renew = Store.renew

    def renewed(self: Store, attempt: str, token: str, seconds: float) -> bool:
        with answering():
            live = self.client.hget(self.keys.attempts, attempt)
        return renew(self, attempt, str(live or token).partition("\n")[0], seconds)

    patch.setattr(Store, "renew", renewed)


def _leases_by_the_own_clock(patch: pytest.MonkeyPatch) -> None:
    """A host looks at its own clock, and nobody asks the server's."""
    patch.setattr(Store, "now", lambda self: time.time())
    patch.setattr(AttemptChanges, "expect_expired", lambda self, attempt: None)


def _claimed_without_a_number(patch: pytest.MonkeyPatch) -> None:
    """A message of long ago takes what was sent since."""
    claim = lifecycle.claim

    def take(item: Any, number: int, **words: Any) -> Any:
        number = item.attempt.number if item.attempt is not None else number
        live = item.attempt.evolve(claimed_at=None, token=None) if item.attempt is not None else None
        return claim(item.evolve(attempt=live), number, **words)

    patch.setattr(lifecycle, "claim", take)


def _committed_twice(patch: pytest.MonkeyPatch) -> None:
    """What is new has no mark, so a command that comes again makes it again."""
    patch.setattr(Draft, "once", lambda self, key: None)


#: Faults, who tells of them, and within how many stories they must show.
FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[int, str], object], int]] = {
    "nothing_is_compared": (_nothing_is_compared, tell_of_hosts, 60),
    "any_report_counts": (_any_report_counts, tell_of_hosts, 120),
    "anybody_renews": (_anybody_renews, tell_of_hosts, 60),
    "renewed_by_number": (_renewed_by_number, tell_of_old_databases, 200),
    "leases_by_the_own_clock": (_leases_by_the_own_clock, tell_of_hosts, 120),
    "claimed_without_a_number": (_claimed_without_a_number, tell_of_hosts, 120),
    "committed_twice": (_committed_twice, tell_of_bad_lines, 240),
}
QUICK = ("anybody_renews",)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FAULTS if os.environ.get("STORY_MUTANTS") == "all" else QUICK)
def test_some_story_of_hosts_notices(name: str, server: Server) -> None:
    plant, told, stories = FAULTS[name]
    require_noticed(plant, told, server.url, stories=stories)
