"""The canvas of a mission, from its graph: what joins what, as plain data.

- an item without dependencies: ``start(item)``
- an item with one: ``chain(edge(dependency, item), start(item))``
- an item with several: ``start(item)``, sent for each of them; it looks whether all have settled
- an item with more than ``WIDE``: ``chord([edge(dependency, item), …], start(item))``

Linear in items and edges. Only the ids of the chords are stored; a signature is rebuilt when it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Most items that one may wait for to be read whenever one of them settles; what joins more is left to its chord, or
#: the reading would grow with the square of the join.
WIDE = 16


@dataclass(frozen=True)
class Canvas:
    """``sources`` of each item, sorted; the group id of a chord is told by the mission, the item and the edition."""

    mission: str
    sources: Mapping[str, Sequence[str]]
    wide: int = WIDE
    #: How often the graph was changed: what a chord counted before counts for nothing in the next.
    edition: int = 0

    def targets(self, key: str) -> list[str]:
        """What waits for this item."""
        return self._targets.get(key, [])

    @property
    def _targets(self) -> dict[str, list[str]]:
        # Computed once; the class is frozen, hence the detour.
        cached: dict[str, list[str]] | None = self.__dict__.get("_cache")
        if cached is None:
            cached = {}
            for target, sources in self.sources.items():
                for source in sources:
                    cached.setdefault(source, []).append(target)
            object.__setattr__(self, "_cache", cached)
        return cached

    def roots(self) -> list[str]:
        """Items that wait for nothing."""
        return [key for key, sources in self.sources.items() if not sources]

    def peers(self, key: str) -> list[str]:
        """Items that the same settling, or the mission's start, may release; ``key`` is the first of them."""
        sources = self.sources.get(key, ())
        released = [t for source in sources for t in self.targets(source)] if sources else self.roots()
        return list(dict.fromkeys((key, *released)))

    def near(self, key: str) -> list[str]:
        """Items that the settling of ``key`` may release, and all that they wait for; nothing where that is much.

        All or nothing: which of them goes first is for their priorities to say.
        """
        if self.is_wide(key):
            return []
        return list(dict.fromkeys(near for target in self.targets(key) for near in (target, *self.sources[target])))

    def is_wide(self, key: str) -> bool:
        """Whether something that waits for ``key`` waits for more than is read whenever one of them settles."""
        return any(self.is_counted(target) for target in self.targets(key))

    def is_counted(self, target: str) -> bool:
        """Whether a chord counts what ``target`` waits for."""
        return len(self.sources[target]) > self.wide

    def group_id(self, target: str) -> str:
        """Id of the group of edges that lead to ``target``."""
        return f"{self.mission}/join/{target}{self._mark}"

    def part_id(self, source: str, target: str) -> str:
        """Id of an edge of a chord: the same each time it is sent, so that it counts once."""
        return f"{self.mission}/edge/{source}/{target}{self._mark}"

    @property
    def _mark(self) -> str:
        return f"/{self.edition}" if self.edition else ""

    def counted(self) -> list[str]:
        """Items that a chord counts for."""
        return [target for target in self.sources if self.is_counted(target)]

    def chords(self) -> dict[str, int]:
        """Group ids of all chords and how many edges each counts."""
        return {self.group_id(target): len(self.sources[target]) for target in self.counted()}

    def stored(self) -> dict[str, Any]:
        """As it is saved with the mission."""
        return {"sources": {t: list(s) for t, s in self.sources.items()}}


def compile_canvas(mission: str, edges: Mapping[str, Sequence[str]]) -> Canvas:
    """The canvas for ``edges``: for each item the items it depends on, skipped ones already left out."""
    return Canvas(mission, {key: sorted(set(depends)) for key, depends in edges.items()})


def restore(mission: str, stored: Mapping[str, Any]) -> Canvas:
    """The canvas that was saved; an older release joined the mission's end in it, as an item without a key."""
    sources = {str(t): [str(x) for x in s] for t, s in stored["sources"].items() if t}
    return Canvas(mission, sources, edition=int(stored.get("edition") or 0))
