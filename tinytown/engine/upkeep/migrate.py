"""Write records of older releases in the form of this one. Without it they are read all the same, each time anew.

Each is written only if it is still as it was read, so the town may work meanwhile. What a newer release made is named
and left as it is, and so is what cannot be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tinytown.engine.commit import commit
from tinytown.engine.context import Context
from tinytown.engine.dispatch.advance import rebuild
from tinytown.engine.upkeep import quiet
from tinytown.errors import TinytownError, UnreachableError
from tinytown.state import forms, lookup
from tinytown.state.change import Change
from tinytown.state.records import DamagedRecordError
from tinytown.state.store import PAGE


@dataclass(frozen=True)
class Migrated:
    """What was written anew, or would be."""

    #: It is done, and not only looked at.
    done: bool
    #: Records that were looked at.
    looked: int = 0
    missions: int = 0
    items: int = 0
    attempts: int = 0
    #: Missions whose indexes are made anew.
    indexes: int = 0
    #: Missions that a newer release made: update tinytown to go on with them.
    newer: tuple[str, ...] = ()
    #: Missions that cannot be read: see `tt doctor`.
    damaged: tuple[str, ...] = ()
    #: Where the town is saved as it was; empty if nothing was changed.
    before: str = ""

    @property
    def changes(self) -> int:
        """How many of them there are."""
        return self.missions + self.items + self.attempts + self.indexes


@dataclass
class _Found:
    counts: Counter[str] = field(default_factory=Counter)
    newer: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def told(self, *, done: bool, before: str = "") -> Migrated:
        counts = {name: self.counts[name] for name in ("looked", "missions", "items", "attempts", "indexes")}
        return Migrated(done, **counts, newer=tuple(self.newer), damaged=tuple(self.damaged), before=before)


def preview(context: Context) -> Migrated:
    """What a migration would write; nothing is changed."""
    return _all(context, write=False).told(done=False)


def migrate(context: Context) -> Migrated:
    """Write what is of an older form; the town is saved first if there is any.

    Raises:
        ConflictError: something changes all the time; what was written is right, and the rest is as it was.
        DiskFullError: no room to save the town; nothing is changed.
    """
    if not preview(context).changes:
        return _all(context, write=False).told(done=True)
    before = quiet.set_aside(context, "migrate")
    return _all(context, write=True).told(done=True, before=before)


def _all(context: Context, *, write: bool) -> _Found:
    found = _Found()
    for mission in context.store.mission_ids(live=False):
        try:
            forms.head(context.store, mission)
        except DamagedRecordError:
            found.damaged.append(mission)
            continue
        except UnreachableError:
            raise
        except TinytownError:
            found.newer.append(mission)
            continue
        try:
            _mission(context, mission, found.counts, write=write)
        except DamagedRecordError:
            found.damaged.append(mission)
    return found


def _mission(context: Context, mission: str, counts: Counter[str], *, write: bool) -> None:
    store = context.store

    def put_head(change: Change) -> bool:
        old, older = forms.head(store, mission)
        if older and write:
            change.put_mission(old, old.record.evolve())
        return older

    counts["missions"] += commit(context, put_head)
    order = list(store.order(mission))
    for start in range(0, len(order), PAGE):
        looked, older = _page(context, mission, order[start : start + PAGE], write=write)
        counts["looked"] += looked
        counts["items"] += older
    looked, older = _attempts(context, mission, write=write)
    counts["looked"] += 1 + looked
    counts["attempts"] += older
    # Those of an ended mission are of no use to anybody.
    if not store.mission(mission).record.state.ended and lookup.counts(store, mission) is None:
        counts["indexes"] += 1
        if write:
            rebuild(context, mission)


def _page(context: Context, mission: str, keys: Sequence[str], *, write: bool) -> tuple[int, int]:
    def decide(change: Change) -> tuple[int, int]:
        head = context.store.mission(mission).record
        looked, older = forms.items(context.store, mission, keys)
        for item in older if write else ():
            change.put_item(head, item, item.record.evolve())
        return looked, len(older)

    return commit(context, decide)


def _attempts(context: Context, mission: str, *, write: bool) -> tuple[int, int]:
    looked = older = 0
    change = context.store.change()
    for name, text, record, is_older in forms.attempts(context.store, mission):
        looked += 1
        older += is_older
        if is_older and write:
            change.rewrite_attempt(mission, name, text, record)
            if older % PAGE == 0:
                change.commit()
                change = context.store.change()
    if change.draft:
        change.commit()
    return looked, older
