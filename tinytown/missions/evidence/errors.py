"""The error in a log, without what differs from run to run, so that two rounds can be compared."""

from __future__ import annotations

import hashlib
import re

#: Lines of a log that are compared, and characters of each.
LINES = 20
LINE = 300

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?")
_HEX = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?:0x)?(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b", re.IGNORECASE
)
_FOLDER = re.compile(r"(?:/tmp|/var/folders|/private/var|/home/runner/work|[A-Z]:\\Temp)[/\\][^\s:'\"()]{1,300}")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_BLANKS = re.compile(r"\s+")
#: Lines that tell of an error; in a log without any the last lines count.
_ERROR = re.compile(
    r"error|fail|exception|assert|panic|fatal|cannot|expected|\bE\s{2,}|✗|✕|●|undefined|not found", re.IGNORECASE
)


def normalised(log: str) -> str:
    """The lines of ``log`` that tell of an error, alike for two runs that fail alike; empty for an empty log."""
    lines = [plain for line in log.splitlines() if (plain := _plain(line))]
    telling = [line for line in lines if _ERROR.search(line)]
    return "\n".join(dict.fromkeys((telling or lines)[-LINES:]))


def mark(name: str, log: str) -> str:
    """A short mark of the error of a check, for counting: the same for the same error."""
    return hashlib.sha256(f"{name}\n{normalised(log)}".encode(errors="replace")).hexdigest()[:16]


def _plain(line: str) -> str:
    line = _TIME.sub("", _ANSI.sub("", line[: 4 * LINE]))
    line = _FOLDER.sub(_file_name, line)
    line = _NUMBER.sub("#", _HEX.sub("#", line))
    return _BLANKS.sub(" ", line).strip()[:LINE]


def _file_name(found: re.Match[str]) -> str:
    """A path on the runner is told by its file alone."""
    return re.split(r"[/\\]", found[0])[-1]
