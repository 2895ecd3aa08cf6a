"""The life of an attempt: claim, prepare, brief, launch, collect, report. One screen, the whole story.

Everything between claim and report happens under a lease that a heart thread renews; a refused renewal
stops the run, and its report is refused too. Whatever an agent wrote is in the mirror before its clone goes.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from tinytown import stamp
from tinytown.engine.context import Context
from tinytown.engine.dispatch import attempts as engine
from tinytown.engine.operate import agents, conductor
from tinytown.engine.plan import claims
from tinytown.errors import (
    ConfigurationError,
    DatabaseFullError,
    DiskFullError,
    RateLimitError,
    StateError,
    TinytownError,
    UnreachableError,
)
from tinytown.host import process_identity
from tinytown.log import of_agent
from tinytown.missions import gates, limits
from tinytown.missions.limits import Limit
from tinytown.missions.records.attempt import Report
from tinytown.missions.scheduler import CONDUCTOR_ROLE
from tinytown.missions.states import Outcome, Purpose
from tinytown_workers.attempt import folder_lock, sweep
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.attempt.lease import Heart
from tinytown_workers.limits import isolated
from tinytown_workers.prepare.setup import SetupFailedError
from tinytown_workers.purposes import answer, checks, merge, publish, review, work
from tinytown_workers.run.runner import Runner
from tinytown_workers.run.runners import Runners
from tinytown_workers.serve.slots import Slot, Slots, Work

log = logging.getLogger(__name__)

#: Free bytes on the disk of the work folders below which nothing is begun.
MIN_FREE_BYTES = 200 << 20
#: Seconds for which the code that was seen is taken for what is still there. An attempt that begins in the moment of an
#: update and fails of it counts as lost: that is told by a look of its own.
JUST_SEEN = 1.0

Stage = Callable[[AttemptContext], Report]

_STAGES: dict[Purpose, Stage] = {
    Purpose.WORK: work.run,
    Purpose.FIX: work.run,
    Purpose.REVIEW: review.run,
    Purpose.CHECK: checks.run,
    Purpose.PUBLISH: publish.run,
    Purpose.MERGE: merge.run,
}


class Attempts:
    """Runs the attempts that reach one worker process, one at a time for each agent that it serves."""

    def __init__(self, context: Context, slots: Slots, *, last_run: Callable[[Slot], None]) -> None:
        self._context = context
        self._slots = slots
        #: Told of an agent that begins the last run that it may.
        self._last_run = last_run
        self._runners = Runners()
        self._live: dict[str, threading.Event] = {}
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runners.close()
        isolated.close()

    def run(self, mission: str, key: str, number: int, *, queue: str) -> None:
        """Have an agent take and run an attempt that came by this queue, and what was kept for it meanwhile."""
        work: Work | None = (mission, key, number)
        if (slot := self._slots.take(queue, (mission, key, number))) is None:
            return
        while work is not None:
            try:
                with of_agent(slot.name):
                    self._run(slot, *work)
            except TinytownError as error:
                log.warning("attempt: %s", error)
            finally:
                work = self._slots.next(slot)
        if not self._stopping.is_set():
            # It is idle now, or has ended a task that took a place.
            claims.take_up_quietly(self._context)

    def _run(self, slot: Slot, mission: str, key: str, number: int) -> None:
        """Take and run an attempt; does nothing if it is not (or no longer) to be had."""
        if self._stopping.is_set():
            return
        if stamp.replaced(within=JUST_SEEN):
            # It is sent again, to a worker that runs the installed release; this one is about to restart with it.
            log.warning("attempt %d at %s of mission %s is not taken: tinytown was updated", number, key, mission)
            return
        # Before the claim: a run under another configuration than the one that stands there would prove nothing. Where
        # it cannot be read the attempt stays untaken, and is sent again once it can.
        self._context.refresh()
        rests_until: float | None = None

        def choose(known: Mapping[str, Limit], now: float) -> str:
            nonlocal rests_until
            cli, rests_until = self._choose_cli(slot, key, known, now)
            return cli

        claimed = engine.claim(
            self._context,
            mission,
            key,
            number,
            agent=slot.name,
            worker=process_identity.me(),
            cli=choose,
            host=socket.gethostname(),
        )
        if claimed is None:
            return
        slot.begins()
        if slot.rounds_left == 0:
            self._last_run(slot)
        with self._runners.lend() as runner:
            self._carry_out(slot, claimed, claimed.attempt.cli, rests_until, runner)

    def _carry_out(
        self, slot: Slot, claimed: engine.Claim, cli: str, rests_until: float | None, runner: Runner
    ) -> None:
        """Run an attempt that was taken, and report what came of it."""
        stop = threading.Event()
        self._live[claimed.attempt.id] = stop
        heart = Heart(self._context, claimed, stop)
        attempt = AttemptContext(
            engine=self._context,
            claim=claimed,
            cli=cli,
            own_cli=slot.cli,
            rests_until=rests_until,
            role=slot.role,
            runner=runner,
            stop=stop,
            renew=heart.renew,
            hold=slot.hold,
        )
        try:
            with slot.at_work(stop), heart:
                report = attempt.charge(perform(attempt))
                counted = self._hand_in(claimed, report, refused=report.outcome is Outcome.REFUSED or heart.refused)
            # Only now: the bill stays open until the cost is on record.
            if counted:
                attempt.settle()
            if claimed.attempt.purpose is Purpose.PUBLISH:
                self._context.looks.expect(claimed.mission.id, claimed.item.key, 0.0)
        finally:
            # Last, so that nobody who waits for the report has to wait for this.
            attempt.leave()
            del self._live[claimed.attempt.id]

    def _choose_cli(self, slot: Slot, key: str, known: Mapping[str, Limit], now: float) -> tuple[str, float | None]:
        """The CLI to run for the item: its agent's own, else the first fallback of its role that is here and at no
        usage limit. Where all are, also until when.
        """
        own = slot.cli
        if slot.role == CONDUCTOR_ROLE:
            # It runs what the settings name by now.
            own = conductor.name_of(self._context.town)
        if not (own and known):
            return own, None
        further = self._context.fallbacks.get(slot.role, [])
        clis = [own, *(cli for cli in further if agents.is_installed(self._context, cli))]
        host = socket.gethostname()
        free = limits.choose(clis, host, known, key, now=now)
        return free or own, None if free else limits.rests_until(clis, host, known, key, now=now)

    def _hand_in(self, claimed: engine.Claim, report: Report, *, refused: bool) -> bool:
        """Report, waiting out a database that is away for less than the lease; what is refused is written off.

        ``False``: what it cost is still to be counted.

        While its disk is full it takes nothing from anybody, so nobody can take the attempt back meanwhile.
        """
        deadline = time.monotonic() + self._context.town.settings.timing.lease_secs
        while True:
            try:
                if refused or not engine.report(self._context, claimed, report):
                    log.info("%s was refused; nothing of it counts but its cost", claimed.attempt.id)
                    return engine.write_off(self._context, claimed, report)
                said = " ".join(report.summary.split())[:200]
                log.info("%s %s%s", claimed.attempt.id, report.outcome.value, said and f": {said}")
                return True
            except DatabaseFullError as error:
                if self._stopping.is_set():
                    raise
                log.warning("the report of %s waits: %s", claimed.attempt.id, error)
                deadline = time.monotonic() + self._context.town.settings.timing.lease_secs
                self._stopping.wait(1.0)
            except UnreachableError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def end(self, attempts: list[str]) -> int:
        """End these attempts if they run here; gives how many did."""
        events = [self._live[a] for a in attempts if a in self._live]
        for event in events:
            event.set()
        return len(events)

    def idle(self) -> bool:
        """Whether no attempt runs here."""
        return self._slots.idle

    def stop(self) -> None:
        """Take nothing more, and end what runs."""
        self._stopping.set()
        for event in list(self._live.values()):
            event.set()

    def sweep(self) -> int:
        """End this town's processes on this machine that nobody looks after; gives how many attempts they were of."""
        return sweep.sweep(self._context)


def _hold(attempt: AttemptContext) -> None:
    """Hold the attempt's folders until it has left them."""
    holding = contextlib.ExitStack()
    if not holding.enter_context(folder_lock.held(attempt.paths.clone)):
        raise StateError(f"{attempt.paths.clone} is another process's")
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
        if free < MIN_FREE_BYTES:
            raise DiskFullError(
                f"only {free >> 20} MB are free on the disk of {disk}", remedy="free some space, then retry"
            )
        _hold(attempt)
        return _stage(attempt)(attempt)
    except DiskFullError as error:
        return Report(outcome=Outcome.DISK_FULL, summary=str(error))
    except RateLimitError as error:
        again = attempt.engine.store.now() + error.wait
        return Report(outcome=Outcome.UNREACHABLE, summary=str(error), retry_at=again)
    except UnreachableError as error:
        return Report(outcome=Outcome.UNREACHABLE, summary=str(error))
    except SetupFailedError as error:
        return Report(outcome=Outcome.NO_WORKSPACE, summary=error.message, log=str(attempt.paths.logs))
    except ConfigurationError as error:
        return Report(outcome=Outcome.MISCONFIGURED, summary=str(error))
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


def _of_ours(attempt: AttemptContext) -> Outcome:
    """The outcome of a failure that is not the agent's: if the agent had not begun, the item has not failed.

    Nor is it one where an update mixed two releases of tinytown in this process: that is as if the worker had died.
    """
    if stamp.replaced():
        return Outcome.LOST
    return Outcome.FAILED if attempt.execution.begun else Outcome.NO_WORKSPACE
