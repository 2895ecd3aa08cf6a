"""When GitHub may be asked again, and how fast things may be created there; what one process knows of it.

GitHub counts requests in REST and points in GraphQL apart, each to be reset at a stated time. Beside these primary
limits there are secondary ones for requests that come too fast, whose pause grows as long as they go on. Nobody sleeps
through either: whoever asks too early is told when it is due.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from tinytown.errors import RateLimitError
from tinytown.forge.github import faults
from tinytown.forge.github.site import Site, Token

#: The two accounts of a token.
REST: Final = "rest"
GRAPHQL: Final = "graphql"
#: Seconds of the longest pause after a secondary limit, however often it was reached.
LONGEST_PAUSE: Final = 3600.0
#: Things that may be created at GitHub: one a second, and so many an hour.
CREATE_EVERY: Final = 1.0
CREATE_HOURLY: Final = 500
_HOUR = 3600.0


class Limits:
    """The limits that were reached; safe in many threads."""

    def __init__(self, site: Site, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._site = site
        self._clock = clock
        self._lock = threading.Lock()
        #: Until when an account is used up, by its name and the token that it belongs to.
        self._used_up: dict[str, tuple[float, Token | None]] = {}
        #: Until when nothing may be sent at all, how long that was, and how many such pauses there were in a row.
        self._pause = self._length = 0.0
        self._pauses = 0

    def require(self, account: str) -> None:
        """Raise ``RateLimitError`` with the time that is left, if this account may not be used yet."""
        with self._lock:
            now = self._clock()
            until, token = self._used_up.get(account, (0.0, None))
            if now < until:
                raise faults.used_up(self._site, token=token, wait=until - now)
            if now < self._pause:
                raise faults.pause(self._site, wait=self._pause - now)

    def reached(self, error: RateLimitError, account: str, token: Token | None) -> RateLimitError:
        """Keep that a limit was reached; gives the error with the pause that is right by now."""
        with self._lock:
            if not isinstance(error, faults.PauseError):
                self._used_up[account] = (self._clock() + error.wait, token)
                return error
            now = self._clock()
            if now < self._pause and error.wait <= self._pause - now:
                return faults.pause(self._site, wait=self._pause - now)  # Another thread met it, too.
            if now > self._pause + self._length:
                self._pauses = 0  # The last pause was long enough: reads alone would not tell.
            grown = min(faults.PAUSE_SECS * 2**self._pauses, LONGEST_PAUSE)
            self._pauses += 1
            # What GitHub itself says counts if it is longer.
            wait = max(error.wait, grown)
            self._pause, self._length = now + wait, wait
            return faults.pause(self._site, wait=wait)


class Pace(Protocol):
    """Says when the next thing may be created; what it counts may lie in one process or be shared by many."""

    def take(self) -> float:
        """Take the next place; gives the seconds until it may be used, or negative seconds if there is none yet."""
        ...


class ProcessPace:
    """The pace of one process."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: deque[float] = deque(maxlen=CREATE_HOURLY)

    def take(self) -> float:
        """As the protocol says."""
        with self._lock:
            now = self._clock()
            if len(self._taken) == CREATE_HOURLY and (left := self._taken[0] + _HOUR - now) > 0:
                return -left
            at = max(now, self._taken[-1] + CREATE_EVERY) if self._taken else now
            if at - now > CREATE_EVERY:
                return now - at
            self._taken.append(at)
            return at - now
