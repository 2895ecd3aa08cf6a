"""The worker's side of the guard: run one agent under limits and a lease, and say how it ended.

The guard owns the agent's tree (see ``guard.py``); this module gives it orders, keeps the deadlines and
beats the heart. Whatever ends a run, its whole tree is gone and its logs are complete when ``run`` returns.
"""

from __future__ import annotations

import base64
import functools
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinytown import contract, files
from tinytown_workers.run.guard_client import GuardProcess
from tinytown_workers.run.hold import Hold, Part
from tinytown_workers.run.pulse import PULSE, Beat
from tinytown_workers.run.run_spec import LOG_TAIL_BYTES, OWN_LOG, Ended, RunSpec
from tinytown_workers.run.supervision import STOP_PAUSE, Supervision

if TYPE_CHECKING:
    pass

#: Largest file an agent may write.
FILE_BYTES = 1 << 30
log = logging.getLogger(__name__)


class Runner:
    """Runs agents for one worker process. Safe to use from several threads.

    No file that an agent writes may be larger than ``file_bytes``.
    """

    def __init__(self, file_bytes: int = FILE_BYTES) -> None:
        self._file_bytes = file_bytes
        self._guard: GuardProcess | None = None
        self._starting = threading.Lock()

    def start(self) -> None:
        """Start the guard ahead of the first agent, or anew after it died; otherwise do nothing."""
        self._live_guard()

    def close(self) -> None:
        """End every agent and the guard."""
        with self._starting:
            guard, self._guard = self._guard, None
        if guard is not None:
            guard.close()

    def run(
        self,
        spec: RunSpec,
        *,
        on_started: Callable[[int], None],
        renew: Callable[[], bool],
        stop: threading.Event,
        hold: Hold | None = None,
    ) -> Ended:
        """Run an agent to its end.

        ``on_started`` gets the agent's process id. ``renew`` is called at every heartbeat, from another thread: false
        ends the tree within its grace; an exception counts as no answer and is tolerated until the lease would have
        ended. ``stop`` ends the tree within its grace. While ``hold`` wants it, the tree stands still, or is not begun
        at all, and the clocks of its limits stand; its lease is renewed all the same.
        """
        hold = hold if hold is not None else Hold()
        with hold.part() as part:
            while hold.wanted and not stop.is_set():
                part.still = True
                stop.wait(STOP_PAUSE)
            part.still = False
            return self._run(spec, on_started, renew, stop, hold, part)

    def _run(
        self,
        spec: RunSpec,
        on_started: Callable[[int], None],
        renew: Callable[[], bool],
        stop: threading.Event,
        hold: Hold,
        part: Part,
    ) -> Ended:
        guard = self._live_guard()
        words: queue.Queue[dict[str, Any]] = queue.Queue()
        guard.listen(spec.id, words)
        began = time.monotonic()
        heart: list[Beat] = []

        def started(pid: int) -> None:
            heart.append(PULSE.every(spec.heartbeat, functools.partial(_beat, guard, spec, renew, words)))
            on_started(pid)

        try:
            self._spawn(guard, spec)
            return Supervision(guard, spec, words, stop, began, hold, part).until_ended(started)
        finally:
            for beat in heart:
                beat.end()
            guard.order(do="kill", id=spec.id, grace=0)
            guard.forget(spec.id)

    def _live_guard(self) -> GuardProcess:
        with self._starting:
            if self._guard is not None and not self._guard.alive:
                self._guard.close()
                self._guard = None
            if self._guard is None:
                self._guard = GuardProcess(self._file_bytes)
            return self._guard

    @staticmethod
    def _spawn(guard: GuardProcess, spec: RunSpec) -> None:
        spec.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        stdin = spec.stdin
        if isinstance(stdin, str):
            stdin = spec.logs / "stdin"
            # Whoever reads it gets a copy from the guard.
            files.write_atomically(stdin, str(spec.stdin).encode(errors="replace").decode(), lasting=False)
        guard.order(
            handed=spec.network.channel if spec.network is not None else None,
            do="spawn",
            id=spec.id,
            argv=list(spec.argv),
            env={**spec.env, contract.ENV_RUN: spec.id},
            cwd=str(spec.cwd),
            stdin=stdin and str(stdin),
            stdout=str(spec.logs / "stdout.log"),
            stderr=str(spec.logs / "stderr.log"),
            own=str(spec.logs / OWN_LOG) if spec.on_speaker is not None else None,
            cap=spec.log_bytes,
            tail=LOG_TAIL_BYTES,
            lease=spec.lease,
            grace=spec.grace,
            wrapped=spec.wrapped,
            carried=spec.carried,
            ports=spec.network.ports if spec.network is not None else (),
            limits={
                "memory": spec.limits.memory,
                "processes": spec.limits.processes,
                "open_files": spec.limits.open_files,
            },
            files={name: base64.b64encode(data).decode() for name, data in spec.files.items()},
        )
        if spec.network is not None:
            spec.network.handed()


def _beat(
    guard: GuardProcess,
    spec: RunSpec,
    renew: Callable[[], bool],
    words: queue.Queue[dict[str, Any]],
) -> bool:
    """Renew the lease of a run; gives whether it goes on."""
    asked = time.monotonic()
    try:
        renewed = renew()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer; the guard counts the lease down
        log.warning("lease not renewed", extra={"run": spec.id, "reason": str(error)})
        return True
    if not renewed:
        words.put({"did": "refused"})
        return False
    # The lease was extended at some time after the question: counting from then is on the safe side.
    guard.order(do="extend", id=spec.id, secs=max(0.0, spec.lease - (time.monotonic() - asked)))
    return True
