"""One worker process: how it consumes, and how it ends.

Threads pool: a task only supervises a subprocess. Threads ignore Celery's own ways to end a task, so the shutdown
signal ends the runs themselves, which then return in the ordinary way.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

from celery import Celery, bootsteps, signals
from celery.utils.nodenames import default_nodename
from kombu.common import ignore_errors

from tinytown_workers.pool import Pool, look_again, run_here

#: Module whose tasks are the periodic duties; the control worker serves them too.
DUTIES = "tinytown_beat.duties"
#: Seconds between two signs of life for Flower, which knows by them how often to expect one. Nobody else reads them.
SIGN_SECS = 15.0


class Consumption:
    """The queues that a running worker consumes; to be changed from any thread."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    def run_here(self, message: str) -> None:
        """Run a task in this thread, which has just ended another."""
        run_here(self._consumer, message)

    def begin(self, queue: str) -> None:
        """Take from this queue, too."""
        self._consumer.call_soon(self._consumer.add_task_queue, queue)
        look_again()

    def end(self, queue: str) -> None:
        """Take nothing more from this queue; what is on its way goes back."""
        self._consumer.call_soon(self._consumer.cancel_task_queue, queue)


class Unblock(bootsteps.StartStopStep):
    """Ends the read that waits for a message when the worker ends.

    Kombu would wait until the server does, for up to a second, lest a message is lost; one that has come by then is
    read all the same.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._channel: Any = None

    def start(self, consumer: Any) -> None:
        """Remember the channel: it is taken from the consumer before this step ends."""
        self._channel = consumer.task_consumer.channel

    def shutdown(self, consumer: Any) -> None:
        """Have the server answer now that there is no message; one that does not obey answers in a second."""
        channel, self._channel = self._channel, None
        reading = getattr(channel, "_in_poll", None)
        if reading:
            known = reading.handshake_metadata or {}
            ignore_errors(consumer.connection, _unblock, channel, known.get("id", known.get(b"id", 0)))


def _unblock(channel: Any, client_id: int) -> None:
    with channel.conn_or_acquire() as client:
        client.client_unblock(client_id)


def node_name(role: str, machine: str) -> str:
    """What Celery, and so Flower, calls this process: its role, its host as `tt hosts` names it, and its pid.

    Without the pid it would share its name, and what is told to it, with the process that takes its place.
    """
    return default_nodename(f"{role}@{machine}:{os.getpid()}")


def serve(
    app: Celery,
    node: str,
    queues: Sequence[str],
    *,
    concurrency: int | Callable[[], int],
    on_ready: Callable[[Consumption], None],
    on_stop: Callable[[], None],
) -> None:
    """Consume the queues until a signal, as the node of this name; ``on_stop`` runs as soon as one arrives."""

    def stopping(**_: Any) -> None:
        # In a thread: a signal handler must not wait for a database, nor for a lock that it interrupted.
        threading.Thread(target=stop, name="stop", daemon=True).start()

    def stop() -> None:
        look_again()  # an idle event loop would notice the signal after up to a second
        on_stop()

    def ready(sender: Any, **_: Any) -> None:
        on_ready(Consumption(sender))

    signals.worker_ready.connect(ready, weak=False)
    signals.worker_shutting_down.connect(stopping, weak=False)
    if callable(concurrency):
        Pool.capacity = staticmethod(concurrency)
        # Only what has room is taken at all, and how much that is may change.
        app.conf.worker_prefetch_multiplier = 0
    cast(Any, app).steps["consumer"].add(Unblock)
    # Not by Celery's command line: that loads 20 MB of what only people at a terminal need.
    worker = cast(Any, app).Worker(
        hostname=node,
        pool_cls=Pool,
        concurrency=1 if callable(concurrency) else concurrency,
        queues=list(queues),
        loglevel=logging.INFO,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        heartbeat_interval=SIGN_SECS,
    )
    # All that is loaded by now stays, and is looked through no more.
    gc.collect()
    gc.freeze()
    worker.start()
