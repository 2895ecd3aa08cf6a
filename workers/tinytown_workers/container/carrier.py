"""Starts the container of one run, and stands for it: it lives as long as that, and ends as that ends.

The guard starts it as it starts any sandbox (``python -I -S carrier.py ORDER [CHANNEL] [TOLD]``), with the run's
environment and files. ``ORDER`` is the number of an open file that holds, as JSON::

    {"start": [argv of the container engine], "env": {environment of the engine},
     "folder": where the socket for ``inner`` is made, "argv": […], "cwd": …, "filter": base 64, "open_files": […],
     "ports": [ports to try; those of ``CHANNEL`` come instead], "watched": [limits that the container keeps]}

``CHANNEL`` is ``NUMBER:PORT,PORT…``: the socket over which listeners inside go to the worker. ``TOLD`` is the number of
a pipe for the name of the limit that was reached, or for ``UNSTARTED``, which nobody inside can say. Nothing secret is
on a command line or in the container's record: the program's environment and its files go to ``inner`` by the socket.

``&carrier`` in the engine's words becomes this process's number and birth. SIGTERM is carried to everybody inside; at
SIGUSR1 all inside stand still, and then this does; at SIGCONT they go on. When this is killed, ``inner`` sees its
socket close, and the kernel ends the container.
"""

# ruff: noqa: PTH101, PTH108, PTH123
from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any

#: What marks the processes of a run, for those who look for them.
MARKS = ("TINYTOWN_RUN", "TINYTOWN_TOWN")
#: What ``inner`` is told at a signal.
WORDS = {signal.SIGTERM.value: b"term", signal.SIGUSR1.value: b"stop", signal.SIGCONT.value: b"go"}
#: Name of the socket in the run's folder.
SOCKET = "control"
#: What is told where the program never began.
UNSTARTED = "unstarted"
#: Exit code for a container that could not be started, as container engines have it.
NOT_STARTED = 125
#: Seconds that the engine may take to clear up when everything inside has ended.
PATIENCE = 20.0
_DEATH_SIGNAL, _SUBREAPER = 1, 36


class Carrier:
    """One container, from its start to its end."""

    def __init__(self, order: Mapping[str, Any], channel: str, told: int) -> None:
        self.order = order
        self.channel, _, ports = channel.partition(":")
        self.ports = [int(port) for port in ports.split(",") if port] or order["ports"]
        self.told = told
        self.control: socket.socket | None = None
        self.words = b""
        #: The program's exit code, once it is known.
        self.code: int | None = None
        self.stand_still = False
        self.pending: list[bytes] = []

    def run(self) -> int:
        """Gives the exit code of the program."""
        reader, writer = os.pipe()
        for end in (reader, writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in WORDS:
            signal.signal(number, lambda told, _: self.pending.append(WORDS[told]))
        listener = self.listen()
        with tempfile.TemporaryFile() as said:
            try:
                engine = self.start(said)
            except OSError as error:
                return self.not_started(f"{self.order['start'][0]} cannot be started: {error.strerror}")
            while self.code is None and engine.poll() is None:
                waits: list[socket.socket | int] = [reader, self.control or listener]
                ready, _, _ = select.select(waits, [], [], 1.0)
                if reader in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(reader, 4096)
                if self.control is None and listener in ready:
                    self.hand_over(listener.accept()[0])
                    listener.close()
                    os.unlink(f"{self.order['folder']}/{SOCKET}")
                elif self.control in ready and not self.hear():
                    break
                self.carry()
            # Its last word may have come with its end.
            while self.control is not None and self.code is None and self.hear():
                pass
            return self.leave(engine, said)

    def start(self, said: Any) -> subprocess.Popen[bytes]:
        """Start the container engine, whose complaints go into the file ``said``."""
        return subprocess.Popen(
            [word.replace("&carrier", f"{os.getpid()}:{born(os.getpid())}") for word in self.order["start"]],
            env={**self.order["env"], **{name: os.environ[name] for name in MARKS if name in os.environ}},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd="/",
        )

    def listen(self) -> socket.socket:
        """The socket that waits for ``inner``, by a short name: a path to a socket has a limit."""
        listener = socket.socket(socket.AF_UNIX)
        os.chdir(self.order["folder"])
        listener.bind(SOCKET)
        # Another user may be inside; outside, nobody else comes to this folder.
        os.chmod(SOCKET, 0o666)  # noqa: S103
        listener.listen(1)
        return listener

    def hand_over(self, control: socket.socket) -> None:
        """Give ``inner`` its order, with the files of the run, which are then its alone."""
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        order = {
            **{name: self.order[name] for name in ("argv", "cwd", "filter", "open_files", "watched")},
            "env": given(),
            "ports": self.ports,
            "file_bytes": None if limit == resource.RLIM_INFINITY else limit,
        }
        line = json.dumps(order).encode() + b"\n"
        with contextlib.suppress(OSError):  # It has ended, and says why itself.
            sent = socket.send_fds(control, [line], [0, 1, 2])
            control.sendall(line[sent:])
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.close(null)
        self.control = control

    def carry(self) -> None:
        """Pass on what was signalled, once there is somebody to hear it."""
        if self.control is not None:
            while self.pending:
                with contextlib.suppress(OSError):
                    self.control.sendall(self.pending.pop(0) + b"\n")

    def hear(self) -> bool:
        """Take what ``inner`` says; whether it is still there."""
        assert self.control is not None
        try:
            data, listeners, _, _ = socket.recv_fds(self.control, 1 << 16, 256)
        except OSError:
            return False
        *lines, self.words = (self.words + data).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "ports" in said:
                self.ports_are(said["ports"], listeners)
            elif "did" in said:
                os.kill(os.getpid(), signal.SIGSTOP)
            else:
                self.code = int(said["exit"])
                self.tell(str(said["limit"] or ""))
        for listener in listeners:
            os.close(listener)
        return bool(data)

    def ports_are(self, said: str, listeners: list[int]) -> None:
        """Pass the listeners on to the worker, or why there are none."""
        if said != "ok":
            self.code = self.not_started(f"the container has no network: {said}")
        if self.channel:
            with socket.socket(fileno=os.dup(int(self.channel))) as channel, contextlib.suppress(OSError):
                socket.send_fds(channel, [said.encode()[:1000]], listeners)

    def tell(self, word: str) -> None:
        """Tell the guard what nobody else knows."""
        if self.told >= 0:
            os.write(self.told, word.encode())

    def not_started(self, why: str) -> int:
        """Say why the program never began; gives the exit code for it."""
        self.tell(UNSTARTED)
        complain(why)
        return NOT_STARTED

    def leave(self, engine: subprocess.Popen[bytes], said: Any) -> int:
        """Wait until nothing of the container is left; gives the exit code."""
        if self.control is not None:
            self.control.close()
        until = time.monotonic() + PATIENCE
        try:
            ended = engine.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            engine.kill()
            ended = engine.wait()
        while time.monotonic() < until and children():
            time.sleep(0.005)
        if self.code is not None:
            return self.code
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
        if ended in (NOT_STARTED, 126, 127) or self.control is None or (ended == 1 and lines):
            return self.not_started(f"the container did not start: {lines[-1] if lines else f'exit code {ended}'}")
        return ended if ended > 0 else 128 + signal.SIGKILL


def given() -> dict[str, str]:
    """The environment that this was started with, to which Python may have added something."""
    with open("/proc/self/environ", "rb") as environ:
        entries = (os.fsdecode(entry).partition("=") for entry in environ.read().split(b"\0") if entry)
        return {name: text for name, _, text in entries}


def born(pid: int) -> str:
    """When a process began, in ticks since the machine started; empty if there is none."""
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as stat:
        return stat.read().rpartition(b")")[2].split()[19].decode()
    return ""


def children() -> bool:
    """Whether any process is left below this one; takes leave of the dead."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


def complain(text: str) -> None:
    """Say it where the run's errors go."""
    with contextlib.suppress(OSError):
        os.write(2, f"tinytown: {text}\n".encode("utf-8", "replace"))


def main() -> int:
    parent = os.getppid()
    prctl = ctypes.CDLL(None).prctl
    prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    # What the engine leaves behind to look after the container stays below this process.
    prctl(_SUBREAPER, 1, 0, 0, 0)
    if os.getppid() != parent:
        return NOT_STARTED
    with open(int(sys.argv[1]), "rb") as file:
        order = json.loads(file.read())
    channel = next((word for word in sys.argv[2:] if ":" in word), "")
    told = next((int(word) for word in sys.argv[2:] if word.isdigit()), -1)
    return Carrier(order, channel, told).run()


if __name__ == "__main__":
    sys.exit(main())
