"""The periodic duties: who may do one now, and when each last ran."""

from __future__ import annotations

from tinytown.state.database import answering
from tinytown.state.store import Store


def take(store: Store, name: str, seconds: float, *, holder: str) -> bool:
    """Whether ``holder`` may do a periodic duty now: at most once in ``seconds``, whoever asks."""
    with answering():
        return bool(store.client.set(store.keys.duty(name), holder, nx=True, px=max(1, round(seconds * 1000))))


def mark(store: Store, name: str) -> None:
    """Record that a periodic duty ran now."""
    now = store.now()
    with answering():
        store.client.hset(store.keys.ticks, name, repr(now))


def ticks(store: Store) -> dict[str, float]:
    """When each periodic duty last ran, in seconds since 1970 by the server's clock."""
    with answering():
        return {str(n): float(t) for n, t in store.client.hgetall(store.keys.ticks).items()}
