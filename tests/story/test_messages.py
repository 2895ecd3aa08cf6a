"""Messages through everything that can go wrong: each is answered once, or its sender is told why not; none is lost.

``STORY_SEEDS=5000`` tells more stories, ``STORY_SEED=17`` tells one again.
"""

from __future__ import annotations

import os

import pytest

from tests.story.mail_town import tell_of_messages
from tinytown.host.server import Server

#: Stories of an ordinary run, told in this many tests.
SEEDS = int(os.environ.get("STORY_SEEDS", "2"))
CHAPTERS = 2

_ONE = os.environ.get("STORY_SEED")


@pytest.mark.skipif(_ONE is None, reason="STORY_SEED names one story to tell again")
def test_one_story_again(server: Server) -> None:
    tell_of_messages(int(_ONE or 0), server.url)


@pytest.mark.parametrize("chapter", range(CHAPTERS))
@pytest.mark.timeout(300 + 10 * SEEDS)
def test_every_message_is_answered_once_or_its_sender_hears_why(server: Server, chapter: int) -> None:
    """Invariants after every commit, liveness once the faults stop; the seed is in the message."""
    for seed in range(chapter, SEEDS, CHAPTERS):
        tell_of_messages(seed, server.url)
