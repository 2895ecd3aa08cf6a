"""Ask a server whether it answers, and wait until it does."""

from __future__ import annotations

import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tinytown import processes
from tinytown.state.database import says_full

#: Seconds that loading the data may take.
LOAD_SECS = 300.0


def connect(url: str) -> redis.Redis:
    """A client that fails at once when nobody answers."""
    client: redis.Redis = redis.Redis.from_url(
        url, decode_responses=True, socket_timeout=5.0, socket_connect_timeout=5.0, retry=Retry(NoBackoff(), 0)
    )
    return client


def _ping(client: redis.Redis) -> None:
    try:
        client.ping()
    except redis.ResponseError as error:
        # With a full disk it refuses even PING; but it answers.
        if not says_full(error):
            raise


def wait_for_answer(url: str, process: processes.Identity | None, timeout: float) -> dict[str, Any]:
    """What the server says of itself, as soon as it does.

    With a ``process``, a refused connection is tried again while that process lives; without, it is final.
    """
    start = time.monotonic()
    client = connect(url)
    try:
        while True:
            try:
                _ping(client)
                return dict(client.info("server"))
            except redis.BusyLoadingError:
                if time.monotonic() - start > LOAD_SECS:
                    raise redis.TimeoutError("loading its data takes too long") from None
            except redis.TimeoutError:
                raise
            except redis.ConnectionError:
                late = time.monotonic() - start > timeout
                if process is None or late or not processes.alive(*process):
                    raise
            time.sleep(0.01)
    finally:
        client.close()
