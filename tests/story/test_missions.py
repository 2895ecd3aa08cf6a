"""Missions through everything that can go wrong: nothing forbidden ever happens, and all of them end or ask.

``STORY_SEEDS=5000`` tells more stories, ``STORY_SEED=17`` tells one again.
"""

from __future__ import annotations

import os

import pytest

from tests.story.simulation import tell
from tinytown.host.server import Server

#: Stories of an ordinary run, told in this many tests so that a failure is found while others go on.
SEEDS = int(os.environ.get("STORY_SEEDS", "20"))
CHAPTERS = 4

_ONE = os.environ.get("STORY_SEED")


@pytest.mark.skipif(_ONE is None, reason="STORY_SEED names one story to tell again")
def test_one_story_again(server: Server) -> None:
    tell(int(_ONE or 0), server.url)


@pytest.mark.parametrize("chapter", range(CHAPTERS))
@pytest.mark.timeout(300 + 5 * SEEDS)
def test_missions_end_or_ask_whatever_goes_wrong(server: Server, chapter: int) -> None:
    """Invariants after every commit, liveness once the faults stop; the seed is in the message."""
    for seed in range(chapter, SEEDS, CHAPTERS):
        tell(seed, server.url, again="test_missions.py -k again")
