"""The outbox: news for the command of ``[notify]``, written in the same commit as the change that they tell of.

A sender first moves a piece of news to a list of its own, and removes it when it was sent: after a crash it is sent
again, and nothing is lost.
"""

from __future__ import annotations

import json
from typing import Any

from tinytown.state.database import answering
from tinytown.state.store import Store


class Outbox:
    """News that wait to be sent, the oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, *, seconds: float) -> str | None:
        """The next one, waited for up to ``seconds``; it must be given back by ``sent``."""
        keys = self._store.keys
        with answering():
            found = self._store.client.blmove(keys.notices, keys.notices_sending, seconds, "LEFT", "RIGHT")
        return None if found is None else str(found)

    def sent(self, text: str) -> None:
        """Remove what was handed to the command, whether or not that succeeded."""
        with answering():
            self._store.client.lrem(self._store.keys.notices_sending, 1, text)

    def recover(self) -> int:
        """Put back what a sender had taken that died; gives how many."""
        keys, count = self._store.keys, 0
        with answering():
            while self._store.client.lmove(keys.notices_sending, keys.notices, "RIGHT", "LEFT") is not None:
                count += 1
        return count

    def note_failure(self, why: str | None, *, at: float) -> None:
        """Remember why the last one could not be sent; ``None``: it could."""
        with answering():
            if why is None:
                self._store.client.delete(self._store.keys.notices_failed)
            else:
                self._store.client.set(self._store.keys.notices_failed, json.dumps({"at": at, "why": why}))

    def failure(self) -> dict[str, Any] | None:
        """``at`` and ``why`` of the last failure, unless a success followed."""
        with answering():
            found = self._store.client.get(self._store.keys.notices_failed)
        return None if found is None else dict(json.loads(str(found)))

    def waiting(self) -> int:
        """How many were not sent yet."""
        with answering():
            return int(self._store.client.llen(self._store.keys.notices))
