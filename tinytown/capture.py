"""Feed a program and read its output until it ends, its deadline passes, or it says more than anybody wants."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import sys
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

#: How long output is still read from a stream that a grandchild holds open after its program ended.
_DRAIN = 0.2


class Captured:
    """What was read of both streams, each up to ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.truncated = False

    def add(self, buffer: bytearray, chunk: bytes) -> None:
        room = self.limit - len(buffer)
        buffer += chunk[:room]
        self.truncated = self.truncated or len(chunk) > room


def pump(process: subprocess.Popen[bytes], data: bytes, captured: Captured, deadline: float, *, whole: bool) -> bool:
    """Feed and read the program until it ended (``True``), the deadline passed, or ``whole`` cannot be had."""
    quiet_since: float | None = None
    with selectors.DefaultSelector() as selector:
        _register(selector, process.stdout, captured.stdout)
        _register(selector, process.stderr, captured.stderr)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            now = time.monotonic()
            if now >= deadline or (whole and captured.truncated):
                return False
            events = selector.select(min(deadline - now, 0.1))
            for key, _ in events:
                if key.fileobj is process.stdin:
                    data = _feed(selector, process.stdin, data)
                else:
                    _read(selector, key, captured)
            if events or process.poll() is None:
                quiet_since = None
            elif quiet_since is None:
                quiet_since = now
            elif now - quiet_since > _DRAIN:
                break
    return wait_for(process, deadline - time.monotonic())


def _register(selector: selectors.BaseSelector, stream: IO[bytes] | None, buffer: bytearray) -> None:
    if stream is not None:
        selector.register(stream, selectors.EVENT_READ, buffer)


def _read(selector: selectors.BaseSelector, key: selectors.SelectorKey, captured: Captured) -> None:
    chunk = os.read(key.fd, 65536)
    if chunk:
        captured.add(key.data, chunk)
    else:
        selector.unregister(key.fileobj)


def _feed(selector: selectors.BaseSelector, stdin: IO[bytes], data: bytes) -> bytes:
    try:
        data = data[os.write(stdin.fileno(), data[:65536]) :] if data else b""
    except BrokenPipeError:
        data = b""
    except BlockingIOError:
        return data
    if not data:
        selector.unregister(stdin)
        stdin.close()
    return data


def wait_for(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait until a child has ended: where the kernel tells, without a pause."""
    deadline = time.monotonic() + seconds
    if sys.platform == "linux" and process.poll() is None:
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(process.pid)
            try:
                told = select.poll()
                told.register(descriptor, select.POLLIN)
                told.poll(max(0.0, seconds) * 1000)
            finally:
                os.close(descriptor)
    return wait_until(lambda: process.poll() is not None, deadline - time.monotonic())


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    pause = 0.001
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    return True
