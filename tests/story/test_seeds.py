"""A seed decides all of its story, so that whoever tells it again sees what went wrong."""

from __future__ import annotations

import pytest

from tests.story.hosts_town import tell_of_busy_hosts
from tests.story.mail_town import tell_of_messages
from tests.story.old_database import tell_of_old_databases
from tests.story.simulation import tell
from tinytown.host.server import Server

KINDS = {
    "missions": tell,
    "messages": tell_of_messages,
    "several hosts": tell_of_busy_hosts,
    "a database that forgets": tell_of_old_databases,
}


@pytest.mark.parametrize("kind", KINDS)
def test_told_again_a_story_goes_the_same_way(server: Server, kind: str) -> None:
    first, again = (KINDS[kind](10_002, server.url).trace for _ in range(2))
    assert first == again
