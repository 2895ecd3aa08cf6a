"""The canvas of a mission, from its graph: what joins what, as plain data.

- an item without dependencies: ``start(item)``
- an item with one: ``chain(edge(dependency, item), start(item))``
- an item with several: ``chord([edge(dependency, item), …], start(item))``
- the end: the same over the items that nothing depends on, with ``finish(mission)``

Linear in items and edges. Only the ids of the joins are stored; a signature is rebuilt when it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Most items that one may wait for to be read whenever one of them settles; what joins more is left to its chord, or
#: the reading would grow with the square of the join.
WIDE = 16
#: Stands for the end of the mission where an item's key is expected.
END = ""


@dataclass(frozen=True)
class Canvas:
    """``sources`` of each item (and of ``END``), sorted; the group id of a join is told by the mission and the item."""

    mission: str
    sources: Mapping[str, Sequence[str]]

    def targets(self, key: str) -> list[str]:
        """What waits for this item, ``END`` included."""
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
        return [key for key, sources in self.sources.items() if not sources and key != END]

    def peers(self, key: str) -> list[str]:
        """Items that the same settling, or the mission's start, may release; ``key`` is the first of them."""
        sources = self.sources.get(key, ())
        released = [t for source in sources for t in self.targets(source)] if sources else self.roots()
        return list(dict.fromkeys((key, *(target for target in released if target != END))))

    def near(self, key: str) -> list[str]:
        """Items that the settling of ``key`` may release, and all that they wait for; nothing where that is much.

        All or nothing: which of them goes first is for their priorities to say.
        """
        if self.is_wide(key):
            return []
        released = self.dependents(key)
        return list(dict.fromkeys(near for target in released for near in (target, *self.sources[target])))

    def dependents(self, key: str) -> list[str]:
        """Items that wait for this one."""
        return [target for target in self.targets(key) if target != END]

    def is_wide(self, key: str) -> bool:
        """Whether something that waits for ``key`` waits for more than is read whenever one of them settles."""
        return any(len(self.sources[target]) > WIDE for target in self.dependents(key))

    def group_id(self, target: str) -> str:
        """Id of the group of edges that lead to ``target``."""
        return f"{self.mission}/join/{target or 'end'}"

    def joins(self) -> dict[str, int]:
        """Group ids of all chords and how many edges each counts."""
        return {self.group_id(t): len(s) for t, s in self.sources.items() if len(s) > 1}

    def stored(self) -> dict[str, Any]:
        """As it is saved with the mission."""
        return {"sources": {t: list(s) for t, s in self.sources.items()}}


def compile_canvas(mission: str, edges: Mapping[str, Sequence[str]]) -> Canvas:
    """The canvas for ``edges``: for each item the items it depends on, skipped ones already left out."""
    sources = {key: sorted(set(depends)) for key, depends in edges.items()}
    waited_for = {source for depends in sources.values() for source in depends}
    sources[END] = sorted(key for key in sources if key not in waited_for)
    return Canvas(mission, sources)


def restore(mission: str, stored: Mapping[str, Any]) -> Canvas:
    """The canvas that was saved."""
    return Canvas(mission, {str(t): [str(x) for x in s] for t, s in stored["sources"].items()})
