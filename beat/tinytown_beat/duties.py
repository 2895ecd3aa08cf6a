"""The periodic duties as tasks, each at most once an interval however many clocks there are."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from typing import Any, cast

from celery import Celery

from tinytown import contract
from tinytown.engine.context import Context
from tinytown.errors import TinytownError
from tinytown.state import duties
from tinytown_beat import clearing, dispatcher, escalation, pace, sweeper, watch
from tinytown_beat.schedule import interval, queue_of

log = logging.getLogger(__name__)

#: For this share of its interval nobody else may begin a duty that was begun.
_HELD = 0.8

_DUTIES: dict[str, Callable[[Context], None]] = {
    contract.TASK_DISPATCH: dispatcher.run,
    contract.TASK_CI_WATCH: watch.run,
    contract.TASK_ESCALATE: escalation.run,
    contract.TASK_SWEEP: sweeper.run,
    contract.TASK_PACE: pace.run,
    contract.TASK_CLEAR: clearing.run,
}


def register(app: Celery, context: Context, *, queue: str = contract.QUEUE_CONTROL) -> None:
    """Make the duties that come by ``queue`` tasks of this process."""
    for name, duty in _DUTIES.items():
        if queue_of(name, context.town.settings) != queue:
            continue
        cast(Any, app).task(_once(context, name, duty), name=name, ignore_result=True)


def _once(context: Context, name: str, duty: Callable[[Context], None]) -> Callable[[], None]:
    holder = f"{socket.gethostname()}:{os.getpid()}"

    def run() -> None:
        context.catch_up()
        held = interval(name, context.town.settings) * _HELD
        try:
            if duties.take(context.store, name, held, holder=holder):
                with duties.running(context.store, name.rpartition(".")[2]):
                    duty(context)
        except TinytownError as error:
            log.warning("%s: %s", name, error)

    run.__name__ = name.rpartition(".")[2]
    return run
