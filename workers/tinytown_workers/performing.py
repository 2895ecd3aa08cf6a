"""What is done in an attempt, by its purpose; whatever goes wrong in it becomes an outcome."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
from collections.abc import Callable

from tinytown import stamp
from tinytown.errors import (
    ConfigurationError,
    DiskFullError,
    ForgeRefusedError,
    HubAwayError,
    RateLimitError,
    StateError,
    TinytownError,
    UnreachableError,
)
from tinytown.forge import use
from tinytown.missions import gates
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import Outcome, Purpose
from tinytown_workers.attempt import exchange, folder_lock
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.prepare.setup import SetupFailedError
from tinytown_workers.purposes import answer, checks, merge, publish, review, work

log = logging.getLogger(__name__)

#: Free bytes on the disk of the work folders below which nothing is begun that was sent before that was known.
MIN_FREE_BYTES = 200 << 20

Stage = Callable[[AttemptContext], Report]

_STAGES: dict[Purpose, Stage] = {
    Purpose.WORK: work.run,
    Purpose.FIX: work.run,
    Purpose.REVIEW: review.run,
    Purpose.CHECK: checks.run,
    Purpose.PUBLISH: publish.run,
    Purpose.MERGE: merge.run,
}


def _hold(attempt: AttemptContext) -> None:
    """Hold the attempt's folders, and the mirrors' objects, until it has left them."""
    holding = contextlib.ExitStack()
    if not holding.enter_context(folder_lock.held(attempt.paths.clone)):
        raise StateError(f"{attempt.paths.clone} is another process's")
    holding.enter_context(use.used(attempt.town.mirrors))
    attempt.at_end(holding.close)


def perform(attempt: AttemptContext) -> Report:
    """Run the attempt's stage; whatever goes wrong becomes an outcome."""
    try:
        if attempt.rests_until is not None:
            # It was sent before the limit was known.
            words = f"{attempt.cli} is at its usage limit"
            return Report(outcome=Outcome.USAGE_LIMIT, summary=words, retry_at=attempt.rests_until)
        disk = attempt.town.state
        disk.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(disk).free
        if free < min(MIN_FREE_BYTES, attempt.town.settings.limits.disk_free):
            raise DiskFullError(
                f"only {free >> 20} MB are free on the disk of {disk}", remedy="free some space, then retry"
            )
        _hold(attempt)
        exchange.begin(attempt)
        return exchange.finish(attempt, _stage(attempt)(attempt))
    except (DiskFullError, ForgeRefusedError, ConfigurationError) as error:
        return Report(outcome=_of_others(error), summary=str(error))
    except RateLimitError as error:
        again = attempt.engine.store.now() + error.wait
        return Report(outcome=Outcome.UNREACHABLE, summary=str(error), retry_at=again)
    except UnreachableError as error:
        return Report(outcome=Outcome.UNREACHABLE, summary=str(error), away=isinstance(error, HubAwayError))
    except SetupFailedError as error:
        return Report(outcome=Outcome.NO_WORKSPACE, summary=error.message, log=str(attempt.paths.logs))
    except TinytownError as error:
        return Report(outcome=_of_ours(attempt), summary=str(error))
    except OSError as error:
        log.exception("attempt %s", attempt.record.id)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Report(outcome=Outcome.DISK_FULL, summary=f"no room for {error.filename or 'the work'}")
        where = error.filename or "a file of the workspace"
        why = f"{where} cannot be used: {error.strerror or error}; see `tt doctor`"
        return Report(outcome=_of_ours(attempt), summary=why)
    except Exception as error:
        # A bug of ours must not leave the item running for ever; it counts as a failure, so it cannot repeat for ever.
        log.exception("attempt %s", attempt.record.id)
        return Report(outcome=_of_ours(attempt), summary=f"tinytown failed: {type(error).__name__}: {error}")


def _stage(attempt: AttemptContext) -> Stage:
    return answer.run if attempt.item.kind == gates.QUESTION else _STAGES[attempt.record.purpose]


def _of_others(error: TinytownError) -> Outcome:
    """The outcome of a fault that says itself whose it is."""
    if isinstance(error, DiskFullError):
        return Outcome.DISK_FULL
    return Outcome.FORGE_REFUSED if isinstance(error, ForgeRefusedError) else Outcome.MISCONFIGURED


def _of_ours(attempt: AttemptContext) -> Outcome:
    """The outcome of a failure that is not the agent's: if the agent had not begun, the item has not failed.

    Nor is it one where an update mixed two releases of tinytown in this process: that is as if the worker had died.
    """
    if stamp.replaced():
        return Outcome.LOST
    return Outcome.FAILED if attempt.execution.begun else Outcome.NO_WORKSPACE
