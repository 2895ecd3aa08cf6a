"""Logging of the town's processes: one line an event, to stderr, which the supervisor keeps in ``.tt/logs``."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

#: What looks like a credential never reaches a log.
_SECRETS = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|sk-[A-Za-z0-9_-]{16,}|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
)


#: The agent that the lines of this thread are about.
_agent: ContextVar[str] = ContextVar("agent", default="")


def redact(text: str) -> str:
    """``text`` without what looks like a credential."""
    return _SECRETS.sub("***", text)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


@contextmanager
def of_agent(name: str) -> Iterator[None]:
    """What is logged within the block, in this thread, is about this agent."""
    token = _agent.set(name)
    try:
        yield
    finally:
        _agent.reset(token)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to stderr; what is about an agent, where there is a folder for that, to the agent's own log."""

    def __init__(self, agents: Path | None) -> None:
        super().__init__(sys.stderr)
        self._agents = agents

    def emit(self, record: logging.LogRecord) -> None:
        name = _agent.get()
        if self._agents is None or not name:
            super().emit(record)
            return
        try:
            # Opened for each line: others shorten these files, or remove them.
            file = os.open(
                self._agents / f"agent-{name}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666
            )
        except OSError:
            super().emit(record)
            return
        try:
            os.write(file, (self.format(record) + self.terminator).encode(errors="backslashreplace"))
        except OSError:
            super().emit(record)
        finally:
            os.close(file)


def to_stderr(level: int = logging.INFO, *, agents: Path | None = None) -> None:
    """Send the process's log lines to stderr, and those about an agent to its own file in the folder ``agents``."""
    handler = _Handler(agents)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)-7s %(name)s  %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Their lines say nothing that ours do not.
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
    logging.getLogger("celery.app.trace").setLevel(logging.WARNING)
