"""How the first process of a run in a sandbox makes itself known to the guard, which did not start it directly.

The programs that it starts later have the same user, and the kernel lets them write into its memory by
``/proc/PID/mem``, which no filter of system calls can tell from any other file. So before it begins, it gives up
writing to anything in ``/proc`` for good, for itself and its children (Landlock, since Linux 5.19). If the kernel
cannot do that, it goes on without.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tinytown_workers.sandbox import landlock

#: Exit codes of a shell for a program that is missing and for one that cannot be run.
NOT_FOUND, NOT_EXECUTABLE = 127, 126
#: Landlock: its system calls, the same on every architecture, and the rights that are given up except where they are
#: granted. The right to move files between folders must be among them, or nobody could use it any more.
_ADD, _RESTRICT = 445, 446
_WRITE, _MOVE = 1 << 1, 1 << 13
_GIVE_UP = f"""
def give_up():
    import ctypes, struct
    call = ctypes.CDLL(None).syscall
    if call({landlock.CREATE}, None, ctypes.c_size_t(0), 1) < {landlock.VERSION} or os.access("/", os.W_OK):
        return
    rules = call({landlock.CREATE}, struct.pack("=Q", {_WRITE | _MOVE}), ctypes.c_size_t(8), 0)
    for name in os.listdir("/"):
        if rules >= 0 and name != "proc":
            try:
                at = os.open(f"/{{name}}", os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            rights = {_WRITE | _MOVE} if os.path.isdir(f"/{{name}}") else {_WRITE}
            call({_ADD}, rules, 1, struct.pack("=Qi", rights, at), 0)
            os.close(at)
    if rules >= 0:
        call({_RESTRICT}, rules, 0)
        os.close(rules)
"""
#: Its exit codes are those of a shell. Signals that Python ignores must not be inherited as ignored.
_ANNOUNCE = f"""
import os, signal, sys
{_GIVE_UP}
try:
    give_up()
except (ImportError, OSError):
    pass
os.write(1, b"\\0")
for number in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(number, signal.SIG_DFL)
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as error:
    print(f"cannot start {{sys.argv[1]}}: {{error.strerror}}", file=sys.stderr)
    sys.exit({NOT_FOUND} if isinstance(error, (FileNotFoundError, NotADirectoryError)) else {NOT_EXECUTABLE})
"""


def announced(argv: Sequence[str]) -> list[str]:
    """``argv`` as a wrapped run with ``on_speaker`` starts it: the process that announces itself then becomes it."""
    return [sys.executable, "-I", "-S", "-c", _ANNOUNCE, *argv]
