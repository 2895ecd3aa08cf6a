"""Logging of the town's processes: one line an event, to stderr, which the supervisor keeps in ``.tt/logs``."""

from __future__ import annotations

import logging
import re
import sys

#: What looks like a credential never reaches a log.
_SECRETS = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|sk-[A-Za-z0-9_-]{16,}|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
)


def redact(text: str) -> str:
    """``text`` without what looks like a credential."""
    return _SECRETS.sub("***", text)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def to_stderr(level: int = logging.INFO) -> None:
    """Send the process's log lines to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)-7s %(name)s  %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Their lines say nothing that ours do not.
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
    logging.getLogger("celery.app.trace").setLevel(logging.WARNING)
