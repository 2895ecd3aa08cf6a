"""A real terminal in which a test types."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.acceptance.project import TT
from tests.waiting import wait_until

#: The terminal becomes that of the session, so that what is typed to interrupt reaches all in it.
_OWN = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"


class Terminal:
    """A real terminal of 80 by 24 with ``tt`` in it; ``within`` is a program that runs it, if there is one."""

    def __init__(self, root: Path, *words: str, within: Sequence[str] = ()) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")} | {
            "TERM": "xterm-256color"
        }
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", _OWN, *within, str(TT), *words],
            cwd=root,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env,
            start_new_session=True,
        )
        os.close(slave)
        os.set_blocking(self._master, False)
        self.said = ""

    def read(self) -> str:
        """All that was said so far."""
        try:
            while data := os.read(self._master, 65536):
                self.said += data.decode(errors="replace")
        except (BlockingIOError, OSError):
            pass
        return self.said

    def type(self, text: str) -> None:
        """As at the keyboard."""
        os.write(self._master, text.encode())

    def modes(self) -> list[Any]:
        """How the terminal is set."""
        return termios.tcgetattr(self._master)

    def wait_for(self, words: str) -> None:
        wait_until(lambda: words in self.read(), timeout=60, description=f"the terminal shows {words!r}")

    def end(self, *, close: bool = True) -> int:
        """Its exit code."""

        def ended() -> bool:
            self.read()
            return self.process.poll() is not None

        wait_until(ended, timeout=60, description="it ends by itself")
        self.read()
        if close:
            self.close()
        return self.process.returncode

    def hang_up(self) -> None:
        """Whoever sat at it has gone, and all that was in it with them."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.close()

    def close(self) -> None:
        """Nobody sits at it any more."""
        os.close(self._master)
