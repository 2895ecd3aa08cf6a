"""What a changed file asks of a plan that was recorded before, and which of it running work stands in the way of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tinytown.missions.states import ItemState
from tinytown.plans.model import META_KEYS
from tinytown.plans.stages import Stage, Stages

#: Somebody works on it, or what it wrote is being judged.
UNDER_WAY: Final = frozenset({ItemState.ASSIGNED, ItemState.RUNNING, ItemState.IN_REVIEW, ItemState.FIXING})
#: What a file calls either way: the town tells the two apart by what else is done.
NOT_BEGUN: Final = frozenset({ItemState.PENDING, ItemState.READY})
#: Keys of a task that are compared as the file has them. Its agent is compared with the default filled in, its state
#: with how it stands, and its result is the town's to write.
_FIELDS: Final = ("description", "parent", "depends_on", "tags", "parallel")
#: What a run has begun with, and cannot take up while it lasts.
_BEGUN_WITH: Final = ("description", "agent", "status")


@dataclass(frozen=True)
class Change:
    """A task that the file has otherwise than before."""

    id: str
    #: What differs: keys of a task, or ``order`` where it waits for other tasks although it says the same.
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Orphan:
    """Running work that a change would leave without its task, or with another one."""

    id: str
    state: ItemState
    #: What the file does to it.
    why: str


@dataclass(frozen=True)
class Difference:
    """What the file says otherwise than the record. Ids are in the order of the file, removed ones in the old order."""

    added: tuple[str, ...] = ()
    changed: tuple[Change, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    #: Keys of ``[meta]`` that differ.
    meta: tuple[str, ...] = ()
    orphans: tuple[Orphan, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether the file says what is recorded."""
        return not (self.added or self.changed or self.removed or self.meta)


def difference(recorded: Stages, wanted: Stages, states: Mapping[str, ItemState]) -> Difference:
    """Compare what was recorded with what the file says now.

    ``states`` is how the recorded tasks stand; where one is missing, it stands as it was recorded. A ``status`` in the
    file may be a wish (see ``is_wish``).
    """
    old, new = recorded.stages, wanted.stages
    changes = {id_: _changed(old[id_], new[id_], _state(old[id_], states)) for id_ in new if id_ in old}
    before, after = recorded.plan.meta, wanted.plan.meta
    return Difference(
        added=tuple(id_ for id_ in new if id_ not in old),
        changed=tuple(Change(id_, fields) for id_, fields in changes.items() if fields),
        unchanged=tuple(id_ for id_, fields in changes.items() if not fields),
        removed=tuple(id_ for id_ in old if id_ not in new),
        meta=tuple(key for key in META_KEYS if getattr(before, key) != getattr(after, key)),
        orphans=tuple(_orphans(old, new, changes, states)),
    )


def is_wish(status: ItemState, *, recorded: ItemState, state: ItemState) -> bool:
    """Whether the ``status`` in a file asks for something: for a state that a person decides, and that is news.

    It is none where it is how the task stands, or what the file said when it was ``recorded``: a file that was not
    brought up to date wishes nothing. Nor can work be wished to be under way.
    """
    if status in UNDER_WAY or status in (recorded, state):
        return False
    return not (status in NOT_BEGUN and (recorded in NOT_BEGUN or state in NOT_BEGUN))


def _state(stage: Stage, states: Mapping[str, ItemState]) -> ItemState:
    return states.get(stage.task.id, stage.task.status)


def _changed(old: Stage, new: Stage, state: ItemState) -> tuple[str, ...]:
    found = [key for key in _FIELDS if getattr(old.task, key) != getattr(new.task, key)]
    if old.wanted != new.wanted:
        found.append("agent")
    if is_wish(new.task.status, recorded=old.task.status, state=state):
        found.append("status")
    if not {"parent", "depends_on", "parallel"} & set(found) and _waits(old) != _waits(new):
        found.append("order")
    return tuple(found)


def _waits(stage: Stage) -> frozenset[str]:
    return frozenset(wait.on for wait in stage.waits)


def _orphans(
    old: Mapping[str, Stage],
    new: Mapping[str, Stage],
    changes: Mapping[str, tuple[str, ...]],
    states: Mapping[str, ItemState],
) -> Iterator[Orphan]:
    for id_, stage in old.items():
        state = _state(stage, states)
        if state not in UNDER_WAY:
            continue
        if id_ not in new:
            yield Orphan(id_, state, "the file does not have it any more")
            continue
        if begun := [key for key in changes[id_] if key in _BEGUN_WITH]:
            yield Orphan(id_, state, f"it has begun with another {', '.join(f'`{key}`' for key in begun)}")
        if new[id_].grouping is not None and stage.grouping is None:
            yield Orphan(id_, state, "it becomes an epic, which nobody works on")
        elif stage.grouping is None and (later := _unsettled(stage, new[id_], old, states)):
            yield Orphan(id_, state, f"it would have to wait for {', '.join(f'`{on}`' for on in later)}")


def _unsettled(before: Stage, after: Stage, old: Mapping[str, Stage], states: Mapping[str, ItemState]) -> list[str]:
    """What a task waits for now, did not before, and is not settled."""
    known = _waits(before)
    fresh = [wait.on for wait in after.waits if wait.on not in known]
    return [on for on in fresh if on not in old or not _state(old[on], states).settled]
