"""Stories in which the server comes back with what it knew a moment ago: what was written last is gone.

So it is where its machine loses power (the file is synced each second), or a backup takes its place. Nobody can know
then what was lost; but no mission may hang, whoever worked at what is not on record may not count, and no dependent
may begin early.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from tests.story.hosts_town import HostsTown
from tests.story.invariants import ViolationError
from tests.story.simulation import StoryTown, tell
from tinytown.state.database import connect

#: Most actions that are lost.
MOST = 4


class OldDatabaseTown(HostsTown):
    """A town whose database forgets."""

    def __init__(self, seed: int, url: str) -> None:
        self.known: deque[dict[bytes, bytes]] = deque(maxlen=MOST)
        self.raw: Any = connect(url, decode=False)
        super().__init__(seed, url)

    def actions(self) -> list[tuple[float, Callable[[], None]]]:
        found = super().actions()
        return [*found, (0.8, self.forgets)] if self.depth == 0 and self.known else found

    def act(self) -> None:
        if self.depth == 0:
            self.known.append(self._dumped())
        super().act()

    def _dumped(self) -> dict[bytes, bytes]:
        keys = list(self.raw.scan_iter(match=f"{self.town.prefix}*", count=5000))
        with self.raw.pipeline(transaction=True) as pipe:
            for key in keys:
                pipe.dump(key)
            return {key: text for key, text in zip(keys, pipe.execute(), strict=True) if text is not None}

    def forgets(self) -> None:
        """The server is back, with an old database."""
        old = self.rng.choice(self.known)
        self.note("the server is back, and forgot what was written last")
        self.faults["database of a moment ago"] += 1
        # What was sent to the old server never reaches the new one.
        self.weather.under_way.clear()
        now = list(self.raw.scan_iter(match=f"{self.town.prefix}*", count=5000))
        with self.raw.pipeline(transaction=True) as pipe:
            for key in now:
                pipe.delete(key)
            for key, text in old.items():
                pipe.restore(key, 0, text)
            pipe.execute()
        self.known.clear()
        self.watcher.remember()
        # Runs are counted from what is on record; the same number may be given again, under another token.
        for mission in self.watcher.missions:
            for key, item in self.items(mission).items():
                self.watcher._runs[mission, key] = item.attempts

    def pass_time(self, seconds: float) -> None:
        super().pass_time(seconds)
        self.known.clear()  # The past would come back with its own time.

    def close(self) -> None:
        super().close()
        self.raw.close()

    def check_costs(self) -> None:
        """What was counted may be forgotten with what it was for, but nothing is counted twice."""
        for mission in self.watcher.missions:
            for key, item in self.items(mission).items():
                said = sum(s.cost_usd or 0.0 for (m, k, _), s in self.costs.items() if (m, k) == (mission, key))
                if item.cost_usd > said + 1e-6:
                    raise ViolationError(f"{key} costs {item.cost_usd}, but its runs {said}")


def tell_of_old_databases(seed: int, url: str, *, steps: int = 60) -> StoryTown:
    """One story of a server that forgets."""
    return tell(seed, url, steps=steps, town_of=OldDatabaseTown, again='test_hosts.py -k "again and old"')
