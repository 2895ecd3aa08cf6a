"""The queues as they are in Redis: how long they are, which messages no worker survives, and the quarantine.

Celery writes and reads messages, except that a commit which sends an attempt writes its message, too. Here they are
only looked at, byte for byte, and what is malformed is moved aside: never altered, never deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import redis

from tinytown import contract
from tinytown.state.database import answering, connect
from tinytown.state.envelopes import flaw, flaw_of_taken
from tinytown.state.keys import Keys

#: Messages that workers took and have not acknowledged, and when they took them.
TAKEN = "unacked"
TAKEN_INDEX = "unacked_index"
#: Messages read at once.
PAGE = 500
#: Most messages of a queue that are looked at; if it is longer, something else is wrong.
MOST = 20_000


@dataclass(frozen=True)
class Flawed:
    """A message that ends the worker that takes it, or leaves it unable to receive."""

    #: Name of the queue; ``unacked`` for what a worker took already.
    place: str
    message: bytes
    #: Why it cannot be read.
    flaw: str
    #: Its field, for one that was taken.
    tag: bytes = b""


class Queues:
    """The queues of one town."""

    def __init__(self, url: str, prefix: str) -> None:
        # Bytes, because what is malformed may be no text at all.
        self._client: Any = connect(url, decode=False)
        self._prefix = prefix
        self._keys = Keys(prefix)
        script = resources.files("tinytown.state") / "lua" / "set_aside.lua"
        self._set_aside = self._client.register_script(script.read_text(encoding="utf-8"))

    def lengths(self) -> dict[str, int]:
        """How many messages wait in each queue that has some, and in those of the town's own processes."""
        names = {contract.QUEUE_CONTROL, contract.QUEUE_CHECKS}
        with answering():
            for pattern in (contract.role_queue("*"), contract.agent_queue("*"), *contract.QUEUES_OF_TOWN):
                found = self._client.scan_iter(match=f"{self._prefix}{pattern}", count=PAGE)
                names |= {key.decode().removeprefix(self._prefix) for key in found}
            return {name: self._length(name) for name in sorted(names)}

    def flawed(self) -> list[Flawed]:
        """Everything that no worker survives, in every queue and among what was taken."""
        found = []
        with answering():
            for name, length in self.lengths().items():
                if length < 0:
                    found.append(Flawed(name, b"", "it is not a list"))
                    continue
                found += [Flawed(name, message, why) for message in self._messages(name) if (why := flaw(message))]
            for tag, entry in self._client.hscan_iter(f"{self._prefix}{TAKEN}", count=PAGE):
                if why := flaw_of_taken(entry):
                    found.append(Flawed(TAKEN, entry, why, tag))
        return found

    def set_aside(self, flawed: Flawed) -> bool:
        """Move it to the quarantine in one step; ``False`` if it is no longer where it was."""
        key = f"{self._prefix}{flawed.place}"
        with answering():
            if not flawed.message:
                return self._set_aside_whole(key, flawed.place)
            keys = [key, self._keys.quarantine(flawed.place)]
            if flawed.tag:
                keys.append(f"{self._prefix}{TAKEN_INDEX}")
            return bool(self._set_aside(keys=keys, args=[flawed.message, flawed.tag]))

    def quarantined(self) -> dict[str, int]:
        """How much lies in the quarantine, by the place that it came from."""
        prefix = self._keys.quarantine("")
        with answering():
            found = [key.decode() for key in self._client.scan_iter(match=f"{prefix}*", count=PAGE)]
            kinds = {key: self._client.type(key) for key in found}
            return {
                key.removeprefix(prefix): self._client.llen(key) if kinds[key] == b"list" else 1
                for key in sorted(found)
            }

    def _set_aside_whole(self, key: str, place: str) -> bool:
        """Move the key itself of a queue that is not a list at all."""
        number = int(self._client.time()[0])
        try:
            return bool(self._client.renamenx(key, self._keys.quarantine(f"{place}:{number}")))
        except redis.ResponseError:
            return False  # It is gone.

    def _length(self, name: str) -> int:
        """Messages in a queue; negative if it is something else than a queue."""
        try:
            return int(self._client.llen(f"{self._prefix}{name}"))
        except redis.ResponseError as error:
            if "WRONGTYPE" in str(error):
                return -1
            raise

    def _messages(self, name: str) -> Iterator[bytes]:
        for start in range(0, MOST, PAGE):
            page = self._client.lrange(f"{self._prefix}{name}", start, start + PAGE - 1)
            yield from page
            if len(page) < PAGE:
                return
