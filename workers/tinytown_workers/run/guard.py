"""The guard: a small process that starts agents, drains their output and ends their whole trees.

A worker starts one guard and keeps it. The guard uses nothing but the standard library and is never imported by the
worker, only run by a bare Python (see ``runner``) with two arguments, its end of a socket and the largest file that an
agent may write, because it has to outlive it: when the worker's end of the socket closes, every agent dies. It is the
subreaper of what it starts (Linux), so a process cannot leave its tree by a double fork or a session of its own.

One JSON object a line, worker to guard::

    {"do": "spawn", "id": …, "argv": […], "env": {…}, "cwd": …, "stdin": path | null, "stdout": path,
     "stderr": path, "own": path | null, "cap": bytes, "tail": bytes, "lease": secs, "grace": secs, "wrapped": bool,
     "carried": bool,
     "files": {word of argv in the place of which the number of an open file is to be: its content in base 64},
     "limits": {"memory": bytes, "processes": number of threads, "open_files": number}, "ports": […]}
                              0 is no limit; with ports, the socket over which they are handed comes with the line
    {"do": "extend", "id": …, "secs": …}      the lease was renewed; without it the tree is killed
    {"do": "kill", "id": …, "grace": secs}    SIGTERM, after ``grace`` SIGKILL; 0 is SIGKILL at once
    {"do": "suspend", "id": …}                bring the whole tree to a standstill (SIGSTOP); its lease runs on
    {"do": "continue", "id": …}               let it go on
    {"do": "idle", "id": …}                   ask for the time since the last output, without the time it stood still

What is ``carried`` runs in a container, see ``container.carrier``: its first process passes on signals, gets the socket
for ports in place of ``&channel`` in its argv, and in place of ``&told`` a pipe for the limit that was reached.

With ``own``, stdout is a socket: nobody can open it a second time through ``/proc``, and the kernel says of each piece
which process wrote it. What the agent's first process wrote goes there too. Inside a sandbox that is not the one that
is started, so there it makes itself known: a zero byte begins its output.

guard to worker::

    {"did": "speaks", "id": …, "pid": …, "born": ticks | null}      the first process, of a run with ``own``
    {"did": "started", "id": …, "pid": …}
    {"did": "failed", "id": …, "errno": …, "what": …}
    {"did": "suspended", "id": …}
    {"did": "continued", "id": …}
    {"did": "idle", "id": …, "secs": …}
    {"did": "exited", "id": …, "code": exit code or negative signal, "leased": bool, "bytes": …,
     "limit": name of the limit that was reached | null}              "unstarted" for a container that did not begin

``exited`` is said when the whole tree is gone and the logs are complete, not before.
"""

# No pathlib: its import would take a quarter of the time this has to begin.
# ruff: noqa: PTH123, PTH208
from __future__ import annotations

import binascii
import contextlib
import ctypes
import errno
import fcntl
import json
import math
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from tinytown_workers.limits import cgroups
from tinytown_workers.network import netns
from tinytown_workers.run.standstill import Standstill, send
from tinytown_workers.run.streams import LINUX, Signed, Stream

#: The variable whose value marks the processes of a run; ``contract.ENV_RUN``, which cannot be imported here.
MARKER = "TINYTOWN_RUN"
#: Grace for what an agent left behind when it ended by itself, and for agents whose worker is gone or silent.
LEFTOVER_GRACE = 0.5
#: After a read of this size the stream rests, so that a flood costs the agent its speed and not our processor.
FLOOD_BYTES = 64 << 10
FLOOD_REST = 0.02
#: Badness of agents: when memory runs out, the kernel takes them and not the worker.
OOM_SCORE = "500"
#: Most sockets that come with one reading of the worker's orders.
HANDED = 64
#: No agent inherits them.
CLOSED_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)

#: Words that are replaced in the command of what is carried.
CHANNEL, TOLD = "&channel", "&told"
PR_SET_CHILD_SUBREAPER = 36

_prctl = ctypes.CDLL(None, use_errno=True).prctl if LINUX else None


class Run:
    """One agent and its tree."""

    def __init__(
        self,
        order: dict[str, Any],
        process: subprocess.Popen[bytes],
        streams: list[Stream],
        group: cgroups.Group | None,
        told: int | None,
    ) -> None:
        self.id: str = order["id"]
        self.process = process
        self.pid = process.pid
        self.streams = streams
        self.grace: float = order["grace"]
        self.wrapped: bool = order["wrapped"]
        self.carried: bool = order["carried"]
        #: Where its carrier says which limit was reached.
        self.told = told
        self.lease_until = time.monotonic() + order["lease"]
        self.leased = True
        self.code: int | None = None
        #: When SIGKILL begins; ``None`` while it may live.
        self.kill_at: float | None = None
        self.termed = False
        self.look_at = 0.0
        self.pause = 0.001
        #: The control group that keeps its limits, where there is one; else they are watched.
        self.group = group
        self.memory: int = order["limits"]["memory"]
        self.processes: int = order["limits"]["processes"]
        self.watch_at = time.monotonic() + cgroups.PAUSE if self.memory or self.processes else math.inf
        #: The limit that it reached.
        self.limit: str | None = None
        #: Its processes seen so far: without a subreaper, orphans of the tree leave it.
        self.seen: set[int] = set()
        self.standstill = Standstill(signal.SIGUSR1 if self.carried else signal.SIGSTOP)

    def end(self, grace: float) -> None:
        """Let the tree end; a second call can only hasten it."""
        at = time.monotonic() + grace if grace else 0.0
        self.kill_at = at if self.kill_at is None else min(self.kill_at, at)
        self.look_at = 0.0

    def wait(self) -> float:
        """Pause before the next look at a tree that is ending; of a grandchild's death nobody tells us."""
        self.pause = min(self.pause * 2, 0.05)
        return self.pause


class Guard:
    """The loop over the worker's socket, the agents' outputs, their deaths and their deadlines."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.inbox = bytearray()
        #: Sockets that came with orders which are not carried out yet.
        self.handed: list[int] = []
        self.runs: dict[str, Run] = {}
        self.selector = selectors.DefaultSelector()
        self.worker = True
        reader, writer = socket.socketpair()
        for end in (reader, writer):
            end.setblocking(False)
        self.wakeup = reader
        self._writer = writer
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for unheeded in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            # It ends when its worker does. Not SIG_IGN, which the agents would inherit.
            signal.signal(unheeded, lambda *_: None)
        self.selector.register(sock, selectors.EVENT_READ, self.hear)
        self.selector.register(reader, selectors.EVENT_READ, self.wake)

    def serve(self) -> None:
        """Until the worker is gone and nothing is left."""
        if LINUX:
            cgroups.sweep_orphans()
        while self.worker or self.runs:
            for key, _ in self.selector.select(self.timeout()):
                key.data()
            self.reap()
            now = time.monotonic()
            for run in list(self.runs.values()):
                self.step(run, now)
        cgroups.sweep()

    def timeout(self) -> float | None:
        now = time.monotonic()
        times = [
            min(run.lease_until, run.watch_at, run.standstill.look_at) if run.kill_at is None else run.look_at
            for run in self.runs.values()
        ]
        times += [s.rest_until for run in self.runs.values() for s in run.streams if s.rest_until]
        return max(0.0, min(times) - now) if times else None

    # -- the worker ------------------------------------------------------------------------------

    def hear(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self.sock, 1 << 20, HANDED, CLOSED_ON_EXEC)
        except OSError:
            data, descriptors = b"", []
        self.handed += descriptors
        if not data:
            self.selector.unregister(self.sock)
            self.worker_is_gone()
            return
        self.inbox += data
        *lines, rest = self.inbox.split(b"\n")
        self.inbox = bytearray(rest)
        for line in lines:
            order = json.loads(line)
            if order["do"] == "spawn":
                self.spawn(order)
            elif run := self.runs.get(order["id"]):
                self.obey(run, order)

    def obey(self, run: Run, order: dict[str, Any]) -> None:
        now = time.monotonic()
        if order["do"] == "extend":
            run.lease_until = now + order["secs"]
        elif order["do"] == "kill":
            run.end(order["grace"])
        elif order["do"] == "suspend":
            run.standstill.begin()
        elif order["do"] == "continue":
            stood = run.standstill.end(self.standing(run))
            for stream in run.streams:
                stream.last += min(stood, now - stream.last)
            self.say(did="continued", id=run.id)
        elif order["do"] == "idle":
            self.say(did="idle", id=run.id, secs=now - max(stream.last for stream in run.streams))

    def worker_is_gone(self) -> None:
        self.worker = False
        for run in self.runs.values():
            run.end(min(run.grace, LEFTOVER_GRACE))

    def say(self, **words: object) -> None:
        # If the worker is gone, reading the socket says so too.
        with contextlib.suppress(OSError):
            self.sock.sendall(json.dumps(words).encode() + b"\n")

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.wakeup.recv(4096):
                pass

    # -- an agent's life -------------------------------------------------------------------------

    def spawn(self, order: dict[str, Any]) -> None:
        streams: list[Stream] = []
        channel = self.handed.pop(0) if order["ports"] else None
        group, told = None, os.pipe() if order["carried"] else (None, None)
        limits = order["cap"], order["tail"]
        try:
            group = group_of(order)
            if LINUX and order["own"]:
                streams.append(Signed(order["stdout"], order["own"], *limits, announced=order["wrapped"]))
            else:
                streams.append(Stream(order["stdout"], *limits))
            streams.append(Stream(order["stderr"], *limits))
            ends = [s.write_end for s in streams]
            process = start(order, *ends, channel=channel, group=group, told=told[1])
        except OSError as error:
            for stream in streams:
                stream.close()
            if group is not None:
                group.close()
            shut(told[0])
            self.say(did="failed", id=order["id"], errno=error.errno, what=f"{error.strerror}: {error.filename}")
            return
        finally:
            shut(channel, told[1], *(stream.write_end for stream in streams))
        if group is not None and not group.usable:
            group.close()
            group = None
        run = Run(order, process, streams, group, told[0])
        self.runs[run.id] = run
        self.say(did="started", id=run.id, pid=run.pid)
        for stream in streams:
            self.listen(stream)
            if isinstance(stream, Signed):
                stream.tell = self.teller(run, stream)
                if not run.wrapped:
                    stream.is_now(run.pid)

    def teller(self, run: Run, stream: Signed) -> Callable[[], None]:
        return lambda: self.say(did="speaks", id=run.id, pid=stream.speaker, born=stream.born)

    def listen(self, stream: Stream) -> None:
        stream.rest_until = 0.0
        self.selector.register(stream.pipe, selectors.EVENT_READ, self.drainer(stream))

    def drainer(self, stream: Stream) -> Callable[[], None]:
        def drain() -> None:
            taken = stream.read()
            if not stream.open:
                self.selector.unregister(stream.pipe)
            elif taken >= FLOOD_BYTES:
                self.selector.unregister(stream.pipe)
                stream.rest_until = time.monotonic() + FLOOD_REST

        return drain

    def reap(self) -> None:
        mains = {run.pid: run for run in self.runs.values()}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for ending in self.runs.values():
                ending.look_at = 0.0
            if run := mains.get(pid):
                # Told to the object as well, or it would look for the process itself.
                run.code = run.process.returncode = os.waitstatus_to_exitcode(status)
                run.end(min(run.grace, LEFTOVER_GRACE))

    def step(self, run: Run, now: float) -> None:
        for stream in run.streams:
            if stream.rest_until and stream.rest_until <= now:
                self.listen(stream)
        if run.kill_at is None and run.lease_until <= now:
            run.leased = False
            run.end(min(run.grace, LEFTOVER_GRACE))
        if run.kill_at is None and run.watch_at <= now:
            self.watch(run, now)
        if run.kill_at is None and run.standstill.look_at <= now and run.standstill.step(self.standing(run)):
            self.say(did="suspended", id=run.id)
        if run.kill_at is not None and run.look_at <= now:
            self.clear(run, now, run.kill_at)

    def watch(self, run: Run, now: float) -> None:
        """End a run that has reached a limit."""
        if run.group is not None:
            run.limit = run.group.exceeded()
        elif LINUX:
            run.limit = cgroups.seen(self.tree(run), run.memory, run.processes)
        run.watch_at = now + cgroups.PAUSE
        if run.limit is not None:
            run.end(0)

    def clear(self, run: Run, now: float, kill_at: float) -> None:
        """One round of ending a tree; the last round finds nobody."""
        tree = self.tree(run)
        if not tree and run.code is not None:
            if LINUX and len(self.runs) == 1 and has_children():
                # Somebody hopped from fork to fork past our eyes: only the lack of any child is proof.
                run.look_at = now
                self.reap()
            else:
                self.finish(run)
        elif now < kill_at:
            if not run.termed:
                run.termed = True
                for pid in self.standing(run) if run.carried else tree:
                    # A sandbox's own process would take everybody down with it, without any grace.
                    if run.carried or not (run.wrapped and pid == run.pid):
                        send(pid, signal.SIGTERM)
                    send(pid, signal.SIGCONT)
            run.look_at = min(now + run.wait(), kill_at)
        else:
            for pid in tree:
                # Frozen first, so that nobody forks away while the others are killed.
                send(pid, signal.SIGSTOP)
            for pid in set(tree) | set(self.tree(run)):
                send(pid, signal.SIGKILL)
            run.look_at = time.monotonic() + run.wait()

    def finish(self, run: Run) -> None:
        del self.runs[run.id]
        if run.group is not None:
            if run.limit is None and run.code:
                # It ended of it before anybody looked.
                run.limit = run.group.exceeded()
            run.group.kill()
            run.group.close()
        if run.told is not None:
            with contextlib.suppress(BlockingIOError):
                os.set_blocking(run.told, False)
                run.limit = os.read(run.told, 64).decode() or run.limit
            os.close(run.told)
        for stream in run.streams:
            if stream.open and not stream.rest_until:
                self.selector.unregister(stream.pipe)
            stream.finish()
        total = sum(stream.log.bytes for stream in run.streams)
        self.say(did="exited", id=run.id, code=run.code, leased=run.leased, bytes=total, limit=run.limit)

    def standing(self, run: Run) -> list[int]:
        """The processes that are told to stand still: all, or the one that tells the others."""
        return self.tree(run) if not run.carried else [run.pid] if run.code is None else []

    def tree(self, run: Run) -> list[int]:
        """Living processes of this run: below its first process, or orphans that came to us; parents first.

        An orphan belongs to the run whose marker it bears; one that hid its environment belongs to the
        last run that is left.
        """
        if LINUX and run.code is not None and len(self.runs) == 1 and not has_children():
            return []
        parents = processes()
        children: dict[int, list[int]] = {}
        for pid, parent in parents.items():
            children.setdefault(parent, []).append(pid)
        others = {other.pid for other in self.runs.values() if other is not run}
        roots = [run.pid] if run.code is None and run.pid in parents else []
        if LINUX:
            orphans = [pid for pid in children.get(os.getpid(), ()) if pid not in others and pid != run.pid]
            roots += [pid for pid in orphans if not others or marker(pid) == run.id]
            roots += [pid for pid in (run.group.pids() if run.group is not None else ()) if pid in parents]
        else:
            roots += [pid for pid in run.seen if pid in parents and pid not in roots]
        mine: dict[int, None] = {}
        while roots:
            pid = roots.pop()
            if pid not in mine:
                mine[pid] = None
                roots += children.get(pid, ())
        if not LINUX:
            run.seen |= mine.keys()
        return list(mine)


# -- the system ----------------------------------------------------------------------------------


def start(
    order: dict[str, Any],
    out: int,
    err: int,
    *,
    channel: int | None = None,
    group: cgroups.Group | None = None,
    told: int | None = None,
) -> subprocess.Popen[bytes]:
    """Execute the program in a session of its own; raises ``OSError`` when it could not be started.

    With a ``channel`` it is a sandbox with a network of its own, which gets the order's ports.

    Nothing of ours runs between fork and exec, so that the fork can be a ``vfork``: a third of a millisecond
    instead of three. What limits the agent it inherits: setting it afterwards is a race with its first forks.
    """
    stdin = copy_of(order["stdin"]) if order["stdin"] else os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    argv, given = list(order["argv"]), []
    carried = [end for end in (channel, told) if end is not None] if order["carried"] else []
    held = netns.Held() if channel is not None and not carried else None
    try:
        for name, content in order["files"].items():
            given.append(read_from(binascii.a2b_base64(content)))
            argv[argv.index(name)] = str(given[-1])
        argv[1:1] = held.options if held is not None else []
        if carried:
            ports = ",".join(map(str, order["ports"]))
            words = {CHANNEL: f"{channel}:{ports}" if channel is not None else "", TOLD: str(told)}
            argv = [words.get(word, word) for word in argv]
        with sooner_out_of_memory(), limited(order, group), group.entered() if group else contextlib.nullcontext():
            process = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=out,
                stderr=err,
                cwd=order["cwd"],
                env=order["env"],
                start_new_session=True,
                pass_fds=[*given, *carried, *(held.inherited if held is not None else ())],
            )
        if held is not None and channel is not None:
            try:
                held.open_ports(process.pid, channel, order["ports"])
            except OSError:
                process.kill()
                process.wait()
                raise
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from None
    finally:
        for descriptor in (stdin, *given):
            os.close(descriptor)
        if held is not None:
            held.close()
    return process


def group_of(order: dict[str, Any]) -> cgroups.Group | None:
    """The control group of a run, where there can be one; a container has its own."""
    limits = order["limits"]
    return cgroups.make(limits["memory"], limits["processes"]) if LINUX and not order["carried"] else None


def shut(*ends: int | None) -> None:
    """Close those that are open."""
    for end in ends:
        if end is not None:
            os.close(end)


def copy_of(path: str) -> int:
    """An open file with what a record holds: whoever opens its standard input again must not reach the record."""
    content = bytearray()
    record = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        while more := os.read(record, 1 << 20):
            content += more
    finally:
        os.close(record)
    if LINUX:
        return read_from(content, sealed=True)
    import tempfile

    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return os.dup(file.fileno())


def read_from(content: bytes | bytearray, *, sealed: bool = False) -> int:
    """An open file that holds ``content`` and is nowhere on a disk."""
    descriptor = os.memfd_create("given", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
    if sealed:
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


@contextlib.contextmanager
def sooner_out_of_memory() -> Iterator[None]:
    """What is started meanwhile is what the kernel takes when memory runs out, and not the worker."""
    before = own_badness(OOM_SCORE)
    try:
        yield
    finally:
        if before is not None:
            own_badness(before)


@contextlib.contextmanager
def limited(order: dict[str, Any], group: cgroups.Group | None) -> Iterator[None]:
    """What is started meanwhile has these limits, unless a sandbox sets its own; without one it can undo them."""
    wanted: dict[int, int] = {}
    if not order["wrapped"]:
        if files := order["limits"]["open_files"]:
            wanted[resource.RLIMIT_NOFILE] = files
        processes = order["limits"]["processes"]
        if LINUX and processes and group is None:
            # The kernel counts all of the user's.
            wanted[resource.RLIMIT_NPROC] = cgroups.tasks_of(os.getuid()) + processes
    before = {kind: resource.getrlimit(kind) for kind in wanted}
    try:
        for kind, (soft, hard) in before.items():
            limits = [wanted[kind], *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
            resource.setrlimit(kind, (min(limits), hard))
        yield
    finally:
        for kind, limit in before.items():
            resource.setrlimit(kind, limit)


def own_badness(score: str) -> str | None:
    """Set it; gives what it was, or nothing where there is no such thing."""
    if LINUX:
        with contextlib.suppress(OSError):
            file = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
            try:
                before = os.read(file, 64).decode().strip()
                os.pwrite(file, score.encode(), 0)
            finally:
                os.close(file)
            return before
    return None


def has_children() -> bool:
    """Whether any process is left below us, zombies included."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def processes() -> dict[int, int]:
    """Parent of every process of the machine that is not a zombie."""
    if not LINUX:
        listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=False)
        rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
        return {int(row[0]): int(row[1]) for row in rows if len(row) == 3 and not row[2].startswith("Z")}
    parents = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:
                state, parent = stat.read().rpartition(b")")[2].split(None, 2)[:2]
        except (OSError, ValueError):
            continue
        if state not in (b"Z", b"X"):
            parents[int(name)] = int(parent)
    return parents


def marker(pid: int) -> str | None:
    """The run whose marker the process bears."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as environ:
        for entry in environ.read().split(b"\0"):
            if entry.startswith(MARKER.encode() + b"="):
                return os.fsdecode(entry.partition(b"=")[2])
    return None


def main() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Ours as well as the agents': no log of ours is as large.
    limit = int(sys.argv[2])
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if _prctl is not None:
        _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    Guard(socket.socket(fileno=int(sys.argv[1]))).serve()
