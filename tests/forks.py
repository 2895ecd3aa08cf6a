"""Starts a town's own processes as forks of a process that has loaded their programs, without Python's imports.

A town has a supervisor, a clock, two workers and one more for each agent; each of them is quick, but loading Celery,
pydantic and redis takes a second of processor time, and the tests start some thousands of them. A fork is a process
with a pid, a session, streams, an environment (also in ``/proc``) and an exit code of its own, as if it had been
executed. Where it could be told from that, the program is executed.

A worker has threads by the time that it starts the process of its isolated calls, and could not be forked any more. So
one that serves agents keeps a fork of itself, from before it had them, which becomes that process.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click

from tinytown import contract, processes, stamp

#: The programs, by the name after ``python -m``: the module whose ``main`` they are.
PROGRAMS = {
    "tinytown.host.supervisor": "tinytown.host.supervisor",
    "tinytown_beat": "tinytown_beat.__main__",
    "tinytown_workers": "tinytown_workers.__main__",
}
#: What they load besides as they start, or with their first work.
_LOADED = (
    "celery.apps.beat", "celery.apps.worker", "celery.beat",
    "celery.worker.autoscale", "celery.worker.components", "celery.worker.consumer", "celery.worker.loops",
    "concurrent.futures.thread", "kombu.transport.redis", "tinytown.forge.local.forge", "tinytown_beat.duties",
    "tinytown_workers.limits.isolated_process", "tinytown_workers.pipeline", "tinytown_workers.pool",
)  # fmt: skip
#: Variables that Python reads as it starts: with other ones a fork would be another program.
AT_START = ("PYTHON", "LC_", "LANG")

_execute = processes._spawn
_environ: dict[str, str] = {}


def begin() -> None:
    """From now on this process, and whatever it forks, starts the programs of ``PROGRAMS`` as forks."""
    contract.forget_foreign(os.environ)
    for name in (*PROGRAMS.values(), *_LOADED):
        importlib.import_module(name)
    _environ.update(contract.for_processes(os.environ))
    processes._spawn = _spawn  # type: ignore[assignment]


def _starts_alike(env: Mapping[str, str]) -> bool:
    """Whether Python would start in this environment as it did here; here it has a safe path anyway."""
    names = {name for name in (*env, *_environ) if name.startswith(AT_START)} - {"PYTHONSAFEPATH"}
    return all(env.get(name) == _environ.get(name) for name in names)


class Child:
    """What is asked of a ``subprocess.Popen``."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # whoever ignores its children's ends never learns their codes
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired([], timeout)
            time.sleep(0.01)
        return code

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _spawn(
    argv: Sequence[str],
    *,
    cwd: Path | str,
    env: Mapping[str, str],
    stdout: int,
    kind: Any = subprocess.Popen,
    **rest: Any,
) -> Any:
    program = PROGRAMS.get(argv[2]) if list(argv[:2]) == [sys.executable, "-m"] and len(argv) > 2 else None
    detached = kind is processes._Detached and stdout >= 0 and Path(cwd).is_dir()
    same = program and detached and _is_alone() and _starts_alike(env) and not stamp.replaced()
    if not (same and _fits(argv, env)):
        return _execute(argv, cwd=cwd, env=env, stdout=stdout, kind=kind, **rest)
    pid = os.fork()
    if pid == 0:
        be(program, argv, str(cwd), env, stdout)
    return Child(pid)


def _is_alone() -> bool:
    """Whether this process has a single thread, so that no lock can be held in the fork for ever."""
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208
    except OSError:
        return False


def be(program: str, argv: Sequence[str], cwd: str, env: Mapping[str, str], output: int) -> None:
    """Be this program to its end."""
    code: object = 1
    try:
        # What is thrown away from now on would close descriptors that others have by then.
        gc.disable()
        gc.freeze()
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.chdir(cwd)
        _forget()
        os.environ.clear()
        os.environ.update(env)
        _show(argv, env)
        sys.argv = [str(sys.modules[program].__file__), *argv[3:]]
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, errors="backslashreplace", buffering=1)  # noqa: SIM115
        if list(argv[2:4]) == ["tinytown_workers", "--role"]:
            _keep_spare()
        gc.enable()
        code = sys.modules[program].main()
    except SystemExit as error:
        code = error.code
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def _keep_spare() -> None:
    """Have a fork wait that becomes the process of this worker's isolated calls; the first of them."""
    from tinytown_workers.limits import isolated

    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        _be_isolated(theirs)
    theirs.close()
    spare = [ours]

    def start(argv: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int], **rest: Any) -> Any:
        if spare and _starts_alike(env) and not stamp.replaced():
            order = json.dumps([list(argv), dict(env)]).encode()
            with spare.pop() as peer, contextlib.suppress(OSError):
                socket.send_fds(peer, [order], list(pass_fds))
                return Child(pid)
        return subprocess.Popen(argv, env=env, pass_fds=pass_fds, **rest)

    names = {name: getattr(subprocess, name) for name in ("DEVNULL", "TimeoutExpired")}
    isolated.subprocess = SimpleNamespace(Popen=start, **names)  # type: ignore[assignment]


def _be_isolated(peer: socket.socket) -> None:
    """Wait for the order to be that process, and be it to its end; without an order end when the worker does."""
    from tinytown_workers.limits import isolated_process

    code = 1
    try:
        order, handed, _, _ = socket.recv_fds(peer, 1 << 18, 1)
        peer.close()
        if not order:
            os._exit(0)
        argv, env = json.loads(order)
        os.setsid()
        for number in (0, 1):
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        os.chdir("/")
        os.environ.clear()
        os.environ.update(env)
        _show(argv, env)
        sys.argv = [str(isolated_process.__file__), str(handed[0]), argv[-1]]
        isolated_process.main()
        code = 0
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(code)


def _forget() -> None:
    """What a program does not have as it starts: handlers of signals and of log lines, a command, children."""
    for number in signal.valid_signals():
        with contextlib.suppress(OSError, ValueError):
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    root = logging.getLogger()
    root.handlers.clear()
    root.setLevel(logging.WARNING)
    click.globals._local.__dict__.clear()
    processes._children.clear()


# -- what others see -----------------------------------------------------------------------------------------------


def _areas() -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the kernel looks for this process's command line and environment: from, to."""
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    places = [int(field) for field in fields[45:49]]
    return (places[0], places[1]), (places[2], places[3])


def _blocks(argv: Sequence[str], env: Mapping[str, str]) -> tuple[bytes, bytes]:
    words, variables = list(argv), [f"{name}={value}" for name, value in env.items()]
    return tuple(b"".join(os.fsencode(text) + b"\0" for text in texts) for texts in (words, variables))  # type: ignore[return-value]


def _fits(argv: Sequence[str], env: Mapping[str, str]) -> bool:
    sizes = [end - begin for begin, end in _areas()]
    return all(len(block) <= size for block, size in zip(_blocks(argv, env), sizes, strict=True))


def _show(argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Let ``/proc`` show this command line and environment."""
    for (begin, end), block in zip(_areas(), _blocks(argv, env), strict=True):
        ctypes.memset(begin, 0, end - begin)
        ctypes.memmove(begin, block, len(block))
