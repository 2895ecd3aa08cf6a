"""The pool of a worker process: threads, and a word to the event loop when a slot becomes free.

With prefetching off the event loop looks for the next message only while a slot is free, and it decides that when
something wakes it. The end of a task in a thread does not; a worker would then sit idle for up to a second.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from celery.concurrency.thread import TaskPool
from kombu.asynchronous import get_event_loop


class Pool(TaskPool):
    """See the module."""

    def on_apply(self, *args: Any, **kwargs: Any) -> Any:
        """Run a task; its end, everything that Celery does then included, wakes the loop."""
        result: Any = super().on_apply(*args, **kwargs)
        result.f.add_done_callback(_wake)
        return result


def _wake(_: Future[Any]) -> None:
    loop = get_event_loop()
    if loop is not None:
        loop.call_soon(_nothing)


def _nothing() -> None:
    """The loop looks around by itself once it is awake."""
