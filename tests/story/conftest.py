"""Fixtures of the stories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.story.arranged import ATown, MakeTown
from tinytown.host.server import Server


@pytest.fixture
def a_town(server: Server) -> Iterator[MakeTown]:
    """Makes towns with a policy each."""
    towns: list[ATown] = []

    def make(**policy: object) -> ATown:
        towns.append(ATown(server.url, **policy))
        return towns[-1]

    yield make
    for town in towns:
        town.close()
