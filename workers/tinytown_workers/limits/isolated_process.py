"""The process whose forks carry out isolated calls; started by ``isolated``, as ``python -m … FD FOLDER``.

It has one thread, so that a fork is safe, and the modules of earlier calls, so that it is quick. It ends by itself when
it had nothing to do for a while, or when its worker is gone: then all that it runs ends too.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import logging
import os
import pickle
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tinytown import log
from tinytown.errors import TinytownError
from tinytown_workers.limits.isolated import BEGUN, END_MARK, ENDED, MEMORY_LIMIT, OUT_OF_MEMORY, PROCESSOR_LIMIT

logger = logging.getLogger(__name__)

#: Seconds without a call after which it ends.
LINGER = 60.0
#: Seconds that killed processes may take to be gone.
_KILL_SECS = 5.0
#: Badness of a child: when memory runs out, the kernel takes it and not the worker.
OOM_SCORE = "800"
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class Server:
    """Forks a child for each job, and says how it ended on the job's own socket."""

    def __init__(self, control: socket.socket, scratch: Path) -> None:
        self._control = control
        #: The socket of each child, by its pid, and its job's number.
        self._children: dict[int, tuple[socket.socket, int]] = {}
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        #: Temporary files of the children, a folder each.
        self._scratch = scratch

    def serve(self) -> None:
        """Until the worker is gone, or has wanted nothing for long."""
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._woken, select.POLLIN)
        while ready := poller.poll(None if self._children else LINGER * 1000):
            self._reap()
            if any(descriptor == self._control.fileno() for descriptor, _ in ready) and not self._obey():
                break
        self._end()

    def _obey(self) -> bool:
        """Take one order; ``False`` at the end of all."""
        message, handed, _, _ = socket.recv_fds(self._control, 4096, 1)
        if not message:
            return False
        words = json.loads(message)
        if "kill" in words:
            for pid, (_, job) in self._children.items():
                if job == words["kill"]:
                    os.kill(pid, signal.SIGKILL)
            return True
        with socket.socket(fileno=handed[0]) as sock:
            try:
                self._begin(words["job"], words["module"], sock)
            except Exception:
                # E.g. no process is to be had, or the code is just being replaced: the other jobs go on.
                logger.exception("job %s does not begin", words["job"])
                with contextlib.suppress(OSError):
                    sock.sendall(ENDED.pack(END_MARK, 1))
        return True

    def _begin(self, job: int, module: str, sock: socket.socket) -> None:
        importlib.import_module(module)
        # A collection in a child would copy all that is loaded.
        gc.collect()
        gc.freeze()
        kept, server = sock.dup(), os.getpid()
        try:
            pid = os.fork()
        except OSError:
            kept.close()
            raise
        if pid == 0:
            kept.close()
            self._become_child(sock, server)
        self._children[pid] = (kept, job)

    def _become_child(self, sock: socket.socket, server: int) -> None:
        """Never comes back."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            for other, _ in self._children.values():
                other.close()
            _limit()
            scratch = self._scratch_of(os.getpid())
            scratch.mkdir(mode=0o700, parents=True)  # Whoever clears old files away may have taken the folder above.
            tempfile.tempdir = os.environ["TMPDIR"] = str(scratch)
            # Who died before that was to be told of it is nobody's parent any more.
            code = _carry_out(sock) if os.getppid() == server else 1
        except MemoryError:
            code = OUT_OF_MEMORY
        except Exception:
            logger.exception("a job ended without an answer")
        finally:
            os._exit(code)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 4096)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self._children:
                    self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, code: int) -> None:
        sock, _ = self._children.pop(pid)
        if code != 0:
            self._end_orphans()
        shutil.rmtree(self._scratch_of(pid), ignore_errors=True)
        with sock, contextlib.suppress(OSError):
            sock.sendall(ENDED.pack(END_MARK, code))

    def _scratch_of(self, pid: int) -> Path:
        return self._scratch / str(pid)

    def _end_orphans(self) -> None:
        """End what a dead child had started: it is ours now, and none of the children we know."""
        deadline = time.monotonic() + _KILL_SECS
        while time.monotonic() < deadline:
            orphans = [one.pid for one in psutil.Process().children() if one.pid not in self._children]
            if not orphans:
                return
            for pid in orphans:
                with contextlib.suppress(OSError):
                    # Each program of ours leads a group.
                    os.killpg(os.getpgid(pid), signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _end(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in list(self._children):
            os.waitpid(pid, 0)
            self._children.pop(pid)[0].close()
        self._end_orphans()
        shutil.rmtree(self._scratch, ignore_errors=True)


def _limit() -> None:
    """Bound this process: what it may use, and that it ends with the one that it is a fork of."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(OOM_SCORE, encoding="ascii")
    for kind, wanted in ((resource.RLIMIT_DATA, MEMORY_LIMIT), (resource.RLIMIT_CPU, PROCESSOR_LIMIT)):
        soft, hard = resource.getrlimit(kind)
        if soft == resource.RLIM_INFINITY or soft > wanted:
            resource.setrlimit(kind, (wanted, hard))


def _carry_out(sock: socket.socket) -> int:
    """Do the job, and answer; gives the exit code."""
    sock.sendall(BEGUN)
    with sock.makefile("rb") as stream:
        function, args, kwargs = pickle.load(stream)  # noqa: S301 - written by our worker
    try:
        answer = (True, function(*args, **kwargs))
    except MemoryError:
        raise
    except Exception as error:
        if not isinstance(error, TinytownError | OSError):
            logger.exception("%s", function.__name__)
        answer = (False, error)
    sock.sendall(pickle.dumps(answer))
    return 0


def main() -> None:
    """The process."""
    log.to_stderr()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _prctl is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    Server(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2])).serve()


if __name__ == "__main__":
    main()
