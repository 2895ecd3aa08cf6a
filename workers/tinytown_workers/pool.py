"""The pool of a worker process: threads, as many as tasks may run, and a word to the event loop when one has ended.

Without prefetching the event loop looks for the next message only while there is room, and it notices that when
something wakes it. The end of a task in a thread does not wake it, so a worker would sit idle for up to a second.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

from celery.concurrency.thread import TaskPool
from kombu.asynchronous import get_event_loop

#: Threads at most; each is made when it is first needed.
THREADS = 1000


class Pool(TaskPool):
    """See the module."""

    #: How many tasks may run now, where that changes while the process lives.
    capacity: ClassVar[Callable[[], int] | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.executor = ThreadPoolExecutor(max_workers=THREADS)

    @property
    def num_processes(self) -> int:
        """The number of tasks that may run, as Celery asks for it."""
        return Pool.capacity() if Pool.capacity is not None else self.limit

    def on_apply(self, *args: Any, **kwargs: Any) -> Any:
        """Run a task; when it has ended, with all that Celery does then, the loop is woken."""
        result: Any = super().on_apply(*args, **kwargs)
        result.f.add_done_callback(_wake)
        return result


def look_again() -> None:
    """Have the event loop decide anew whether there is room."""
    loop = get_event_loop()
    if loop is not None:
        loop.call_soon(_nothing)


def _wake(_: Future[Any]) -> None:
    look_again()


def _nothing() -> None:
    """Do nothing: once awake, the loop looks for work by itself."""
