"""The filter of system calls: what no agent, setup or check needs, and what has broken kernels before.

Everything else is allowed. A refused call fails with an error that programs can handle, so that they take another way.
The filter is made by libseccomp once a process, and passed to bwrap as it is.
"""

from __future__ import annotations

import errno
import functools
import platform
import tempfile
from collections.abc import Iterator
from typing import Any

#: Refused with "operation not permitted".
FORBIDDEN = (
    # Mounts, and other roots.
    "mount", "umount", "umount2", "pivot_root", "move_mount", "open_tree", "open_tree_attr", "fsopen", "fsconfig",
    "fsmount", "fspick", "mount_setattr",
    # Other namespaces, and files by a number in place of a name.
    "setns", "open_by_handle_at",
    # Other processes' memory and descriptors.
    "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
    # The keyrings, which no namespace separates.
    "add_key", "keyctl", "request_key",
    # Programs in the kernel, and what looks into it.
    "bpf", "perf_event_open", "userfaultfd", "fanotify_init", "lookup_dcookie", "syslog",
    # The machine.
    "acct", "clock_settime", "delete_module", "finit_module", "init_module", "create_module", "ioperm", "iopl",
    "kexec_file_load", "kexec_load", "nfsservctl", "quotactl", "quotactl_fd", "reboot", "settimeofday", "stime",
    "swapoff", "swapon", "sysfs", "_sysctl", "uselib", "vhangup", "vm86", "vm86old", "modify_ldt",
)  # fmt: skip
#: Refused as if the kernel did not have them: programs then use the older call, whose arguments can be checked.
ABSENT = ("clone3", "io_uring_setup", "io_uring_enter", "io_uring_register")
#: Numbers, the same on every architecture, of calls that an older libseccomp does not know by name.
NUMBERS = {
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "clone3": 435,
    "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443, "open_tree_attr": 467,
}  # fmt: skip
#: Flags of ``clone`` and ``unshare`` that make namespaces: time, mounts, cgroup, names, ipc, user, processes, network.
NAMESPACES = (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
#: Architectures on which the flags are the second argument of ``clone``.
_FLAGS_SECOND = ("s390", "s390x")
#: Requests of ``ioctl`` that put words into a terminal: ``TIOCSTI``, ``TIOCLINUX``.
TERMINAL = (0x5412, 0x541C)
#: Families of sockets: those below this one that stay are unix (1), inet (2), inet6 (10) and netlink (16).
NETLINK = 16
FAMILIES = (3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15)
#: Bits of ``personality`` that make all that is read executable, and the first page usable.
PERSONALITIES = (0x0400000, 0x0100000)
_WORD = 0xFFFFFFFF


@functools.cache
def program(*, ptrace: bool = False) -> bytes:
    """The filter as bwrap wants it; empty if there is no libseccomp, or it cannot make the filter.

    With ``ptrace`` programs may trace their own processes, as debuggers and leak sanitizers do.
    """
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError, AttributeError):
        return b""
    try:
        made = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
        # Another architecture: its calls have other numbers, which these rules do not cover.
        made.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
        for code, call, *arguments in _rules(pyseccomp, ptrace=ptrace):
            number = _number(pyseccomp, call)
            if number is not None:
                made.add_rule(pyseccomp.ERRNO(code), number, *arguments)
        with tempfile.TemporaryFile() as file:
            made.export_bpf(file)
            file.seek(0)
            return file.read()
    except (OSError, ValueError):
        return b""


def _rules(lib: Any, *, ptrace: bool) -> Iterator[tuple[Any, ...]]:
    """Error, name of the call, and conditions on its arguments if not every use is refused."""
    for call in (*FORBIDDEN, *(() if ptrace else ("ptrace",))):
        yield errno.EPERM, call
    for call in ABSENT:
        yield errno.ENOSYS, call
    flags = int(platform.machine() in _FLAGS_SECOND)
    for bit in NAMESPACES:
        # In ``clone`` the lowest of these bits is part of the signal's number.
        if bit > 0xFF:
            yield errno.EPERM, "clone", lib.Arg(flags, lib.MASKED_EQ, bit, bit)
        yield errno.EPERM, "unshare", lib.Arg(0, lib.MASKED_EQ, bit, bit)
    for request in TERMINAL:
        # The kernel only looks at the lower half.
        yield errno.EPERM, "ioctl", lib.Arg(1, lib.MASKED_EQ, _WORD, request)
    for family in FAMILIES:
        yield errno.EAFNOSUPPORT, "socket", lib.Arg(0, lib.MASKED_EQ, _WORD, family)
    yield errno.EAFNOSUPPORT, "socket", lib.Arg(0, lib.GT, NETLINK)
    # Of netlink only routes are allowed, by which programs ask for the machine's addresses.
    yield errno.EAFNOSUPPORT, "socket", lib.Arg(0, lib.EQ, NETLINK), lib.Arg(2, lib.NE, 0)
    yield from _personalities(lib)


def _personalities(lib: Any) -> Iterator[tuple[Any, ...]]:
    # All bits together only ask for the present value, so a bit counts if another one is missing.
    for bit in PERSONALITIES:
        for other in (1 << shift for shift in range(32)):
            if other != bit:
                yield errno.EPERM, "personality", lib.Arg(0, lib.MASKED_EQ, bit | other, bit)


def _number(lib: Any, call: str) -> int | None:
    """The call's number here; ``None`` where this architecture has no such call."""
    try:
        found = int(lib.resolve_syscall(lib.Arch.NATIVE, call))
    except ValueError:
        found = -1
    return found if found >= 0 else NUMBERS.get(call)
