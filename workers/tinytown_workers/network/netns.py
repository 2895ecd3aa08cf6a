"""Ports that a worker serves inside the network of a sandbox, where nothing else leads out.

A socket belongs to the network namespace in which it was made, whoever holds it. So a process joins the namespaces of a
sandbox that just begins, makes listeners there, hands them over and ends; the sandbox's program waits meanwhile, and
nothing of ours stays inside.

The guard runs this, so it is like the guard: the standard library alone. Run as a program (``python -I -S netns.py
SANDBOX…``) it tells whether all of that works here: nothing, or what does not.
"""

# No pathlib: its import would take a quarter of the time the guard has to begin.
from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence

#: Connections that wait for the worker to take them.
BACKLOG = 128

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_NS_GET_USERNS = 0xB701
#: Bind although the interface is not up yet.
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78
_PATIENCE = 10.0


class Held:
    """A sandbox whose program waits until its ports are there."""

    def __init__(self) -> None:
        self._info, self._told = os.pipe()
        self._waits, self._hold = os.pipe()
        #: The first process inside.
        self._inner = 0

    @property
    def inherited(self) -> tuple[int, int]:
        """The descriptors that the sandbox needs."""
        return self._told, self._waits

    @property
    def options(self) -> list[str]:
        """The sandbox's options for them."""
        return ["--info-fd", str(self._told), "--block-fd", str(self._waits)]

    def open_ports(self, sandbox: int, channel: int, ports: Sequence[int]) -> int:
        """Begin to make the ports of the sandbox with this process id; gives the process that does it, and ends.

        It sends ``ok`` with the listeners on ``channel``, or why there are none; the sandbox is killed then.
        """
        helper = os.fork()
        if helper:
            return helper
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for end in self.inherited:
                os.close(end)
            self._serve(socket.socket(fileno=channel), ports)
            code = 0
        except BaseException as error:  # noqa: BLE001 - it is told, and the process ends here
            self._end(sandbox)
            with contextlib.suppress(OSError):
                os.write(channel, str(error).encode("utf-8", "replace")[:1000])
        finally:
            os._exit(code)

    def _end(self, sandbox: int) -> None:
        # Its program goes on as soon as our end of what it waits for is closed, so it must be gone before.
        with contextlib.suppress(OSError):
            gone = os.pidfd_open(sandbox)
            for pid in (self._inner, sandbox):
                if pid:
                    os.kill(pid, signal.SIGKILL)
            select.select([gone], [], [], _PATIENCE)

    def _serve(self, channel: socket.socket, ports: Sequence[int]) -> None:
        told = b""
        while b"}" not in told:
            data = os.read(self._info, 4096)
            if not data:
                return  # It did not begin, and says why itself.
            told += data
        self._inner = int(json.loads(told)["child-pid"])
        join(self._inner)
        made = [listener for port in ports for listener in listen(port)]
        socket.send_fds(channel, [b"ok"], [listener.fileno() for listener in made])
        os.write(self._hold, b"\n")

    def close(self) -> None:
        """Let go of the descriptors."""
        for descriptor in (self._info, self._told, self._waits, self._hold):
            os.close(descriptor)


def join(pid: int) -> None:
    """Go into the network namespace of a process, by way of the user namespace that owns it.

    Raises:
        OSError: this may not be done.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(namespace: int, kind: int, name: str) -> None:
        if libc.setns(namespace, kind):
            number = ctypes.get_errno()
            raise OSError(number, f"cannot join its {name} namespace: {os.strerror(number)}")

    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if os.fstat(network).st_ino == os.stat("/proc/self/ns/net").st_ino:  # noqa: PTH116
        raise OSError("it has no network of its own")
    owner = fcntl.ioctl(network, _NS_GET_USERNS)
    if os.fstat(owner).st_ino != os.stat("/proc/self/ns/user").st_ino:  # noqa: PTH116
        enter(owner, _CLONE_NEWUSER, "user")
    enter(network, _CLONE_NEWNET, "network")


def listen(port: int) -> list[socket.socket]:
    """Listeners on a port of the loopback interface, for as many kinds of addresses as there are.

    Raises:
        OSError: there is none at all.
    """
    four = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    four.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
    four.bind(("127.0.0.1", port))
    four.listen(BACKLOG)
    made = [four]
    with contextlib.suppress(OSError):
        six = socket.socket(socket.AF_INET6, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        six.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        six.bind(("::1", port))
        six.listen(BACKLOG)
        made.append(six)
    return made


def attempt(argv: Sequence[str]) -> str:
    """Why a sandbox started with ``argv`` gets no port; empty if it does."""
    held = Held()
    ours, theirs = socket.socketpair()
    ours.settimeout(_PATIENCE)
    for descriptor in held.inherited:
        os.set_inheritable(descriptor, True)
    process = subprocess.Popen(
        [argv[0], *held.options, *argv[1:]],
        # Also what else this process was given for the sandbox.
        close_fds=False,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    helper = held.open_ports(process.pid, theirs.fileno(), [1])
    held.close()
    theirs.close()
    try:
        told, listeners, _, _ = socket.recv_fds(ours, 1024, 4)
        for descriptor in listeners:
            os.close(descriptor)
        said = process.communicate(timeout=_PATIENCE)[1].strip().splitlines()
    except (OSError, subprocess.TimeoutExpired) as error:
        process.kill()
        process.wait()
        return str(error)
    finally:
        os.waitpid(helper, 0)
    if told == b"ok" and process.returncode == 0:
        return ""
    return told.removeprefix(b"ok").decode("utf-8", "replace") or (said[-1] if said else "the sandbox does not begin")


if __name__ == "__main__":
    sys.stdout.write(attempt(sys.argv[1:]))
