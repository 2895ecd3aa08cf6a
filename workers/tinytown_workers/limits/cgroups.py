"""Limits of a run in a control group of its own, if it can have one; otherwise by looking at its processes.

Imported by the guard, which has nothing but the standard library, and by the worker.
"""

# ruff: noqa: PTH102, PTH106, PTH118, PTH120 - no pathlib, as in the guard
from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator

#: What is limited, by what the outcome is called.
MEMORY, PROCESSES = "memory", "processes"
#: Seconds between two looks.
PAUSE = 0.5
#: What the names of groups begin with; then comes the guard's process id.
PREFIX = "tinytown-"
_PAGE = os.sysconf("SC_PAGE_SIZE")
_numbers = itertools.count()
#: Groups that are no longer used.
_left: set[str] = set()


class Group:
    """The groups of one run, one for each controller; v2 has one for both."""

    def __init__(self, folders: dict[str, str], back: dict[str, str], *, unified: bool) -> None:
        self.folders = folders
        #: The group that the guard itself belongs to.
        self.back = back
        self.unified = unified
        self.usable = True

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Whatever is started within the block is in the group from its first instruction on."""
        try:
            try:
                for folder in set(self.folders.values()):
                    _write(folder, "cgroup.procs", str(os.getpid()))
            except OSError:
                self.usable = False
            yield
        finally:
            for folder in set(self.back.values()):
                with contextlib.suppress(OSError):
                    _write(folder, "cgroup.procs", str(os.getpid()))

    def exceeded(self) -> str | None:
        """Which limit was reached; ``None`` for none."""
        events = "memory.events" if self.unified else "memory.oom_control"
        if _counted(self.folders.get(MEMORY), events, "oom_kill"):
            return MEMORY
        return PROCESSES if _counted(self.folders.get(PROCESSES), "pids.events", "max") else None

    def pids(self) -> set[int]:
        """The processes in the group, even those that left the tree of the run."""
        found: set[int] = set()
        for folder in set(self.folders.values()):
            with contextlib.suppress(OSError, ValueError):
                found |= {int(line) for line in _read(os.path.join(folder, "cgroup.procs")).split()}
        return found - {0, os.getpid()}

    def kill(self) -> None:
        """End everything in the group at once, if the kernel can."""
        for folder in set(self.folders.values()):
            with contextlib.suppress(OSError):
                _write(folder, "cgroup.kill", "1")

    def close(self) -> None:
        """Give up the group, once no process is in it."""
        _left.update(self.folders.values())
        sweep()


def sweep() -> None:
    """Remove the groups that are no longer used; the kernel may take a moment to release one."""
    for folder in list(_left):
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            pass
        except OSError:
            continue
        _left.discard(folder)


def sweep_orphans() -> None:
    """Remove the groups of guards that were killed; a group with a process in it stays."""
    for folder, _, _ in parents().values():
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):  # noqa: PTH208 - as above
                owner = name.removeprefix(PREFIX).partition("-")[0]
                if name.startswith(PREFIX) and not os.path.exists(f"/proc/{owner}"):  # noqa: PTH110 - as above
                    with contextlib.suppress(OSError):
                        os.rmdir(os.path.join(folder, name))


def make(memory: int, processes: int) -> Group | None:
    """A group with these limits (0: no limit); ``None`` if this process may not make one that keeps them all."""
    found = parents()
    wanted = {MEMORY: memory, PROCESSES: processes}
    if not any(wanted.values()) or any(limit and name not in found for name, limit in wanted.items()):
        return None
    unified = any(one[2] for one in found.values())
    name = f"{PREFIX}{os.getpid()}-{next(_numbers)}"
    group = Group({}, {kind: found[kind][1] for kind, limit in wanted.items() if limit}, unified=unified)
    try:
        for kind, limit in wanted.items():
            if limit:
                folder = os.path.join(found[kind][0], name)
                if folder not in group.folders.values():
                    _make(folder)
                group.folders[kind] = folder
                _limit(folder, kind, limit, unified=unified)
    except OSError:
        group.close()
        return None
    return group


def _make(folder: str) -> None:
    """A new group; one that an earlier guard with the same process id left has counts of another run."""
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(folder)
    os.mkdir(folder)


def _limit(folder: str, kind: str, limit: int, *, unified: bool) -> None:
    if kind == PROCESSES:
        _write(folder, "pids.max", str(limit))
        return
    _write(folder, "memory.max" if unified else "memory.limit_in_bytes", str(limit))
    # No swap on top of the memory, if swap is counted.
    with contextlib.suppress(OSError):
        _write(folder, "memory.swap.max", "0") if unified else _write(folder, "memory.memsw.limit_in_bytes", str(limit))


def parents() -> dict[str, tuple[str, str, bool]]:
    """For each limit a folder in which this process may make a group, where it is itself, and whether that is v2."""
    found: dict[str, tuple[str, str, bool]] = {}
    with contextlib.suppress(OSError):
        mounts = dict(_mounts())
        for line in _read("/proc/self/cgroup").splitlines():
            _, names, path = line.split(":", 2)
            for kind, controller in ((MEMORY, "memory"), (PROCESSES, "pids")):
                mounted = mounts.get(controller if controller in names.split(",") else "" if not names else "-")
                if mounted is None or kind in found:
                    continue
                own = _inside(*mounted, path)
                parent = _roomy(own, mounted[0]) if not names else own if _ours(own) else None
                if parent is not None:
                    found[kind] = (parent, own, not names)
    return found


def _mounts() -> Iterator[tuple[str, tuple[str, str]]]:
    """Where the controllers are mounted, each with what of their tree is; v2 has no name."""
    for line in _read("/proc/self/mountinfo").splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        root, point = fields.split()[3:5]
        if kind == "cgroup2":
            yield "", (point, root)
        elif kind == "cgroup":
            yield from ((option, (point, root)) for option in options.split(",") if option in ("memory", "pids"))


def _inside(point: str, root: str, path: str) -> str:
    inner = path[len(root) :] if root != "/" and path.startswith(root) else path
    return os.path.join(point, inner.lstrip("/")).rstrip("/")


def _roomy(own: str, point: str) -> str | None:
    """With v2: this group, or the one around it, whichever hands down both controllers."""
    for folder in (own, os.path.dirname(own)):
        if not folder.startswith(point.rstrip("/")) or not _ours(folder):
            continue
        if folder == own == point.rstrip("/"):
            # Only the root group may have processes beside groups.
            with contextlib.suppress(OSError):
                _write(folder, "cgroup.subtree_control", "+memory +pids")
        with contextlib.suppress(OSError):
            if {"memory", "pids"} <= set(_read(os.path.join(folder, "cgroup.subtree_control")).split()):
                return folder
    return None


def _ours(folder: str) -> bool:
    return os.access(folder, os.W_OK) and os.access(os.path.join(folder, "cgroup.procs"), os.W_OK)


def _counted(folder: str | None, file: str, name: str) -> bool:
    if folder is not None:
        with contextlib.suppress(OSError, ValueError):
            rows = (line.split() for line in _read(os.path.join(folder, file)).splitlines())
            return any(row[0] == name and int(row[1]) > 0 for row in rows)
    return False


# Not by file objects: a dozen of these files are on the way of every start, and that takes three times as long.


def _read(path: str) -> str:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = b""
        while more := os.read(file, 1 << 16):
            content += more
    finally:
        os.close(file)
    return content.decode("utf-8", "surrogateescape")


def _write(folder: str, name: str, text: str) -> None:
    file = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


# -- without one -----------------------------------------------------------------------------------


def seen(pids: Iterable[int], memory: int, processes: int) -> str | None:
    """Which of the limits these processes are over, together; 0 is none. Threads count as processes."""
    tasks = resident = 0
    pids = list(pids)
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            tasks += int(fields[17])
            resident += int(fields[21]) * _PAGE
    if processes and tasks >= processes:
        return PROCESSES
    # Shared pages count once, if the kernel tells.
    if memory and resident > memory and sum(map(_proportional, pids)) > memory:
        return MEMORY
    return None


def _proportional(pid: int) -> int:
    """Bytes of memory of a process, with its share of shared pages."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(_read(f"/proc/{pid}/statm").split()[1]) * _PAGE
    return 0


def tasks_of(uid: int) -> int:
    """How many threads a user has."""
    count = 0
    for name in os.listdir("/proc"):  # noqa: PTH208 - as above
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                if os.stat(f"/proc/{name}").st_uid == uid:  # noqa: PTH116 - as above
                    count += int(_read(f"/proc/{name}/stat").rpartition(")")[2].split()[17])
    return count
