"""The rule by which an agent is ended that only repeats that its model does not answer.

Some CLIs try again without end, and print as they do so: neither silence nor the end of the run would ever show it.
What a line is, its driver knows; whatever it does not know is work. So a build that prints dots, or tests that fail by
the hundred, never count: they are no words of the CLI about its model. One that says that it now waits for longer than
a minute is ended at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tinytown.agents.driver import Sort

#: How long an agent may say nothing else, in seconds, and how often it must have said it.
PATIENCE = 180.0
LEAST = 6
#: Seconds between two reads of an output, and most bytes of one.
LOOK_SECS = 2.0
LOOK_BYTES = 1 << 20
#: Longest line that is told apart; a longer one is work, of which no more than the beginning is looked at.
LINE_BYTES = 64 << 10
BEGINNING_BYTES = 256


class Repetition:
    """What an output said, line by line as it comes; times are seconds of any one clock."""

    def __init__(self, sort: Callable[[str], Sort], *, patience: float = PATIENCE, least: int = LEAST) -> None:
        self._sort = sort
        self._patience = patience
        self._least = least
        self._since: float | None = None
        self._times = 0
        self._stuck = False

    def feed(self, line: str, now: float) -> bool:
        """Whether it has said nothing but its trouble for too long, with this line as the last one."""
        match self._sort(line):
            case "work":
                self._since, self._times, self._stuck = None, 0, False
            case "trouble":
                self._since = now if self._since is None else self._since
                self._times += 1
                # Only ever with such a line: a command that runs long and in silence after it is work.
                self._stuck = self._times >= self._least and now - self._since >= self._patience
            case "wait":
                self._stuck = True
            case "frame":
                pass
        return self._stuck


class Waiting:
    """What an output said of a wait that is too long; it is one whatever else is said."""

    def __init__(self, waits: Callable[[str], bool]) -> None:
        self._waits = waits
        self._told = False

    def feed(self, line: str, now: float) -> bool:  # noqa: ARG002 - as ``Repetition``
        """Whether it has said that it waits for too long."""
        self._told = self._told or self._waits(line)
        return self._told


class Listener:
    """Looks into a growing log now and then."""

    def __init__(self, log: Path, rule: Repetition | Waiting) -> None:
        self._log = log
        self._rule = rule
        self._at = 0
        self._rest = b""
        self._next = 0.0

    def hears_only_trouble(self, now: float) -> bool:
        """Whether what came since the last look, if it is time for one, is only more of its trouble for too long."""
        if now < self._next:
            return False
        self._next = now + LOOK_SECS
        stuck = False
        for line in self._lines():
            # The last one tells: those before it came earlier than now, and what came after them may be work.
            stuck = self._rule.feed(line, now)
        return stuck

    def _lines(self) -> Iterator[str]:
        try:
            # The agent could have put something else there, without a sandbox.
            descriptor = os.open(self._log, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return
        try:
            data = os.pread(descriptor, LOOK_BYTES, self._at)
        except OSError:
            return
        finally:
            os.close(descriptor)
        self._at += len(data)
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: LINE_BYTES + 1]
        for line in lines:
            yield (line if len(line) <= LINE_BYTES else line[:BEGINNING_BYTES]).decode(errors="replace")
