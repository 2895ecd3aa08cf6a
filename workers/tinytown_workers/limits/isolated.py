"""A call in a process of its own, which may use only so much, and may die without harm to the worker.

What reads the files of agents can be made to need any amount of memory or time, by a few bytes of theirs. Such a call
runs in a child that the kernel limits and takes first when memory runs out; its death is an error of the call. The
child is a fork of a process that has the code loaded already (see ``isolated_process``), so it costs milliseconds.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pickle
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from tinytown.errors import StateError
from tinytown.host import process_specs
from tinytown.processes import ProgramTimeoutError

P = ParamSpec("P")
R = TypeVar("R")

#: Bytes of memory, and seconds of a processor, that one call may use beside the programs that it runs. A repository of
#: a million files needs a quarter of it.
MEMORY_LIMIT = 2 * 1024 * 1024 * 1024
PROCESSOR_LIMIT = 900
#: Seconds beyond its own deadline after which a call is ended from outside.
GRACE = 10.0
#: Seconds that the process may take to end after it was let go.
_CLOSE_SECS = 10.0
#: What a child writes once it has begun: from then on its call is not tried in another one.
BEGUN = b"+"
#: What follows on all that it said, from the process that it is a fork of: a mark, and its exit code.
ENDED, END_MARK = struct.Struct("!4si"), b"end:"
#: The exit code of a child that was refused memory.
OUT_OF_MEMORY = 77


class LimitReachedError(StateError):
    """It needed more than it may use: with the same files it would do so again."""


class DiedError(StateError):
    """The process of the call ended in its midst."""


def call(timeout: float, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What ``function``, of a module of ours, gives or raises; arguments, result and errors are pickled.

    Args:
        timeout: Seconds that it gives itself; it is ended a while after that.

    Raises:
        LimitReachedError: it used up its memory or its processor time.
        ProgramTimeoutError: it did not end in time.
        DiedError: its process died of something else.
    """
    order = pickle.dumps((function, args, kwargs))
    for _ in range(2):
        server, job = _server(), next(_jobs)
        answer = _ask(server, job, function.__module__, order, timeout + GRACE)
        if answer.startswith(BEGUN):
            return cast(R, _outcome(function.__name__, answer))
        if not answer:
            # It ended just now, e.g. because it had had nothing to do for a while.
            _discard(server)
    raise DiedError("the process that reads what agents left does not start", remedy="see the worker's log")


def close() -> None:
    """End the process, and all calls with it; the next call starts another one."""
    with _lock:
        while _current:
            _current.pop().close()


# -- inside ----------------------------------------------------------------------------------------


class _Server:
    """The worker's end of an ``isolated_process``."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        #: For temporary files: a process that is killed removes none of its own, so whoever is left removes them.
        self._scratch = tempfile.mkdtemp(prefix="tt-calls-")
        # The supervisor takes a leader of a session that bears the name of a process of the town for that process.
        env = {name: value for name, value in os.environ.items() if name != process_specs.ENV_PROCESS}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", f"{__package__}.isolated_process", str(theirs.fileno()), self._scratch],
                pass_fds=(theirs.fileno(),),
                env=env,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )

    def send(self, handed: int | None = None, **words: object) -> None:
        """Tell it something, which may be lost if it ends at this moment."""
        with contextlib.suppress(OSError):
            socket.send_fds(self._control, [json.dumps(words).encode()], [handed] if handed is not None else [])

    def close(self) -> None:
        self._control.close()
        try:
            self._process.wait(_CLOSE_SECS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)


_lock = threading.Lock()
#: The one server of this process, if there is one.
_current: list[_Server] = []
_jobs = itertools.count(1)


def _server() -> _Server:
    with _lock:
        if not _current:
            _current.append(_Server())
        return _current[0]


def _discard(server: _Server) -> None:
    with _lock:
        if server in _current:
            _current.remove(server)
            server.close()


def _ask(server: _Server, job: int, module: str, order: bytes, seconds: float) -> bytes:
    """All that is answered; less than ``BEGUN`` if nobody was there to begin."""
    deadline = time.monotonic() + seconds
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            server.send(theirs.fileno(), job=job, module=module)
        parts = []
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                ours.settimeout(seconds)
                ours.sendall(order)
                ours.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while part := _receive(ours, deadline):
                    parts.append(part)
        except TimeoutError:
            if parts:
                server.send(kill=job)
            else:
                # It is deaf, e.g. suspended: no call that it has would ever end.
                _discard(server)
            raise ProgramTimeoutError(f"what the agent left was not read within {seconds:g} s") from None
    return b"".join(parts)


def _receive(ours: socket.socket, deadline: float) -> bytes:
    ours.settimeout(max(0.001, deadline - time.monotonic()))
    return ours.recv(1 << 20)


def _outcome(name: str, answer: bytes) -> object:
    said, status = answer[len(BEGUN) : -ENDED.size], answer[-ENDED.size :]
    mark, code = ENDED.unpack(status) if len(answer) > ENDED.size else (b"", 0)
    if mark != END_MARK:
        raise DiedError(f"the process that should {name} what the agent left is gone", remedy="see the worker's log")
    if code == 0:
        good, value = pickle.loads(said)  # noqa: S301 - written by a fork of ours
        if good:
            return value
        raise value
    if code == -signal.SIGXCPU:
        raise LimitReachedError(f"it needed more than {PROCESSOR_LIMIT} s of a processor")
    if code == OUT_OF_MEMORY:
        raise LimitReachedError(f"it needed more than {MEMORY_LIMIT >> 20} MB of memory")
    ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    raise DiedError(f"the process that should {name} what the agent left {ended}", remedy="see the worker's log")
