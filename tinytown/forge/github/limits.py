"""When GitHub may be asked again, and how fast things may be created there.

GitHub counts requests in REST and points in GraphQL apart, each to be reset at a stated time. Beside these primary
limits there are secondary ones for requests that come too fast, whose pause grows as long as they go on. Nobody sleeps
through any of them: whoever asks too early is told when it is due. What is known stands in a file (``ledger``), so it
holds for all of a town's processes, and for one that was started anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from tinytown.errors import RateLimitError
from tinytown.forge.github import faults
from tinytown.forge.github.ledger import Ledger
from tinytown.forge.github.site import Site, Token

#: The two accounts of a token.
REST: Final = "rest"
GRAPHQL: Final = "graphql"
#: Points of GraphQL that looks leave to whoever has to write something.
RESERVE: Final = 100
#: Seconds of the longest pause after a secondary limit, however often it was reached.
LONGEST_PAUSE: Final = 3600.0
#: Things that may be created at GitHub: one a second, and so many an hour.
CREATE_EVERY: Final = 1.0
CREATE_HOURLY: Final = 500
_HOUR = 3600.0


class Limits:
    """The limits of one token that were reached; safe in many threads and processes."""

    def __init__(
        self,
        site: Site,
        *,
        ledger: Ledger | None = None,
        token: Token | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._site = site
        self._ledger = ledger or Ledger(None)
        self._token = token
        self._clock = clock

    def require(self, account: str) -> None:
        """Raise ``RateLimitError`` with the time that is left, if this account may not be used yet."""
        known, now = self._ledger.read(), self._clock()
        if now < (until := _sane(known.used_up.get(account, 0.0), now)):
            raise faults.used_up(self._site, token=self._token, wait=until - now)
        if now < (until := _sane(known.pause, now)):
            raise faults.pause(self._site, wait=until - now)

    def require_for_looks(self, *, least: int = RESERVE) -> None:
        """Raise ``RateLimitError`` if what is left of GraphQL is to be kept for writes."""
        known, now = self._ledger.read(), self._clock()
        if known.left is not None and known.left < least and now < (until := _sane(known.reset_at, now)):
            raise faults.used_up(self._site, token=self._token, wait=until - now)

    def left(self, points: int, reset_at: float) -> None:
        """So many points of GraphQL are left until they are reset."""
        with self._ledger.changing() as known:
            known.left, known.reset_at = points, reset_at

    def reached(self, error: RateLimitError, account: str) -> RateLimitError:
        """Keep that a limit was reached; gives the error with the pause that is right by now."""
        with self._ledger.changing() as known:
            now = self._clock()
            if not isinstance(error, faults.PauseError):
                known.used_up[account] = now + error.wait
                return error
            if now < known.pause and error.wait <= known.pause - now:
                return faults.pause(self._site, wait=known.pause - now)  # Another thread met it, too.
            if now > known.pause + known.length:
                known.pauses = 0  # The last pause was long enough: reads alone would not tell.
            grown = min(faults.PAUSE_SECS * 2**known.pauses, LONGEST_PAUSE)
            known.pauses += 1
            # What GitHub itself says counts if it is longer.
            wait = max(error.wait, grown)
            known.pause, known.length = now + wait, wait
            return faults.pause(self._site, wait=wait)

    def take(self) -> float:
        """Take the next place for something to be created; gives the seconds until it may be used.

        Negative seconds: there is none before that long.
        """
        with self._ledger.changing() as known:
            now = self._clock()
            # One that is ahead was taken before the clock was set back.
            taken = [at for at in known.created if now - _HOUR < at <= now + 2 * CREATE_EVERY]
            if len(taken) >= CREATE_HOURLY:
                return now - taken[-CREATE_HOURLY] - _HOUR
            at = max(now, taken[-1] + CREATE_EVERY) if taken else now
            if at - now > CREATE_EVERY:
                return now - at
            known.created = [*taken, at]
            return at - now


def _sane(until: float, now: float) -> float:
    """No limit lasts for days: a time that far ahead is of a clock that was set back."""
    return until if until - now <= 24 * _HOUR else 0.0
