"""The periodic duties: who may do one now, and when each last ran."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tinytown.state.database import answering
from tinytown.state.store import Store


def take(store: Store, name: str, seconds: float, *, holder: str) -> bool:
    """Whether ``holder`` may do a periodic duty now: at most once in ``seconds``, whoever asks."""
    with answering():
        return bool(store.client.set(store.keys.duty(name), holder, nx=True, px=max(1, round(seconds * 1000))))


@contextmanager
def running(store: Store, name: str) -> Iterator[None]:
    """Record, unless the duty fails, when it ended and how many seconds it took."""
    began = time.monotonic()
    yield
    took, now = time.monotonic() - began, store.now()
    with answering(), store.client.pipeline(transaction=False) as pipe:
        pipe.hset(store.keys.ticks, name, repr(now))
        pipe.hset(store.keys.ticks_took, name, repr(took))
        pipe.execute()


def ticks(store: Store) -> dict[str, float]:
    """When each periodic duty last ran, in seconds since 1970 by the server's clock."""
    return _numbers(store, store.keys.ticks)


def took(store: Store) -> dict[str, float]:
    """How many seconds each periodic duty took when it last ran."""
    return _numbers(store, store.keys.ticks_took)


def _numbers(store: Store, key: str) -> dict[str, float]:
    with answering():
        return {str(name): float(text) for name, text in store.client.hgetall(key).items()}
