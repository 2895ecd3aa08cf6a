"""The end of a job's log. GitHub gives a signed address elsewhere, good for a minute, which must not see the token."""

from __future__ import annotations

import re
import time
from collections import deque
from typing import Final
from urllib.parse import urlsplit

import requests

from tinytown.errors import UnreachableError
from tinytown.forge.github.site import Site

#: Bytes of a log that are read, and seconds that it may take.
READ: Final = 50 << 20
SECONDS: Final = 20.0
#: Lines that are kept, up to the last one that names an error.
LINES: Final = 120
_CHUNK: Final = 1 << 16
#: Bytes of the end that are looked at.
_TAIL: Final = 1 << 18

_TIME = re.compile(r"^\ufeff?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z ")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ERROR = "##[error]"


def tail(address: str, *, site: Site) -> str:
    """The last lines before the job failed.

    Raises:
        UnreachableError: there is no log, or it cannot be read.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and address.startswith(f"{site.web}/")):
        raise UnreachableError("GitHub named no address for the log", remedy="look at the job's page")
    try:
        return _shown(_read(address))
    except (requests.RequestException, OSError):
        # Its text names the address, which is a key to the log.
        raise UnreachableError("the log cannot be read", remedy="look at the job's page") from None


def _read(address: str) -> str:
    kept: deque[bytes] = deque(maxlen=_TAIL // _CHUNK)
    until, left = time.monotonic() + SECONDS, READ
    # With an ``auth`` of its own, no log-in of the person's for that host is looked for.
    with requests.get(address, stream=True, timeout=10, allow_redirects=False, auth=lambda sent: sent) as answer:
        if answer.status_code != 200:
            raise requests.HTTPError(str(answer.status_code))
        for chunk in answer.iter_content(_CHUNK):
            kept.append(chunk)
            left -= len(chunk)
            if left < 0 or time.monotonic() > until:
                break
    return b"".join(kept).decode(errors="replace")


def _shown(text: str) -> str:
    lines = [_COLOUR.sub("", _TIME.sub("", line)).rstrip() for line in text.splitlines()]
    last = next((at for at in range(len(lines) - 1, -1, -1) if lines[at].startswith(_ERROR)), len(lines) - 1)
    return "\n".join(lines[max(0, last + 1 - LINES) : last + 1])
