"""When which duty is due. A tick expires before the next one comes, so a pause leaves no pile of them."""

from __future__ import annotations

from typing import Any

from tinytown import contract
from tinytown.settings import Settings

#: Seconds between two looks whether the day's clearing up is due: a town may run for a few hours at a time.
_HOUR = 3600.0
#: Least seconds between two ticks of any duty.
_SHORTEST = 1.0
#: A tick that nobody served within this share of its interval expires.
_FRESH = 0.9


def interval(task: str, settings: Settings) -> float:
    """Seconds between two ticks of a duty."""
    if task == contract.TASK_CLEAR:
        return _HOUR
    if task == contract.TASK_PACE:
        rate = settings.limits.starts_per_minute
        return max(_SHORTEST, 60.0 / rate) if rate is not None else settings.timing.tick_secs
    ticks = {contract.TASK_SWEEP: 2.0}
    return settings.timing.tick_secs * ticks.get(task, 1.0)


def queue_of(task: str, settings: Settings) -> str:
    """Who does a duty: the process that speaks to a remote forge looks at what lies there, control does all else."""
    watches = task == contract.TASK_CI_WATCH and settings.forge.remote
    return contract.QUEUE_FORGE if watches else contract.QUEUE_CONTROL


def beat_schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """Celery's ``beat_schedule``."""
    tasks = [
        contract.TASK_DISPATCH,
        contract.TASK_CI_WATCH,
        contract.TASK_ESCALATE,
        contract.TASK_SWEEP,
        contract.TASK_CLEAR,
    ]
    if interval(contract.TASK_PACE, settings) < settings.timing.tick_secs:
        tasks.append(contract.TASK_PACE)  # Else the tick is often enough.
    return {
        task: {
            "task": task,
            "schedule": interval(task, settings),
            "options": {
                "queue": queue_of(task, settings),
                "expires": interval(task, settings) * _FRESH,
                "ignore_result": True,
                "argsrepr": "()",
            },
        }
        for task in tasks
    }
