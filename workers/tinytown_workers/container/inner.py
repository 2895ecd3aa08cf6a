"""The first process of a container: it starts the program, and is the last to go.

Run as ``python -I -S inner.py SOCKET``, inside, by whatever Python is there: the standard library alone. It takes one
order from the ``carrier`` by that socket, a line of JSON with the run's open files, and then its words, one a line::

    carrier to inner    {"argv": […], "env": {…}, "cwd": …, "filter": base 64, "ports": […], "open_files": [soft, hard],
                         "file_bytes": number | null, "watched": […]}                    with stdin, stdout and stderr
                        term | stop | go
    inner to carrier    {"ports": "ok" or what is wrong}                                 with the listeners
                        {"did": "stopped"}
                        {"exit": code, "limit": name of the limit that was reached | null}

The program's output goes to the run's own files, not through the container engine, so that the kernel still says of
each piece which process wrote it. When the socket closes, this ends, and the kernel ends everything else inside.
"""

# ruff: noqa: PTH123, PTH208
from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from typing import Any

#: Seconds between two looks at limits.
PAUSE = 0.5
#: Seconds in which everything inside must stand still.
STANDSTILL_SECS = 5.0
#: Exit codes of a shell for a program that is missing and for one that cannot be run.
NOT_FOUND, NOT_EXECUTABLE = 127, 126
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER, _DUMPABLE = 38, 22, 2, 4
_ORDER_BYTES = 64 << 20
#: By limit: the files in which a control group counts how often it was reached, v2's and v1's, and the count's name.
_COUNTS = {
    "memory": (("memory.events", "memory/memory.oom_control"), "oom_kill"),
    "processes": (("pids.events", "pids/pids.events"), "max"),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Inside:
    """The container as its first process sees it."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.words = b""
        self.main = 0
        self.watched: list[str] = []
        self.stopped: list[int] = []

    def serve(self) -> None:
        """From the order to the end of the program."""
        order, files = self.order()
        self.watched = order["watched"]
        if not self.open_ports(order["ports"]):
            return
        confine(order)
        reader, writer = os.pipe()
        for end in (reader, writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.main = start(order, files)
        for file in files:
            os.close(file)
        while True:
            waits: list[socket.socket | int] = [self.control, reader]
            ready, _, _ = select.select(waits, [], [], PAUSE if self.watched else None)
            if self.control in ready and not self.hear():
                return
            if reader in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(reader, 4096)
            code = self.reap()
            limit = self.exceeded()
            if code is not None or limit:
                everybody(signal.SIGKILL)
                self.say({"exit": 128 + signal.SIGKILL if code is None else code, "limit": limit})
                return

    def order(self) -> tuple[dict[str, Any], list[int]]:
        """What to run, and its stdin, stdout and stderr."""
        files: list[int] = []
        while b"\n" not in self.words:
            data, given, _, _ = socket.recv_fds(self.control, 1 << 20, 3)
            files += given
            if not data or len(self.words) > _ORDER_BYTES:
                raise SystemExit("the run was given up before it began")
            self.words += data
        line, _, self.words = self.words.partition(b"\n")
        order: dict[str, Any] = json.loads(line)
        return order, files

    def open_ports(self, ports: list[int]) -> bool:
        """Make the listeners through which the worker serves this network, and hand them over."""
        if not ports:
            return True
        # Beside this file; nothing else is imported that is not the standard library's.
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
        from netns import listen  # type: ignore[import-not-found, unused-ignore]

        try:
            made = [listener for port in ports for listener in listen(port)]
        except OSError as error:
            self.say({"ports": str(error)})
            return False
        told = json.dumps({"ports": "ok"}).encode() + b"\n"
        socket.send_fds(self.control, [told], [listener.fileno() for listener in made])
        for listener in made:
            listener.close()
        return True

    def say(self, words: dict[str, object]) -> None:
        with contextlib.suppress(OSError):
            self.control.sendall(json.dumps(words).encode() + b"\n")

    def hear(self) -> bool:
        """Obey the carrier; whether it is still there."""
        try:
            data = self.control.recv(4096)
        except OSError:
            data = b""
        *lines, self.words = (self.words + data).split(b"\n")
        for line in lines:
            if line == b"term":
                everybody(signal.SIGTERM)
                everybody(signal.SIGCONT)
            elif line == b"stop":
                self.stop()
                self.say({"did": "stopped"})
            elif line == b"go":
                for pid in reversed(self.stopped):
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGCONT)
                self.stopped.clear()
        return bool(data)

    def stop(self) -> None:
        """Bring everybody to a standstill; what the program itself had stopped before is left out."""
        until = time.monotonic() + STANDSTILL_SECS
        seen: set[int] = set()
        while time.monotonic() < until:
            found = {pid: state(pid) for pid in others()}
            new = [pid for pid in found if pid not in seen]
            seen.update(new)
            for pid in new:
                if found[pid] not in "TtZX":
                    self.stopped.append(pid)
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGSTOP)
            if not new and all(letter in "TtZX" for letter in found.values()):
                return
            time.sleep(0.001)

    def reap(self) -> int | None:
        """Take leave of the dead; gives the program's exit code once it is among them."""
        code = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return code
            if not pid:
                return code
            if pid == self.main:
                ended = os.waitstatus_to_exitcode(status)
                code = ended if ended >= 0 else 128 - ended

    def exceeded(self) -> str | None:
        """Which watched limit was reached."""
        for name in self.watched:
            files, count = _COUNTS[name]
            for file in files:
                with contextlib.suppress(OSError, ValueError), open(f"/sys/fs/cgroup/{file}") as events:
                    rows = (row.split() for row in events)
                    if any(row[0] == count and int(row[1]) > 0 for row in rows):
                        return name
        return None


def confine(order: dict[str, Any]) -> None:
    """Give up for good what nobody inside needs, for this process and all that it starts."""
    limits = [(resource.RLIMIT_CORE, (0, 0))]
    if order["file_bytes"] is not None:
        limits.append((resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2))
    if order["open_files"]:
        limits.append((resource.RLIMIT_NOFILE, tuple(order["open_files"])))
    for kind, wanted in limits:
        most = resource.getrlimit(kind)[1]
        soft, hard = (one if most == resource.RLIM_INFINITY else min(one, most) for one in wanted)
        resource.setrlimit(kind, (soft, hard))
    call = ctypes.CDLL(None, use_errno=True).prctl
    # Nobody writes into the memory of this process.
    call(_DUMPABLE, 0, 0, 0, 0)
    rules = base64.b64decode(order["filter"])
    if call(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise SystemExit("programs cannot be kept from getting more rights here")
    if rules:
        held = ctypes.create_string_buffer(rules, len(rules))
        program = _Program(len(rules) // 8, ctypes.cast(held, ctypes.c_void_p))
        if call(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0):
            raise SystemExit(f"system calls cannot be filtered here: {os.strerror(ctypes.get_errno())}")


def start(order: dict[str, Any], files: list[int]) -> int:
    """Start the program, in a session of its own; gives its process id."""
    main = os.fork()
    if main:
        return main
    code = NOT_EXECUTABLE
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        for place, file in enumerate(files):
            os.dup2(file, place)
        os.closerange(3, 4096)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
            # Python ignores some of them, and the program would, too.
            signal.signal(number, signal.SIG_DFL)
        os.chdir(order["cwd"])
        os.execvpe(order["argv"][0], order["argv"], order["env"])  # noqa: S606 - the purpose of this process
    except OSError as error:
        code = NOT_FOUND if isinstance(error, (FileNotFoundError, NotADirectoryError)) else NOT_EXECUTABLE
        with contextlib.suppress(OSError):
            os.write(2, f"cannot start {order['argv'][0]}: {error.strerror}\n".encode())
    finally:
        os._exit(code)


def everybody(number: int) -> None:
    """Send a signal to all others inside."""
    with contextlib.suppress(OSError):
        os.kill(-1, number)


def others() -> list[int]:
    """All others inside."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def state(pid: int) -> str:
    """The letter for what a process does; ``X`` where there is none."""
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as stat:
        return stat.read().rpartition(b")")[2].split(None, 1)[0].decode()
    return "X"


def main() -> None:
    control = socket.socket(socket.AF_UNIX)
    try:
        control.connect(sys.argv[1])
    except OSError:
        raise SystemExit("the run was given up before it began") from None
    Inside(control).serve()


if __name__ == "__main__":
    main()
