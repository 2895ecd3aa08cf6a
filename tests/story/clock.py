"""The time of a story: it passes with each look at it, and by as much whoever looks, so that a seed decides all.

The real clock would have a say in what two leases that were renewed at once come to, or which of two runs that ended
in the same millisecond comes first. Here the product's clients and its scripts ask as ever, and get the story's time.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from tinytown.state import store
from tinytown.state.database import connect

#: When each story begins, in microseconds since 1970: a time of day from which it does not reach the next day.
BEGINS = 1_780_000_000_000_000
#: Microseconds that pass with each look: about as many as between two commands of a real process.
LOOK = 150
#: In the place of the server's time in scripts.
_IN_LUA = """local function the_time()
  local now = redis.call('INCRBY', '{key}', {look})
  return {{string.format('%.0f', math.floor(now / 1000000)), string.format('%.0f', now % 1000000)}}
end
"""


class Clock:
    """The clock of one story; it stands in the story's server, where scripts see it, too."""

    def __init__(self, url: str) -> None:
        self._client: Any = connect(url)
        self._key = f"story-clock:{random.SystemRandom().getrandbits(64):x}"
        self._client.set(self._key, BEGINS)
        #: What a process has seen last: it never goes back.
        self._seen = BEGINS

    def close(self) -> None:
        self._client.delete(self._key)
        self._client.close()

    def of_the_server(self) -> tuple[int, int]:
        """Seconds since 1970, and microseconds, as the server tells them."""
        return divmod(self._pass(LOOK), 1_000_000)

    def sleep(self, seconds: float) -> None:
        """What waits for so long finds that it is over."""
        self._pass(round(seconds * 1e6))

    def _pass(self, micros: int) -> int:
        now = int(self._client.incrby(self._key, micros))
        self._seen = max(self._seen, now)
        return now

    def of_a_process(self) -> float:
        """Seconds since 1970. Clients of the database look at it, too, so that it can't ask the server."""
        self._seen += 1
        return self._seen / 1e6

    def connect(self, url: str, **words: Any) -> Any:
        """A client of the product's that gets this clock's time wherever it asks for the server's."""
        client: Any = connect(url, **words)
        # A connection that was idle for long on a slow machine asks nothing more than on a quick one.
        client.connection_pool.connection_kwargs["health_check_interval"] = 0
        client.set_response_callback("TIME", lambda *_, **__: self.of_the_server())
        register = client.register_script

        def known(text: str) -> Any:
            """A script that the server has already: else who tells the first story there would have to load it."""
            begin = _IN_LUA.format(key=self._key, look=LOOK)
            script = register(begin + text.replace("redis.call('TIME')", "the_time()"))
            self._client.script_load(script.script)
            return script

        client.register_script = known
        return client


@contextmanager
def decided(url: str, seed: int) -> Iterator[None]:
    """Time, and all that is made by chance, are those of a seed here: whenever and wherever its story is told."""
    clock, chance = Clock(url), random.Random(seed)

    def made() -> uuid.UUID:
        return uuid.UUID(int=chance.getrandbits(128), version=4)

    def token(size: int = 32) -> str:
        return chance.randbytes(size).hex()

    replaced: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (uuid, "uuid4", made),
        (secrets, "token_hex", token),
        (time, "time", clock.of_a_process),
        (time, "monotonic", clock.of_a_process),
        (time, "sleep", clock.sleep),
        (store, "connect", clock.connect),
    )
    with contextlib.ExitStack() as patches:
        patches.callback(clock.close)
        for where, name, value in replaced:
            patches.enter_context(mock.patch.object(where, name, value))
        yield
