"""What a person says of a task overrules what its agents are at."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tinytown.missions import gates
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState


def stands(item: Item, state: ItemState, *, now: float) -> Item:
    """It is ``state``, as a person said.

    If that settles it, what its agents changed and is not merged has proved nothing: it stays in its branch.
    """
    new = item.evolve(state=state, waiting=None, not_before=None, settled_at=now)
    return _without_change(new) if state.settled else new


def _without_change(item: Item) -> Item:
    """The item without a change that is not merged, which another attempt may go on from."""
    if item.head is None or item.head == item.merged_head:
        return item.evolve(fix=None)
    return item.evolve(
        head=None,
        published=None,
        change=None,
        checked=None,
        checked_tree=None,
        approved=None,
        approved_by=None,
        human_approved=None,
        review_warnings=None,
        doubt=None,
        merge_wanted=False,
        fix=None,
        salvage=item.head,
    )


def reopen(items: Mapping[str, Item], before: Mapping[str, Item], *, told: Collection[str] = ()) -> dict[str, Item]:
    """The items, in which what settles with others is open again where it had settled and now has others in it.

    ``before`` are those that there were before the change, ``told`` the keys of those that stand as a person said.
    ``items`` are in an order that respects every edge.
    """
    known = dict(items)
    for key, item in items.items():
        old = before.get(key)
        if old is None or item.state is not ItemState.DONE or item.kind not in gates.FOLLOWERS or key in told:
            continue
        edges = {edge.on for edge in old.edges}
        unsettled = [edge.on for edge in item.edges if not known[edge.on].state.settled]
        if any(on not in edges or before[on].state.settled for on in unsettled):
            known[key] = item.evolve(state=ItemState.PENDING, settled_at=None)
    return known
