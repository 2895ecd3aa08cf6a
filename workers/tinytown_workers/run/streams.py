"""The outputs of an agent as its guard takes them: written to logs, and if wanted with who wrote what.

Part of the guard, so only the standard library is used; see ``guard``.
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
#: Bytes of one read, and the size asked for the pipe, so that a chatty agent rarely has to wait.
READ_BYTES = 1 << 20
#: The kernel's record of the writer: process, user, group.
CREDENTIALS = struct.Struct("3i")
SCM_CREDENTIALS = 2
F_SETPIPE_SZ = 1031


class Log:
    """What is kept of an output: its head, its tail and a line for what lies between."""

    def __init__(self, path: str, cap: int, tail: int) -> None:
        # Always a new file: an agent without a sandbox could have put a pipe there that nobody reads.
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
        """Complete the log."""
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
        """The ends to read from and to write to."""
        reader, writer = os.pipe()
        widen(reader)
        return reader, writer

    def receive(self) -> bytes:
        return os.read(self.pipe, READ_BYTES)

    def read(self) -> int:
        """Read what is there; gives how many bytes, 0 at the end or if nothing is there."""
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
        """Read the rest, as nobody writes any more, and complete the log."""
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
                # What follows that byte may come from another process already.
                data, writer = (data[1:], writer) if len(data) > 1 else self._piece()
        # Once the first process has ended, its number can belong to another one.
        if data and writer is not None and writer == self.speaker and born(writer) in (self.born, None):
            self.own.take(data)
        return data

    def _piece(self) -> tuple[bytes, int | None]:
        """One piece of output, and the process that wrote it."""
        # Without room for descriptors, so that the kernel closes those that an agent sends.
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
        # If the user's allowance is used up, it keeps the usual size, which also works.
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, F_SETPIPE_SZ, READ_BYTES)


def born(pid: int) -> int | None:
    """When a process began, in ticks since the machine started; ``None`` if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return int(stat.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
