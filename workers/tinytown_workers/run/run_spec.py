"""What a run is given, how it ended, and how its logs are read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tinytown.agents.driver import Sort
from tinytown_workers.limits import quota
from tinytown_workers.run import repetition

if TYPE_CHECKING:
    from tinytown_workers.run.networks import SandboxNetwork

#: How much of one output is kept: this much of its head, and of its end.
LOG_HEAD_BYTES = 8 << 20
LOG_TAIL_BYTES = 256 << 10
#: How much of each log is handed on as text.
TEXT_BYTES = 256 << 10
#: Log of what the first process of a run wrote.
OWN_LOG = "own.log"

Reason = Literal[
    "exited",
    "timed_out",
    "stalled",
    "stopped",
    "refused",
    "lost_guard",
    "repeating",
    "memory",
    "processes",
    "disk",
    "unstarted",
]


@dataclass(frozen=True)
class RunSpec:
    """One run of an agent. Durations are seconds."""

    #: Id of the attempt: the marker ``TINYTOWN_RUN`` of all its processes.
    id: str
    argv: Sequence[str]
    #: The whole environment of the agent, except the marker.
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
    #: That sandbox is a container: its first process passes on signals, and says which limit was reached.
    carried: bool = False
    #: By placeholder in ``argv``: the content of the open file whose number takes its place.
    files: Mapping[str, bytes] = field(default_factory=dict)
    #: Serves the network of that sandbox; ``None`` if it has none of its own.
    network: SandboxNetwork | None = None
    #: See ``quota``.
    limits: quota.Limits = field(default_factory=quota.Limits)
    #: To tell the output of its first process from that of others: called with that process's number and, unless it has
    #: ended already, when it began. Linux only; a wrapped one announces itself, see ``announced``.
    on_speaker: Callable[[int, int | None], None] | None = None
    log_bytes: int = LOG_HEAD_BYTES


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    ``exited``: by itself; ``timed_out``: wall clock; ``stalled``: silence; ``stopped``: on demand;
    ``refused``: the lease was refused or ran out; ``lost_guard``: its guard died, and it with it; ``repeating``: it
    said nothing more but that its model does not answer; ``memory``, ``processes``, ``disk``: it reached that limit;
    ``unstarted``: its container did not start, and ``stderr`` says why.
    """

    reason: Reason
    #: Exit code, or the negative number of the signal that ended it; ``None`` when nobody could tell.
    exit_code: int | None
    #: Head and tail of the logs, decoded leniently.
    stdout: str = ""
    stderr: str = ""
    duration: float = 0.0
    output_bytes: int = 0
    #: The part of ``stdout`` that its first process wrote itself; ``None`` if nobody could tell.
    own: str | None = None


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
