"""The worker's side of the guard: run one agent under limits and a lease, and say how it ended.

The guard owns the agent's tree (see ``guard.py``); this module gives it orders, keeps the deadlines and
beats the heart. Whatever ends a run, its whole tree is gone and its logs are complete when ``run`` returns.
"""

from __future__ import annotations

import base64
import errno
import functools
import logging
import os
import queue
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tinytown import contract, files
from tinytown.agents.driver import Sort
from tinytown_workers.limits import quota
from tinytown_workers.run import repetition
from tinytown_workers.run.announce import NOT_EXECUTABLE, NOT_FOUND
from tinytown_workers.run.guard_client import GuardProcess
from tinytown_workers.run.hold import Hold, Part
from tinytown_workers.run.orphans import kill_marked
from tinytown_workers.run.pulse import PULSE, Beat

if TYPE_CHECKING:
    from tinytown_workers.run.networks import SandboxNetwork

#: How much of one output is kept: this much of its head, and of its end.
LOG_HEAD_BYTES = 8 << 20
LOG_TAIL_BYTES = 256 << 10
#: How much of each log is handed on as text.
TEXT_BYTES = 256 << 10
#: Largest file an agent may write.
FILE_BYTES = 1 << 30
#: Pause between two looks at ``stop``, an event that nothing else can wait for at the same time.
STOP_PAUSE = 0.2
#: Log of what the first process of a run wrote.
OWN_LOG = "own.log"

log = logging.getLogger(__name__)

Reason = Literal[
    "exited", "timed_out", "stalled", "stopped", "refused", "lost_guard", "repeating", "memory", "processes", "disk"
]


@dataclass(frozen=True)
class RunSpec:
    """One run of an agent. Durations are seconds."""

    #: Id of the attempt: the marker ``TINYTOWN_RUN`` of all its processes.
    id: str
    argv: Sequence[str]
    #: The whole environment of the agent, but for the marker.
    env: Mapping[str, str]
    cwd: Path
    #: Folder for ``stdout.log``, ``stderr.log`` and ``stdin``; made when missing.
    logs: Path
    #: What the agent reads, or the file that holds it; ``None`` is an empty stdin.
    stdin: str | Path | None = None
    #: Wall-clock limit.
    timeout: float = 3600.0
    #: Longest silence of an agent that streams; ``None`` for one that does not.
    no_output: float | None = None
    #: What a line of its stdout is, where its driver can tell: an agent that only repeats its trouble is ended.
    sort: Callable[[str], Sort] | None = None
    #: Whether a line of its stderr says that it waits for too long, where its driver can tell: it is ended too.
    waits: Callable[[str], bool] | None = None
    #: How long an agent may repeat its trouble.
    patience: float = repetition.PATIENCE
    heartbeat: float = 15.0
    #: Life of the lease without renewal; the guard ends the tree then, even while this process is frozen.
    lease: float = 60.0
    #: From SIGTERM to SIGKILL.
    grace: float = 10.0
    #: ``argv`` is a sandbox around the agent: what is inside gets the SIGTERM, the sandbox ends by itself.
    wrapped: bool = False
    #: Words of ``argv`` in the place of which the number of an open file is to be, and what is to be read from it.
    files: Mapping[str, bytes] = field(default_factory=dict)
    #: Who serves the network of that sandbox; ``None`` where it has none of its own.
    network: SandboxNetwork | None = None
    #: See ``quota``.
    limits: quota.Limits = field(default_factory=quota.Limits)
    #: Tell what its first process wrote from what others did, and which one that is: to be called with its number and,
    #: where it has not ended yet, with when it began. Linux only; a wrapped one announces itself, see ``announced``.
    on_speaker: Callable[[int, int | None], None] | None = None
    log_bytes: int = LOG_HEAD_BYTES


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    ``exited``: by itself; ``timed_out``: wall clock; ``stalled``: silence; ``stopped``: on demand;
    ``refused``: the lease was refused or ran out; ``lost_guard``: its guard died, and it with it; ``repeating``: it
    said nothing more but that its model does not answer; ``memory``, ``processes``, ``disk``: it reached that limit.
    """

    reason: Reason
    #: Exit code, or the negative number of the signal that ended it; ``None`` when nobody could tell.
    exit_code: int | None
    #: Head and tail of the logs, decoded leniently.
    stdout: str = ""
    stderr: str = ""
    duration: float = 0.0
    output_bytes: int = 0
    #: What of ``stdout`` its first process wrote itself; ``None`` where nobody could tell.
    own: str | None = None


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
            return _Watch(guard, spec, words, stop, began, hold, part).until_ended(started)
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


class _Watch:
    """One run as seen from the worker: what is said about it, and its deadlines."""

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
                    # With its grace, as for one that is stopped: it may yet say what it cost.
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

    def _judge(self, *, leased: bool, limit: Literal["memory", "processes"] | None) -> None:
        """What the guard knows of why it ended."""
        if not leased:
            self.reason = "refused"
        elif limit and self.reason == "exited":
            self.reason = limit

    def _next(self) -> dict[str, Any]:
        """The next word, or nothing when a deadline has come."""
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
    """Those who hear, as it runs, that its model does not answer."""
    if spec.sort is not None:
        rule = repetition.Repetition(spec.sort, patience=spec.patience)
        yield repetition.Listener(spec.logs / "stdout.log", rule)
    if spec.waits is not None:
        yield repetition.Listener(spec.logs / "stderr.log", repetition.Waiting(spec.waits))


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


def read_log(path: Path) -> str:
    """Head and tail of a log, decoded leniently; empty if there is none."""
    try:
        # Without a sandbox, an agent could have put a pipe or a link there.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as log:  # noqa: PTH123
            found = os.fstat(descriptor)
            size = found.st_size
            if not stat.S_ISREG(found.st_mode):
                return ""
            if size <= TEXT_BYTES:
                data = log.read()
            else:
                head = log.read(TEXT_BYTES // 4)
                log.seek(size - TEXT_BYTES * 3 // 4)
                data = head + b"\n[%d bytes left out]\n" % (size - TEXT_BYTES) + log.read()
    except OSError:
        return ""
    return data.decode("utf-8", errors="replace")
