"""Lending the terminal to another program: it has it alone until it ends, and then it is as it was."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from tinytown.processes import start_attached

if TYPE_CHECKING:
    import subprocess

#: What the terminal itself sends to all programs in it: the program's alone.
_ITS_OWN = (signal.SIGINT, signal.SIGQUIT)
#: What somebody sends to this process: it is meant for the program too.
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP)
#: For a screen that a program was killed in: back to the normal one, with a cursor, without its mouse and its colours.
_CLEAN = b"\x1b7\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[0m"


def lend(argv: Sequence[str], *, cwd: Path | str, env: Mapping[str, str]) -> int:
    """Run a program with this process's own stdin, stdout and stderr until it ends.

    Gives its exit code; if a signal ended it, 128 and the number of that, as shells do. What is typed to interrupt
    reaches the program alone; SIGTERM and SIGHUP to this process are passed on.

    Raises:
        ProgramMissingError: it cannot be started.
    """
    with _terminal_kept() as terminal, _signals_kept() as running:
        process = start_attached(argv, cwd=cwd, env=env)
        running.begin(process)
        code = process.wait()
        if code < 0 and terminal is not None and os.environ.get("TERM") not in (None, "", "dumb"):
            with contextlib.suppress(OSError):
                os.write(terminal, _CLEAN)
    return code if code >= 0 else 128 - code


class _Running:
    """Passes signals on, also those that came before there was anybody to have them."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def begin(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def pass_on(self, number: int, _frame: FrameType | None) -> None:
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


@contextlib.contextmanager
def _signals_kept() -> Iterator[_Running]:
    """What is ignored stays ignored: ``nohup`` means the program as well."""
    running = _Running()
    before: dict[signal.Signals, Any] = {}
    # Not ``SIG_IGN``: the program would inherit that.
    wanted = {**dict.fromkeys(_ITS_OWN, _leave), **dict.fromkeys(_PASSED_ON, running.pass_on)}
    try:
        for number, handler in wanted.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
        yield running
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Nothing: the program has been told too."""


@contextlib.contextmanager
def _terminal_kept() -> Iterator[int | None]:
    """The terminal, if there is one; afterwards it has its modes again, and belongs to whom it belonged to."""
    terminal = next((number for number in (0, 1, 2) if os.isatty(number)), None)
    if terminal is None:
        yield None
        return
    modes, owner = _modes(terminal), _owner(terminal)
    try:
        yield terminal
    finally:
        # A program that took the terminal for a group of its own may have ended without giving it back, and whoever is
        # not in that group is stopped when it sets modes.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            if owner == os.getpgrp():
                os.tcsetpgrp(terminal, owner)
            if modes is not None and owner in (None, os.getpgrp()):
                termios.tcsetattr(terminal, termios.TCSANOW, modes)
        except (OSError, termios.error):
            pass  # It was closed.
        finally:
            signal.signal(signal.SIGTTOU, before)


def _modes(terminal: int) -> list[Any] | None:
    try:
        return termios.tcgetattr(terminal)
    except termios.error:
        return None


def _owner(terminal: int) -> int | None:
    """The group of processes that has the terminal; ``None`` if it is not the one that started this process."""
    try:
        return os.tcgetpgrp(terminal)
    except OSError:
        return None
