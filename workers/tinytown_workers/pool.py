"""The pool of a worker process: threads, as many as tasks may run, and a word to the event loop when one has ended.

Without prefetching the event loop looks for the next message only while there is room, and it notices that when
something wakes it. The end of a task in a thread does not wake it, so a worker would sit idle for up to a second.

A task may say what its thread goes on with. That is a task like any other, for Celery and for whoever watches, but it
came by no queue and waits for no thread.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar, cast

from celery.concurrency import thread
from celery.concurrency.base import apply_target
from celery.concurrency.thread import TaskPool
from kombu.asynchronous import get_event_loop
from kombu.message import Message

#: Threads at most; each is made when it is first needed.
THREADS = 1000


class _Here(threading.local):
    """What a thread of the pool knows of itself."""

    #: It runs a task, or goes on with another.
    works = False
    #: What it goes on with.
    then: Callable[[], None] | None = None


_here = _Here()


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

    def on_apply(
        self,
        target: Callable[..., Any],
        args: Any = None,
        kwargs: Any = None,
        callback: Any = None,
        accept_callback: Any = None,
        **_: Any,
    ) -> Any:
        """Run a task; when it has ended, with all that Celery does then, the loop is woken."""
        if _here.works:
            done: Future[None] = Future()
            apply_target(target, args, kwargs, callback, accept_callback)
            done.set_result(None)
            return _result(done)
        future = self.executor.submit(_work, target, args, kwargs, callback, accept_callback)
        future.add_done_callback(_wake)
        return _result(future)


def go_on(then: Callable[[], None]) -> bool:
    """Have this thread do that as soon as its task has ended; ``False`` if it runs none."""
    if _here.works:
        _here.then = then
    return _here.works


def run_here(consumer: Any, message: str) -> None:
    """Run a task in this thread, from a message as it would stand in its queue."""
    raw = json.loads(message)
    headers, properties = raw["headers"], raw["properties"]
    sent = Message(
        body=base64.b64decode(raw["body"]).decode(),
        delivery_tag=properties["delivery_tag"],
        content_type=raw["content-type"],
        content_encoding=raw["content-encoding"],
        delivery_info=properties["delivery_info"],
        properties=properties,
        headers=headers,
    )
    consumer.strategies[headers["task"]](sent, None, _nothing, _nothing, [])


def _work(*task: Any) -> None:
    _here.works = True
    try:
        apply_target(*task)
        while (then := _here.then) is not None:
            _here.then = None
            then()
    finally:
        _here.works, _here.then = False, None


def look_again() -> None:
    """Have the event loop decide anew whether there is room."""
    loop = get_event_loop()
    if loop is not None:
        loop.call_soon(_nothing)


def _result(future: Future[None]) -> Any:
    return cast(Any, thread).ApplyResult(future)


def _wake(_: Future[Any]) -> None:
    look_again()


def _nothing(*_: Any) -> None:
    """Do nothing: once awake, the loop looks for work by itself, and a message of no queue needs no answer."""
