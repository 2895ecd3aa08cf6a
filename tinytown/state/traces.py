"""The first span of an item's trace, sent by whoever ends the item."""

from __future__ import annotations

from tinytown import tracing
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState


def ended(mission: str, item: Item, *, at: float) -> None:
    """Tell of an item that has ended, with what became of it; one that never began has no trace."""
    since = item.ready_at or item.started_at
    if since is None:
        return
    until = item.settled_at or at
    tracing.settled(
        mission,
        item.key,
        f"{item.noun} {item.name}",
        since=min(since, until),
        until=until,
        failed=item.waiting.remedy if item.state is ItemState.FAILED and item.waiting else "",
        state=item.state.value,
        role=item.role,
        attempts=item.fence,
        cost_usd=item.cost_usd,
    )
