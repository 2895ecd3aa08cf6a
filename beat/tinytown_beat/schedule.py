"""When which duty is due. A tick expires before the next one comes, so a pause leaves no pile of them."""

from __future__ import annotations

from typing import Any

from tinytown import contract
from tinytown.settings import Settings

#: A tick that nobody served within this share of its interval expires.
_FRESH = 0.9


def interval(task: str, settings: Settings) -> float:
    """Seconds between two ticks of a duty."""
    ticks = {contract.TASK_SWEEP: 2.0}
    return settings.timing.tick_secs * ticks.get(task, 1.0)


def beat_schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """Celery's ``beat_schedule``."""
    tasks = (contract.TASK_DISPATCH, contract.TASK_CI_WATCH, contract.TASK_ESCALATE, contract.TASK_SWEEP)
    return {
        task: {
            "task": task,
            "schedule": interval(task, settings),
            "options": {
                "queue": contract.QUEUE_CONTROL,
                "expires": interval(task, settings) * _FRESH,
                "ignore_result": True,
                "argsrepr": "()",
            },
        }
        for task in tasks
    }
