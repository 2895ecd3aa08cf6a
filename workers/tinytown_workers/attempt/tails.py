"""Let people on other hosts read what an attempt says: the last part of it goes to the town's records as it grows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tinytown.engine.context import Context
from tinytown.errors import TinytownError
from tinytown.state import tails
from tinytown.state.hosts import Hosts
from tinytown_workers.run.pulse import PULSE, Beat

log = logging.getLogger(__name__)

#: Seconds between two looks at whether something was said.
EVERY_SECS = 2.0
_BRIEF = "brief.md"


class Tail:
    """Sends on what the logs in a folder say, from its beginning to its end; nothing in a town of one host."""

    def __init__(self, context: Context, attempt: str, folder: Path) -> None:
        self._context = context
        self._attempt = attempt
        self._folder = folder
        self._seen: dict[Path, tuple[int, int]] = {}
        self._beat: Beat | None = None

    def __enter__(self) -> Self:
        if _has_others(self._context):
            self._beat = PULSE.every(EVERY_SECS, self._look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beat is not None:
            self._beat.finish()
            self._look()

    def _look(self) -> bool:
        try:
            if texts := dict(self._news()):
                tails.keep(self._context.store, self._attempt, self._context.town.machine, texts)
        except (TinytownError, OSError) as error:
            # It is for people who look, and the next look sends the same.
            log.debug("what %s says is not told to other hosts: %s", self._attempt, error)
            self._seen.clear()
        return True

    def _news(self) -> Iterator[tuple[str, str]]:
        """Name and text of each log, and of the brief, that changed since the last look."""
        logs = sorted(self._folder.rglob("*.log"))[: tails.LOGS]
        for path in (self._folder / _BRIEF, *logs):
            # Without a sandbox an agent can put a pipe there, on which whoever reads it would wait for ever.
            if path.is_symlink() or not path.is_file():
                continue
            found = path.stat()
            state = found.st_mtime_ns, found.st_size
            if self._seen.get(path) == state:
                continue
            self._seen[path] = state
            with path.open("rb") as file:
                if path.name != _BRIEF:
                    file.seek(max(0, found.st_size - tails.LOG_BYTES))
                text = file.read(tails.LOG_BYTES).decode("utf-8", errors="replace")
            yield str(path.relative_to(self._folder)), text


def _has_others(context: Context) -> bool:
    """Whether there is anybody on another host who could want to read it."""
    if context.town.home and context.town.settings.redis.url is None:
        return False
    try:
        return Hosts(context.store).count() > 1
    except TinytownError:
        return True
