"""What is indexed besides the lines of due items: which items have to be looked at again, and how many are in each
state.
"""

from __future__ import annotations

from tinytown import keys
from tinytown.missions import escalation, gates
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.missions.states import ItemState, WaitReason

#: The name under which items that were sent and items that run are counted together.
AT_WORK = "at_work"
#: Words that tell what a count of tasks is by, between the state and the name.
TAG, WHOSE = "tag", "whose"


def counted(state: ItemState) -> str:
    """The name under which an item in this state is counted."""
    return AT_WORK if state in (ItemState.ASSIGNED, ItemState.RUNNING) else state.value


def tallied(item: Item) -> tuple[str, ...]:
    """The names under which a task is counted besides: its state with each of its tags, and with whose it is."""
    if not keys.is_task(item.key):
        return ()
    state = counted(item.state)
    whose = item.agent or item.directed_to or item.role
    return (f"{state} {WHOSE} {whose}", *(f"{state} {TAG} {tag}" for tag in dict.fromkeys(item.labels)))


def notable(item: Item, policy: Policy) -> bool:
    """Whether a person may have to be asked about the item, or something outside the town may move it."""
    if item.state in (ItemState.FAILED, ItemState.CANCELLED):
        return True
    if item.blockers and item.state is ItemState.PENDING:
        return True
    if item.untaken >= escalation.MAX_UNTAKEN and not item.state.ended:
        return True
    if item.waiting is not None and item.waiting.reason in _LOOKED_AT:
        return True
    if gates.is_watched(item, policy):
        return True
    return gates.merged_elsewhere_counts(item, policy)


_LOOKED_AT = escalation.FOR_A_PERSON | {WaitReason.MERGE}


def opens(old: Item | None, new: Item) -> bool:
    """Whether this change may have made items startable: those that wait for the item, or the item itself.

    For a new item (without ``old``) only the item itself.
    """
    free = new.state is ItemState.PENDING and not new.blockers
    if old is None:
        return free and not new.edges
    freed = free and (old.state is not ItemState.PENDING or bool(old.blockers))
    return freed or (new.state.settled and not old.state.settled)
