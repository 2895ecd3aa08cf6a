"""The Celery tasks of a town. Each is a hint with ids; what it does is decided from the record.

A task never raises for something ordinary: an edge that failed would kill its join for good, and a failed
hint helps nobody, since the tick repeats whatever is missing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, Protocol, cast

from celery import Celery
from celery.worker.control import Panel

from tinytown import contract
from tinytown.engine.context import Context
from tinytown.engine.dispatch import advance, reconcile
from tinytown.errors import TinytownError

log = logging.getLogger(__name__)


#: The queues that a worker consumes, and the agents that it serves.
Serves = Callable[[], tuple[Sequence[str], Sequence[str]]]


class RunsAttempts(Protocol):
    """What serves the attempts of a worker process."""

    def run(self, mission: str, key: str, number: int, *, queue: str) -> None: ...
    def end(self, attempts: list[str]) -> int: ...
    def sweep(self) -> int: ...


def register_housekeeping(app: Celery, context: Context) -> None:
    """Tasks of the control worker: short, and harmless when repeated."""
    from tinytown.engine.operate import unattended

    def edge(mission: str, dependency: str, item: str) -> None:
        """Part of a chord; Celery counts that it ran."""

    def start(mission: str, item: str) -> None:
        context.catch_up()
        reconcile.start_item(context, mission, item)

    def move(mission: str) -> None:
        context.catch_up()
        advance.advance(context, mission)

    def questions() -> None:
        context.catch_up()
        unattended.keep(context)

    _task(app, contract.TASK_EDGE, edge)
    _task(app, contract.TASK_QUESTIONS, _quiet(questions))
    _task(app, contract.TASK_START, _quiet(start))
    _task(app, contract.TASK_ADVANCE, _quiet(move))

    def nothing_here(_: Any, **__: Any) -> dict[str, int]:
        """Answer for a worker that runs no attempts: a broadcast reaches it all the same."""
        return {}

    _command("tinytown_about", _about(contract.QUEUE_CONTROL, lambda: ([contract.QUEUE_CONTROL], [])))
    _command("tinytown_end", nothing_here)
    _command("tinytown_sweep", nothing_here)


def register_attempts(app: Celery, runs: RunsAttempts, *, name: str, serves: Serves) -> None:
    """The task of a worker that runs attempts, and the command that ends them."""

    def attempt(task: Any, mission: str, item: str, number: int) -> None:
        runs.run(mission, item, number, queue=str(task.request.delivery_info.get("routing_key", "")))

    _task(app, contract.TASK_ATTEMPT, _quiet(attempt), bind=True)

    def tinytown_end(_state: Any, ids: list[str] | None = None, **_: Any) -> dict[str, int]:
        """End these attempts if they run here."""
        return {"ended": runs.end(list(ids or []))}

    def tinytown_sweep(_state: Any, **_: Any) -> dict[str, int]:
        """Clean up what no live attempt owns on this machine."""
        # In a thread: the worker answers control commands one after the other.
        threading.Thread(target=runs.sweep, name="sweep", daemon=True).start()
        return {"ok": 1}

    _command("tinytown_about", _about(name, serves))
    _command("tinytown_end", tinytown_end)
    _command("tinytown_sweep", tinytown_sweep)


def _about(name: str, serves: Serves) -> Callable[..., dict[str, Any]]:
    """The command by which a worker says who it is."""
    # Now: after an update in place, the files would tell of another release than the one that runs.
    release = {"version": version("tinytown"), "schema": contract.SCHEMA}

    def tinytown_about(_state: Any, **_: Any) -> dict[str, Any]:
        """Who this worker is, what it serves, and its release."""
        queues, agents = serves()
        return {"name": name, "queues": list(queues), "agents": list(agents), **release}

    return tinytown_about


def _command(name: str, run: Callable[..., dict[str, Any]]) -> None:
    cast(Any, Panel).register(run, name=name, type="control")


def _task(app: Celery, name: str, run: Callable[..., None], *, bind: bool = False) -> None:
    cast(Any, app).task(run, name=name, ignore_result=True, bind=bind)


def _quiet(run: Callable[..., None]) -> Callable[..., None]:
    """Log what a person can act on without a traceback; the tick tries again."""

    def quiet(*args: Any) -> None:
        try:
            run(*args)
        except TinytownError as error:
            log.warning("%s: %s", run.__name__, error)

    quiet.__name__ = run.__name__
    quiet.__doc__ = run.__doc__
    return quiet
