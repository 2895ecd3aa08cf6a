"""The outputs of an agent as its guard takes them: drained into logs, and who wrote what, where that is asked.

The guard's, so the standard library only; see ``guard``.
"""

# ruff: noqa: PTH123
from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import sys
import time
from collections.abc import Callable

LINUX = sys.platform == "linux"
#: One read of a stream: also the size asked for its pipe, so that a chatty agent rarely waits.
READ_BYTES = 1 << 20
#: What the kernel says of who wrote: process, user, group.
CREDENTIALS = struct.Struct("3i")
SCM_CREDENTIALS = 2
F_SETPIPE_SZ = 1031


class Log:
    """What is kept of an output: its head, its tail and a line for what lies between."""

    def __init__(self, path: str, cap: int, tail: int) -> None:
        # Always a new file: what an agent without a sandbox put there before could be a pipe that nobody reads.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - see above
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self.cap = cap
        self.keep = tail
        self.bytes = 0
        self.tail = bytearray()

    def take(self, data: bytes) -> None:
        room = max(0, self.cap - self.bytes)
        self.bytes += len(data)
        if room:
            self._write(data[:room])
        if len(data) > room:
            self.tail += memoryview(data)[room:]
            if len(self.tail) > 2 * self.keep:
                del self.tail[: -self.keep]

    def finish(self) -> None:
        """Complete it."""
        if cut := max(0, self.bytes - self.cap - self.keep):
            self._write(b"\n[%d bytes left out]\n" % cut)
        self._write(self.tail[-self.keep :])
        self.close()

    def close(self) -> None:
        os.close(self.file)

    def _write(self, data: bytes | bytearray) -> None:
        # A full disk must not stop the draining, or the agent would hang.
        try:
            while data:
                data = data[os.write(self.file, data) :]
        except OSError:
            return


class Stream:
    """One output of an agent, drained into a log."""

    def __init__(self, path: str, cap: int, tail: int) -> None:
        self.log = Log(path, cap, tail)
        self.pipe, self.write_end = self.ends()
        self.last = time.monotonic()
        self.rest_until = 0.0
        self.open = True
        os.set_blocking(self.pipe, False)

    def ends(self) -> tuple[int, int]:
        """Where it is read and where it is written."""
        reader, writer = os.pipe()
        widen(reader)
        return reader, writer

    def receive(self) -> bytes:
        return os.read(self.pipe, READ_BYTES)

    def read(self) -> int:
        """Take what is there; 0 at the end or when nothing is there."""
        try:
            data = self.receive()
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if not data:
            self.open = False
            return 0
        self.last = time.monotonic()
        self.log.take(data)
        return len(data)

    def finish(self) -> None:
        """Nobody writes any more: take the rest of the pipe and complete the log."""
        left = 2 * READ_BYTES
        while self.open and left > 0:
            taken = self.read()
            left -= taken
            if not taken:
                break
        self.log.finish()
        os.close(self.pipe)

    def close(self) -> None:
        os.close(self.pipe)
        self.log.close()


class Signed(Stream):
    """Stdout of an agent whose own words are told from those of the programs that it starts."""

    def __init__(self, path: str, own: str, cap: int, tail: int, *, announced: bool) -> None:
        super().__init__(path, cap, tail)
        self.own = Log(own, cap, tail)
        #: A zero byte of the first process is still to come.
        self.announced = announced
        self.speaker: int | None = None
        self.born: int | None = None
        self.tell: Callable[[], None] = lambda: None

    def ends(self) -> tuple[int, int]:
        self.sock, writer = socket.socketpair()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, READ_BYTES)
        return self.sock.fileno(), writer.detach()

    def is_now(self, speaker: int) -> None:
        self.speaker, self.born = speaker, born(speaker)
        self.tell()

    def receive(self) -> bytes:
        data, writer = self._piece()
        if self.announced and data:
            self.announced = False
            if data.startswith(b"\0") and writer is not None:
                self.is_now(writer)
                # What follows the byte may be somebody else's already.
                data, writer = (data[1:], writer) if len(data) > 1 else self._piece()
        # A number can belong to another process once the first one has ended.
        if data and writer is not None and writer == self.speaker and born(writer) in (self.born, None):
            self.own.take(data)
        return data

    def _piece(self) -> tuple[bytes, int | None]:
        """What one process wrote, and which one that is."""
        # Without room for descriptors: those that an agent sends are closed by the kernel.
        data, extra, _, _ = self.sock.recvmsg(READ_BYTES, socket.CMSG_SPACE(CREDENTIALS.size))
        return data, next((CREDENTIALS.unpack(sent)[0] for _, kind, sent in extra if kind == SCM_CREDENTIALS), None)

    def finish(self) -> None:
        super().finish()
        self.own.finish()
        self.sock.detach()

    def close(self) -> None:
        super().close()
        self.own.close()
        self.sock.detach()


def widen(pipe: int) -> None:
    if LINUX:
        # Over the user's allowance it keeps the usual size, which works as well.
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, F_SETPIPE_SZ, READ_BYTES)


def born(pid: int) -> int | None:
    """When a process began, in ticks since the machine did; ``None`` if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return int(stat.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
