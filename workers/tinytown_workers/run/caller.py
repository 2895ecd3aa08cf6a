"""Whether a process that speaks to an agent socket is the agent's CLI itself, or a program that it started.

The kernel says which process connected (``SO_PEERCRED``), and ``/proc`` whose child it is. Only the first process of
the run counts as the CLI, and ``tt`` as its direct child: what a shell, ``make`` or a test starts is a child of these,
a process whose parent has ended belongs to nobody, and a direct child that runs code of the change is another program.
macOS tells none of this, so there every process of the run passes.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from tinytown_workers.run import environment

#: Seconds that a request waits until it is known which process is the first one.
PATIENCE = 10.0

#: Options that the first line of a script may give to Python; none of them makes it run something else.
_OPTION = re.compile(r"-[EIPsSuB]+")
_CREDENTIALS = struct.Struct("3i")
#: Since Linux 6.5: a descriptor of the very process that connected, not of a later one with its number.
_SO_PEERPIDFD = 77


@dataclass(frozen=True)
class Peer:
    """A process as it was when it connected."""

    pid: int
    parent: int
    #: When it began, in ticks since the machine started.
    born: int
    #: It is the command ``tt``.
    is_tt: bool = True


class Speaker:
    """The first process of one run."""

    def __init__(self, *, alone: bool = False) -> None:
        """``alone``: none of its children speaks for it."""
        self._alone = alone
        self._known = threading.Event()
        self._pid = 0
        self._born: int | None = None

    def is_now(self, pid: int, born: int | None) -> None:
        """Note which process it is; without ``born`` it has ended already."""
        self._pid, self._born = pid, born
        self._known.set()

    def owns(self, peer: Peer | None) -> bool:
        """Whether ``peer`` is it, or the ``tt`` that it called."""
        if sys.platform != "linux":
            return True
        if peer is None or not self._known.wait(PATIENCE) or self._born is None:
            return False
        if peer.pid == self._pid:
            return peer.born == self._born
        if self._alone or not peer.is_tt:
            return False
        # A parent is older than its child: so one that got the number of an ended process is not taken for it.
        return peer.parent == self._pid and (_stat(self._pid) or (0, -1))[1] == self._born <= peer.born


def peer_of(connection: socket.socket) -> Peer | None:
    """The process that connected; ``None`` if nobody can tell, or it has ended."""
    if sys.platform != "linux":
        return None
    pid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[0]
    found = _stat(pid) if pid else None
    if found is None or not _still_lives(connection):
        return None
    return Peer(pid, *found, is_tt=_is_tt(pid))


def _is_tt(pid: int) -> bool:
    """Whether a process is our Python with our ``tt``; one that cannot be looked at is not."""
    tt, about = environment.installed("tt"), Path(f"/proc/{pid}")
    try:
        _, *words = os.fsdecode((about / "cmdline").read_bytes()).split("\0")
        script = words[1] if _OPTION.fullmatch(words[0]) else words[0]
        # Compared as files, not by name: a change may hold a file of any name.
        return (
            tt is not None
            and script.startswith("/")
            and tt.samefile(f"{about}/root{script}")
            and Path(sys.executable).samefile(about / "exe")
        )
    except (OSError, IndexError):
        return False


def _still_lives(connection: socket.socket) -> bool:
    """Whether the process that connected has not ended; with an older kernel it is assumed."""
    try:
        descriptor = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError:
        return True
    try:
        lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return not any(line.split() == ["Pid:", "-1"] for line in lines)


def _stat(pid: int) -> tuple[int, int] | None:
    """Parent of a process, and when it began."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return int(fields[1]), int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
