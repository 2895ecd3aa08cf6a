"""What is known of a token's limits, in a file: kept from one process to the next, and shared by those that run."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from tinytown import files
from tinytown.errors import TinytownError
from tinytown.forge.github.site import Site, Token

log = logging.getLogger(__name__)

#: Seconds for which another process may hold the file.
_WAIT: Final = 5.0


class Known(BaseModel):
    """Times are in seconds since 1970, by this machine's clock."""

    #: Until when an account is used up.
    used_up: dict[str, float] = {}
    #: Until when nothing may be sent at all, how long that was, and how many such pauses there were in a row.
    pause: float = 0.0
    length: float = 0.0
    pauses: int = 0
    #: When things were created within the last hour, the oldest first.
    created: list[float] = []
    #: Points of GraphQL that are left, and until when they are.
    left: int | None = None
    reset_at: float = 0.0


class Ledger:
    """One file, or the memory of this process where there is none. Safe in many threads.

    A file that cannot be written is no reason not to work: then each process knows what it met itself.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known = Known()
        self._read: tuple[int, int] | None = None

    def read(self) -> Known:
        """What is known now."""
        with self._lock:
            self._refresh()
            return self._known.model_copy(deep=True)

    @contextmanager
    def changing(self) -> Iterator[Known]:
        """What is known, to be changed in this block; nobody else changes it meanwhile."""
        with self._lock, ExitStack() as held:
            if self._path is not None:
                try:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    lock = files.locked(
                        self._path.with_suffix(".lock"), timeout=_WAIT, what="reading GitHub's rate limits"
                    )
                    held.enter_context(lock)
                except (TinytownError, OSError) as error:
                    log.warning("%s", error)
                self._refresh()
            yield self._known
            if self._path is not None:
                try:
                    files.write_atomically(self._path, self._known.model_dump_json(), lasting=False)
                    self._read = _state(self._path)
                except (TinytownError, OSError) as error:
                    log.warning("%s", error)

    def _refresh(self) -> None:
        if self._path is None or (state := _state(self._path)) == self._read:
            return
        self._read = state
        try:
            self._known = Known.model_validate_json(self._path.read_bytes()) if state is not None else Known()
        except (OSError, ValidationError):
            self._known = Known()  # Damaged: GitHub says it again.


def path_of(folder: Path, site: Site, token: Token | None) -> Path:
    """The file of a token; its name tells nothing of it."""
    secret = f"{site.host}\0{token.value if token else ''}"
    return folder / f"{hashlib.sha256(secret.encode()).hexdigest()[:16]}.json"


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
