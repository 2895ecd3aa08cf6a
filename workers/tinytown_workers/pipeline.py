"""The life of an attempt: claim, prepare, brief, launch, collect, report. One screen, the whole story.

Everything between claim and report happens under a lease that a heart thread renews; a refused renewal
stops the run, and its report is refused too. Whatever an agent wrote is in the mirror before its clone goes.
"""

from __future__ import annotations

import contextvars
import functools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from tinytown import stamp, tracing
from tinytown.engine.context import Context
from tinytown.engine.dispatch import attempts as engine
from tinytown.engine.dispatch import claiming
from tinytown.engine.dispatch.attempts import HandedIn
from tinytown.engine.dispatch.claiming import Claim, Taker
from tinytown.engine.operate import conductor, installed
from tinytown.engine.plan import claims
from tinytown.errors import (
    ConfigurationError,
    DatabaseFullError,
    TinytownError,
    UnreachableError,
)
from tinytown.host import process_identity
from tinytown.log import of_agent
from tinytown.missions import limits
from tinytown.missions.crew import CONDUCTOR_ROLE
from tinytown.missions.limits import Limit
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import Outcome, Purpose
from tinytown_workers import performing, pool
from tinytown_workers.attempt import sweep
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.attempt.lease import Heart
from tinytown_workers.attempt.tails import Tail
from tinytown_workers.limits import isolated
from tinytown_workers.run.runner import Runner
from tinytown_workers.run.runners import Runners
from tinytown_workers.serve.slots import Slot, Slots, Work

log = logging.getLogger(__name__)

#: Seconds for which the code that was seen is taken for what is still there. An attempt that begins in the moment of an
#: update and fails of it counts as lost: that is told by a look of its own.
JUST_SEEN = 1.0


class Tasks(Protocol):
    """What runs the tasks of a process."""

    def run_here(self, message: str) -> None: ...


class Attempts:
    """Runs the attempts that reach one worker process, one at a time for each agent that it serves."""

    def __init__(self, context: Context, slots: Slots, *, last_run: Callable[[Slot], None]) -> None:
        self._context = context
        self._slots = slots
        #: Told of an agent that begins the last run that it may.
        self._last_run = last_run
        self._runners = Runners()
        self._live: dict[str, threading.Event] = {}
        #: What was taken with the report of another attempt, and its agent, until its task begins.
        self._taken: dict[Work, tuple[Slot, Claim]] = {}
        self._tasks: Tasks | None = None
        #: Threads that remove what attempts set up whose agents went on.
        self._leaving: set[threading.Thread] = set()
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runners.close()
        for thread in list(self._leaving):
            thread.join()
        isolated.close()

    def begin(self, tasks: Tasks) -> None:
        """Serve, from now on."""
        self._tasks = tasks

    def run(self, mission: str, key: str, number: int, *, queue: str = "") -> None:
        """Have an agent run an attempt, which came by this queue or was taken already, and what was kept meanwhile."""
        work: Work | None = (mission, key, number)
        slot, taken = self._taken.pop((mission, key, number), (None, None))
        if slot is None and (slot := self._slots.take(queue, (mission, key, number))) is None:
            return
        while work is not None:
            follows: Claim | None = None
            try:
                with of_agent(slot.name):
                    follows = self._run(slot, work, taken)
            except TinytownError as error:
                log.warning("attempt: %s", error)
            finally:
                taken = None
                work = self._slots.next(slot) if follows is None else None
            if follows is not None:
                work = follows.mission.id, follows.item.key, follows.attempt.number
                if pool.go_on(functools.partial(self._go_on, follows)):
                    self._taken[work] = slot, follows
                    return
                taken = follows
        if not self._stopping.is_set():
            # It is idle now, or has ended a task that took a place.
            claims.take_up_quietly(self._context)

    def _go_on(self, taken: Claim) -> None:
        """Run an attempt that was taken with the report of another, as the task that its message would have made."""
        work = taken.mission.id, taken.item.key, taken.attempt.number
        try:
            if self._tasks is not None:
                self._tasks.run_here(self._context.task_of(*work[:2], taken.attempt))
        finally:
            # If Celery would not, the lease is ours all the same.
            if work in self._taken:
                self.run(*work)

    def _run(self, slot: Slot, work: Work, taken: Claim | None) -> Claim | None:
        """Run an attempt, unless it is not (or no longer) to be had; gives the one that follows it, if any."""
        claimed, rests_until = (taken, None) if taken is not None else self._take(slot, *work)
        if claimed is None:
            return None
        slot.begins()
        if slot.rounds_left == 0:
            self._last_run(slot)
        with self._runners.lend() as runner:
            return self._carry_out(slot, claimed, rests_until, runner)

    def _take(self, slot: Slot, mission: str, key: str, number: int) -> tuple[Claim | None, float | None]:
        """Take an attempt for this agent, and until when all its CLIs are at their usage limits, if they are."""
        if self._stopping.is_set():
            return None, None
        if stamp.replaced(within=JUST_SEEN):
            # It is sent again, to a worker that runs the installed release; this one is about to restart with it.
            log.warning("attempt %d at %s of mission %s is not taken: tinytown was updated", number, key, mission)
            return None, None
        # Before the claim: a run under another configuration than the one that stands there would prove nothing. Where
        # it cannot be read the attempt stays untaken, and is sent again once it can.
        self._context.refresh()
        rests_until: float | None = None

        def choose(item: str, known: Mapping[str, Limit], now: float) -> str:
            nonlocal rests_until
            cli, rests_until = self._choose_cli(slot, item, known, now)
            return cli

        taker = Taker(slot.name, choose, worker=process_identity.me(), host=self._context.town.machine)
        return claiming.take(self._context, mission, key, number, taker), rests_until

    def _next_taker(self, slot: Slot, report: Report) -> Taker | None:
        """Who takes what follows a run at once; ``None``: a message brings it to whoever is idle then."""
        if report.outcome is not Outcome.SUCCEEDED or self._stopping.is_set() or not self._slots.may_go_on(slot):
            return None
        if stamp.replaced(within=JUST_SEEN):
            return None
        try:
            self._context.refresh()
        except ConfigurationError:
            return None

        def choose(item: str, known: Mapping[str, Limit], now: float) -> str | None:
            cli, rests_until = self._choose_cli(slot, item, known, now)
            return cli if rests_until is None else None

        queues = self._slots.shared, slot.queue
        return Taker(slot.name, choose, worker=process_identity.me(), host=self._context.town.machine, queues=queues)

    def _carry_out(self, slot: Slot, claimed: Claim, rests_until: float | None, runner: Runner) -> Claim | None:
        """Run an attempt that was taken, and report what came of it; gives the one that was taken with the report."""
        stop = threading.Event()
        self._live[claimed.attempt.id] = stop
        if self._stopping.is_set():
            stop.set()
        heart = Heart(self._context, claimed, stop)
        attempt = AttemptContext(
            engine=self._context,
            claim=claimed,
            cli=claimed.attempt.cli,
            own_cli=slot.cli,
            rests_until=rests_until,
            role=slot.role,
            runner=runner,
            stop=stop,
            renew=heart.renew,
            hold=slot.hold,
        )
        handed_in = HandedIn(False)
        try:
            tail = Tail(self._context, claimed.attempt.id, attempt.paths.logs)
            with slot.at_work(stop), heart, tail, _traced(attempt):
                report = attempt.charge(performing.perform(attempt))
                tracing.note(outcome=report.outcome.value, cost_usd=report.cost_usd or 0.0)
                refused = report.outcome is Outcome.REFUSED or heart.refused
                with tracing.step("report"):
                    handed_in = self._hand_in(claimed, report, self._next_taker(slot, report), refused=refused)
            # Only now: the bill stays open until the cost is on record.
            if handed_in.counted:
                attempt.settle()
            if claimed.attempt.purpose is Purpose.PUBLISH:
                self._context.looks.expect(claimed.mission.id, claimed.item.key, 0.0)
        except Exception:
            if handed_in.next is None:
                raise
            log.exception("after %s", claimed.attempt.id)
        finally:
            # Last, so that nobody who waits for the report has to wait for this.
            self._leave(attempt, goes_on=handed_in.next is not None)
            del self._live[claimed.attempt.id]
        return handed_in.next

    def _leave(self, attempt: AttemptContext, *, goes_on: bool) -> None:
        """Undo what an attempt set up: a clone that takes long to remove does not keep its agent from going on."""

        def leave() -> None:
            try:
                attempt.leave()
            except Exception:
                log.exception("after %s", attempt.record.id)
            finally:
                self._leaving.discard(threading.current_thread())

        if not goes_on or attempt.mission.workspace == "none":
            attempt.leave()
            return
        # With the context variables of this thread, by which log lines name the agent.
        thread = threading.Thread(target=contextvars.copy_context().run, args=(leave,), name="leave")
        self._leaving.add(thread)
        thread.start()

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
        clis = [own, *(cli for cli in further if installed.is_installed(self._context, cli))]
        host = self._context.town.machine
        free = limits.choose(clis, host, known, key, now=now)
        return free or own, None if free else limits.rests_until(clis, host, known, key, now=now)

    def _hand_in(self, claimed: Claim, report: Report, taker: Taker | None, *, refused: bool) -> HandedIn:
        """Report, waiting out a database that is away for less than the lease; what is refused is written off.

        Where it does not count, what it cost is still to be counted.

        While its disk is full it takes nothing from anybody, so nobody can take the attempt back meanwhile.
        """
        deadline = time.monotonic() + self._context.town.settings.timing.lease_secs
        while True:
            try:
                handed_in = HandedIn(False) if refused else engine.hand_in(self._context, claimed, report, taker)
                if not handed_in.counted:
                    log.info("%s was refused; nothing of it counts but its cost", claimed.attempt.id)
                    return HandedIn(engine.write_off(self._context, claimed, report))
                said = " ".join(report.summary.split())[:200]
                log.info("%s %s%s", claimed.attempt.id, report.outcome.value, said and f": {said}")
                return handed_in
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
        return self._slots.idle and not self._leaving

    def stop(self) -> None:
        """Take nothing more, and end what runs."""
        self._stopping.set()
        for event in list(self._live.values()):
            event.set()

    def sweep(self) -> int:
        """End this town's processes on this machine that nobody looks after; gives how many attempts they were of."""
        return sweep.sweep(self._context)


def _traced(attempt: AttemptContext) -> AbstractContextManager[None]:
    """The span of the attempt, around what is done in it."""
    record = attempt.record
    return tracing.attempt(
        attempt.mission.id,
        attempt.item.key,
        f"{record.purpose.value}, attempt {record.number}",
        sent_at=record.sent_at,
        claimed_at=record.claimed_at or record.sent_at,
        purpose=record.purpose.value,
        number=record.number,
        agent=attempt.claim.agent,
        role=record.role,
        cli=record.cli,
        host=record.host,
    )
