"""The indexes of a mission's items, written with the records in one commit: what is due, what to look at, how many.

Thanks to them nobody has to read the whole mission. ``missions`` says where an item belongs, this file keeps it there.
Like every index they can be made anew from the records: see ``rebuild``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tinytown.missions import attention, lanes
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.state.database import Draft
from tinytown.state.keys import Keys

#: Form of the indexes; a mission that has another one gets them made anew.
FORM = "2"
#: Field of a mission's hash that names the form.
FIELD = "indexed"
#: Members that one command takes; a script has room for some thousand words.
MANY = 1000


class Indexes:
    """What one commit changes in the indexes of one mission."""

    def __init__(self, keys: Keys, mission: str, policy: Policy) -> None:
        self._keys = keys
        self._mission = mission
        self._policy = policy
        self._counts: Counter[str] = Counter()
        self._tally: Counter[str] = Counter()
        #: Members to add (with their score in a sorted set) and to remove, by key.
        self._adds: dict[str, dict[str, float | None]] = {}
        self._drops: dict[str, dict[str, None]] = {}
        #: Items that settle, whose dependents this very commit makes ready.
        self.released: set[str] = set()

    def move(self, old: Item | None, new: Item) -> bool:
        """Follow an item that changes or (without ``old``) is new; gives whether it became due, or something
        startable.
        """
        keys, mission = self._keys, self._mission
        if old is None or old.state is not new.state:
            self._count(old, new)
        before = attention.tallied(old) if old is not None else ()
        after = attention.tallied(new)
        if before != after:
            self._tally.subtract(before)
            self._tally.update(after)
        was = lanes.spot(old, self._policy) if old is not None else None
        spot = lanes.spot(new, self._policy)
        if was != spot:
            if was is not None:
                self._drop(keys.lanes(mission), was.entry)
                if was.later is not None:
                    self._drop(keys.later(mission), new.key)
            if spot is not None:
                self.place(new.key, spot)
            self._follow_messages(old, new, spot)
        noted = old is not None and attention.notable(old, self._policy)
        if noted != attention.notable(new, self._policy):
            (self._drop if noted else self._add)(keys.notable(mission), new.key)
        opened = attention.opens(old, new)
        if opened and new.key not in self.released:
            self._add(keys.opens(mission), new.key)
        elif old is not None and attention.opens(None, old) and not attention.opens(None, new):
            self._drop(keys.opens(mission), new.key)
        return opened or (spot is not None and was is None)

    def _follow_messages(self, was: Item | None, new: Item, spot: lanes.Spot | None) -> None:
        """Keep the due items that answer messages, of all missions."""
        if was is not None and was.messages:
            self._drop(self._keys.messages_due, self._letter(was))
        if new.messages and spot is not None and spot.later is None:
            self._add(self._keys.messages_due, self._letter(new))

    def _letter(self, item: Item) -> str:
        return f"{item.directed_to} {self._mission} {item.key}"

    def place(self, key: str, spot: lanes.Spot) -> None:
        """Put a due item into its line, or beside it until its time comes."""
        if spot.later is None:
            self._add(self._keys.lanes(self._mission), spot.entry, 0)
        else:
            self._add(self._keys.later(self._mission), key, spot.later)

    def open(self, key: str) -> None:
        """Note that the item may be startable, which its own record does not tell."""
        self._add(self._keys.opens(self._mission), key)

    def ripen(self, item: Item) -> None:
        """Move an item whose time has come into its line."""
        self._drop(self._keys.later(self._mission), item.key)
        spot = lanes.spot(item, self._policy)
        if spot is not None:
            self._add(self._keys.lanes(self._mission), spot.entry, 0)
            self._follow_messages(None, item, lanes.Spot(spot.entry))

    def forget_entries(self, entries: Iterable[str]) -> None:
        """Remove these entries from their lines: their items are not there any more."""
        for entry in entries:
            self._drop(self._keys.lanes(self._mission), entry)

    def forget_later(self, keys: Iterable[str]) -> None:
        """Remove these items from those that wait for a time."""
        for key in keys:
            self._drop(self._keys.later(self._mission), key)

    def forget_opens(self, key: str) -> None:
        """Note that the dependents of this item have been looked at."""
        self._drop(self._keys.opens(self._mission), key)

    def rebuild(self, draft: Draft, items: Sequence[Item]) -> None:
        """Make all of them anew from all items."""
        keys, mission = self._keys, self._mission
        for key in (keys.lanes, keys.later, keys.opens, keys.notable, keys.counts, keys.tally, keys.due):
            draft.write("DEL", key(mission))
        for item in items:
            self.move(None, item)
            if item.state.settled:
                # Nobody knows any more whether its dependents have heard of it.
                self._add(keys.opens(mission), item.key)
        draft.write("HSET", keys.mission(mission), FIELD, FORM)

    def write(self, draft: Draft) -> None:
        """Put all of it into the draft."""
        for state, more in self._counts.items():
            if more:
                draft.write("HINCRBY", self._keys.counts(self._mission), state, str(more))
        for name, more in self._tally.items():
            if more:
                draft.write("HINCRBY", self._keys.tally(self._mission), name, str(more))
        for key, gone in self._drops.items():
            for part in _parts(gone):
                draft.write("ZREM" if self._sorted(key) else "SREM", key, *part)
        for key, added in self._adds.items():
            for part in _parts(added):
                words = [w for name in part for w in (repr(added[name]), name)] if self._sorted(key) else part
                draft.write("ZADD" if self._sorted(key) else "SADD", key, *words)

    def _sorted(self, key: str) -> bool:
        return key in (self._keys.lanes(self._mission), self._keys.later(self._mission))

    def _count(self, old: Item | None, new: Item) -> None:
        if old is not None:
            self._counts[attention.counted(old.state)] -= 1
        self._counts[attention.counted(new.state)] += 1

    def _add(self, key: str, member: str, score: float | None = None) -> None:
        self._drops.get(key, {}).pop(member, None)
        self._adds.setdefault(key, {})[member] = score

    def _drop(self, key: str, member: str) -> None:
        self._adds.get(key, {}).pop(member, None)
        self._drops.setdefault(key, {})[member] = None


def _parts(members: Mapping[str, object]) -> Iterable[Sequence[str]]:
    every = list(members)
    return (every[first : first + MANY // 2] for first in range(0, len(every), MANY // 2))
