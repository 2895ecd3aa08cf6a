"""When this process looks next at changes on a remote forge: known in memory, and found again by the next tick.

Between two ticks a look may be due, in five seconds or in twenty: who waits here is told then, and nobody asks in vain.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from tinytown.errors import RateLimitError, UnreachableError
from tinytown.missions.pauses import FORGE_AWAY_SECS


class Looks:
    """The next look at each change, by mission; times are the database's. Safe in many threads."""

    def __init__(self) -> None:
        #: Held by whoever looks: two at once would ask everything twice.
        self.looking = threading.Lock()
        self._changed = threading.Condition()
        self._due: dict[str, dict[str, float]] = {}
        self._failures = 0
        #: Whether it may be on record that the forge is away: a process that begins does not know.
        self._away = True

    def known(self, mission: str, due: Mapping[str, float], *, now: float) -> None:
        """These are the mission's changes; what is due already is being looked at."""
        with self._changed:
            self._due[mission] = {key: at for key, at in due.items() if at > now}
            self._changed.notify_all()

    def expect(self, mission: str, key: str, at: float) -> None:
        """A change is to be looked at then."""
        with self._changed:
            self._due.setdefault(mission, {})[key] = at
            self._changed.notify_all()

    def take(self, now: float) -> list[str]:
        """The missions of which something is due; until they were looked at, nothing of that is due any more."""
        with self._changed:
            found = [mission for mission, due in self._due.items() if any(at <= now for at in due.values())]
            for mission in found:
                self._due[mission] = {key: at for key, at in self._due[mission].items() if at > now}
            self._due = {mission: due for mission, due in self._due.items() if due}
            return found

    def wait(self, now: Callable[[], float], *, ended: Callable[[], bool]) -> None:
        """Wait until something is due, however long that is, or until it is over."""
        with self._changed:
            while not ended():
                first = min((at for due in self._due.values() for at in due.values()), default=None)
                left = None if first is None else first - now()
                if left is not None and left <= 0:
                    return
                self._changed.wait(left)

    def wake(self) -> None:
        """Whoever waits looks whether it is over."""
        with self._changed:
            self._changed.notify_all()

    # -- a forge that does not answer ---------------------------------------------------------------

    def answered(self) -> bool:
        """The forge answers; gives whether that may be news."""
        self._failures, news = 0, self._away
        self._away = False
        return news

    def failed(self, error: UnreachableError) -> float:
        """Seconds for which the forge is left alone now."""
        self._away = True
        if isinstance(error, RateLimitError):
            return error.wait
        self._failures += 1
        return FORGE_AWAY_SECS[min(self._failures, len(FORGE_AWAY_SECS)) - 1]
