"""One run as its worker supervises it: what the guard says about it, its deadlines and its limits."""

from __future__ import annotations

import errno
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

from tinytown import contract
from tinytown_workers.limits import quota
from tinytown_workers.run import repetition
from tinytown_workers.run.announce import NOT_EXECUTABLE, NOT_FOUND
from tinytown_workers.run.guard_client import GuardProcess
from tinytown_workers.run.hold import Hold, Part
from tinytown_workers.run.orphans import kill_marked
from tinytown_workers.run.run_spec import OWN_LOG, Ended, Reason, RunSpec, read_log

#: Pause between two looks at ``stop``, an event that nothing else can wait for at the same time.
STOP_PAUSE = 0.2

log = logging.getLogger(__name__)


class Supervision:
    """Follows one run to its end, and ends it where it must."""

    def __init__(
        self,
        guard: GuardProcess,
        spec: RunSpec,
        words: queue.Queue[dict[str, Any]],
        stop: threading.Event,
        began: float,
        hold: Hold,
        part: Part,
    ) -> None:
        self.guard = guard
        self.spec = spec
        self.words = words
        self.stop = stop
        #: Times of the run are by ``_now``.
        self.began = began
        self.hold = hold
        self.part = part
        #: What the guard was told last: to let it stand still, or go on.
        self.held = False
        #: Since when it stands still, and for how many seconds it did before.
        self.still_since: float | None = None
        self.stood = 0.0
        self.reason: Reason = "exited"
        self.wall = began + spec.timeout
        self.quota = quota.Disk(spec.limits, began)
        self.silence = began + spec.no_output if spec.no_output is not None else None
        self.listeners = list(_listeners(spec))

    def until_ended(self, on_started: Callable[[int], None]) -> Ended:
        while True:
            said = self._next()
            match said.get("did"):
                case "started":
                    self.quota.pid = said["pid"]
                    on_started(said["pid"])
                case "speaks" if self.spec.on_speaker is not None:
                    self.spec.on_speaker(said["pid"], said["born"])
                case "failed":
                    return self._not_started(said["errno"], said["what"])
                case "refused":
                    # With its grace, as when it is stopped, so that it can still say what it cost.
                    self._end("refused", grace=self.spec.grace)
                case "idle":
                    self._heard(said["secs"])
                case "suspended":
                    self.part.still, self.still_since = True, time.monotonic()
                    log.info("suspended", extra={"run": self.spec.id})
                case "continued":
                    self._goes_on()
                case "exited":
                    self._judge(leased=said["leased"], limit=said["limit"])
                    if sys.platform != "linux":
                        # Without a subreaper the guard may have lost sight of a process.
                        kill_marked(self.spec.id, self.spec.env.get(contract.ENV_TOWN))
                    return self._ended(said["code"], said["bytes"])
                case "died":
                    kill_marked(self.spec.id, self.spec.env.get(contract.ENV_TOWN))
                    self.reason = "lost_guard"
                    return self._ended(None, 0)
            self._check()

    def _now(self) -> float:
        """The time by a clock that stands while the run does."""
        return (time.monotonic() if self.still_since is None else self.still_since) - self.stood

    def _goes_on(self) -> None:
        self.part.still = False
        if self.still_since is not None:
            self.stood += time.monotonic() - self.still_since
            self.still_since = None

    def _judge(self, *, leased: bool, limit: Literal["memory", "processes", "unstarted"] | None) -> None:
        """What the guard knows of why it ended."""
        if not leased:
            self.reason = "refused"
        elif limit and self.reason == "exited":
            self.reason = limit

    def _next(self) -> dict[str, Any]:
        """The next message, or nothing when a deadline has come."""
        now = self._now()
        if self.reason != "exited":
            wait = None  # It is being ended: only the guard's last word counts.
        else:
            wait = max(0.0, min(self.wall, self.silence or self.wall, now + STOP_PAUSE) - now)
            wait = wait if self.still_since is None else STOP_PAUSE
        try:
            return self.words.get(timeout=wait)
        except queue.Empty:
            return {}

    def _check(self) -> None:
        now = self._now()
        if self.reason != "exited":
            return
        if self.hold.wanted is not self.held:
            self.held = self.hold.wanted
            self.guard.order(do="suspend" if self.held else "continue", id=self.spec.id)
        if self.stop.is_set():
            self._end("stopped", grace=self.spec.grace)
        elif self.still_since is not None:
            return
        elif now >= self.wall:
            self._end("timed_out", grace=self.spec.grace)
        elif any(listener.hears_only_trouble(now) for listener in self.listeners):
            self._end("repeating", grace=self.spec.grace)
        elif self.spec.limits.disk and self.quota.reached(now):
            self._end("disk", grace=0)
        elif self.silence is not None and now >= self.silence:
            # The guard knows when it last heard something; ask again when that is long enough ago.
            self.silence = self.wall
            self.guard.order(do="idle", id=self.spec.id)

    def _heard(self, idle: float) -> None:
        limit = self.spec.no_output or 0.0
        if idle >= limit:
            self._end("stalled", grace=self.spec.grace)
        else:
            self.silence = self._now() + limit - idle

    def _end(self, reason: Reason, *, grace: float) -> None:
        if self.reason == "exited":
            self.reason = reason
        self._goes_on()
        self.guard.order(do="kill", id=self.spec.id, grace=grace)

    def _ended(self, code: int | None, output_bytes: int) -> Ended:
        return Ended(
            reason=self.reason,
            exit_code=code,
            stdout=read_log(self.spec.logs / "stdout.log"),
            stderr=read_log(self.spec.logs / "stderr.log"),
            duration=self._now() - self.began,
            output_bytes=output_bytes,
            own=read_log(self.spec.logs / OWN_LOG) if self._tells else None,
        )

    @property
    def _tells(self) -> bool:
        return self.spec.on_speaker is not None and sys.platform == "linux"

    def _not_started(self, number: int, what: str) -> Ended:
        missing = number in (errno.ENOENT, errno.ENOTDIR)
        message = f"cannot start {self.spec.argv[0] if self.spec.argv else 'nothing'}: {what}"
        return Ended(
            reason="exited",
            exit_code=NOT_FOUND if missing else NOT_EXECUTABLE,
            stderr=message,
            duration=time.monotonic() - self.began,
        )


def _listeners(spec: RunSpec) -> Iterator[repetition.Listener]:
    """What listens to its output for complaints that its model does not answer."""
    if spec.sort is not None:
        rule = repetition.Repetition(spec.sort, patience=spec.patience)
        yield repetition.Listener(spec.logs / "stdout.log", rule)
    if spec.waits is not None:
        yield repetition.Listener(spec.logs / "stderr.log", repetition.Waiting(spec.waits))
