"""Missions that are set aside because one of their records cannot be read, so that they do not block the others.

Their records stay where they are, as they are; only the indexes by which they are found forget them.
"""

from __future__ import annotations

import json

from tinytown.state.database import answering
from tinytown.state.store import Store


def set_aside(store: Store, mission: str) -> None:
    """Take a mission off all lists, in one step: its issues are free again, and its running attempts are refused."""
    keys = store.keys
    with answering():
        created = store.client.zscore(keys.missions, mission)
        issues = [key for key, owner in store.client.hgetall(keys.issues).items() if owner == mission]
        attempts = [key for key, text in store.client.hgetall(keys.attempts).items() if _mission_of(text) == mission]
        with store.client.pipeline(transaction=True) as pipe:
            pipe.zadd(keys.damaged, {mission: created or 0.0})
            pipe.zrem(keys.missions, mission)
            pipe.srem(keys.live, mission)
            pipe.srem(keys.wanting, mission)
            if issues:
                pipe.hdel(keys.issues, *issues)
            if attempts:
                pipe.hdel(keys.attempts, *attempts)
                pipe.zrem(keys.leases, *attempts)
            pipe.execute()


def aside(store: Store) -> list[str]:
    """Ids of the missions that were set aside."""
    with answering():
        return [str(mission) for mission in store.client.zrange(store.keys.damaged, 0, -1)]


def _mission_of(text: str) -> str | None:
    """Mission of an entry in the index of attempts."""
    try:
        found = json.loads(text.partition("\n")[2])["mission"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(found)
