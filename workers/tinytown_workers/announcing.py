"""How the first process of a run in a sandbox makes itself known to the guard, which did not start that one itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence

#: Exit codes of a shell for a program that is missing and for one that cannot be run.
NOT_FOUND, NOT_EXECUTABLE = 127, 126
#: Its exit codes are a shell's. What Python ignores is not to be inherited.
_ANNOUNCE = f"""
import os, signal, sys
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
    """``argv`` as a wrapped run with ``on_speaker`` starts it; it is the same process that goes on with it."""
    return [sys.executable, "-I", "-S", "-c", _ANNOUNCE, *argv]
