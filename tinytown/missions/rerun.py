"""Doing a task again though it may be done: it and what came after it begin anew; what is merged stays merged."""

from __future__ import annotations

from collections.abc import Mapping

from tinytown.missions import gates
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, Source


def chosen(items: Mapping[str, Item], key: str) -> list[str]:
    """The item, and whatever waited for it, in the order of ``items``; of an epic, the tasks in it and what follows."""
    after: dict[str, list[str]] = {}
    for item in items.values():
        for edge in item.edges:
            after.setdefault(edge.on, []).append(item.key)
    found: set[str] = set()
    left = _roots(items, key)
    while left:
        one = left.pop()
        if one in items and one not in found:
            found.add(one)
            left += after.get(one, ())
    return [one for one in items if one in found]


def _roots(items: Mapping[str, Item], key: str) -> list[str]:
    """The item; of an epic also all in it, however deep, and never in a circle."""
    found = {key: None}
    left = [key]
    while left:
        item = items.get(left.pop())
        if item is None or item.kind != gates.EPIC:
            continue
        inner = [edge.on for edge in item.edges if edge.source is Source.CHILD and edge.on not in found]
        found.update(dict.fromkeys(inner))
        left += inner
    return list(found)


def again(item: Item) -> Item | None:
    """``item`` as before it began, but for its number of attempts and what they cost; ``None``: it has not begun.

    One that is ready will be done anyhow. A change that is merged is in the base, from which the next run begins; one
    that is not is what it goes on from. Only without an attempt.
    """
    if item.attempt is not None or item.state in (ItemState.PENDING, ItemState.READY, ItemState.SKIPPED):
        return None
    new = item.evolve(
        state=ItemState.PENDING,
        waiting=None,
        not_before=None,
        failures={},
        faults=0,
        limits=0,
        mute_reviews=0,
        answered=(),
        untaken=0,
        fix_rounds=0,
        fix=None,
        session=None,
        ready_at=None,
        settled_at=None,
        merge_wanted=False,
        head=None,
        approved=None,
        told=None,
        forge_verdict=None,
    )
    merged = item.merged is not None and item.merged_head == item.head
    if merged or (item.head is None and item.state.settled):
        return new.evolve(
            begun_after=item.fence,
            salvage=None,
            authors=(),
            published=None,
            change=None,
            change_id="",
            change_url="",
            merged=None,
            merged_head=None,
            review_warnings=None,
            doubt=None,
        )
    # It is no change to be judged until somebody has been at it again.
    return new.evolve(salvage=item.head or item.salvage)
