"""Whether an issue is done already: as its forge says, or by a mission of this town."""

from __future__ import annotations

from collections.abc import Sequence

from tinytown.engine.context import Context
from tinytown.missions.states import ItemState


def settled_outside(context: Context, key: str) -> bool:
    """Whether an issue outside a mission counts as completed: its forge says so, or a mission of this town did it."""
    return context.forge_of(key).issue_state(key) == "completed" or done_here(context, key)


def done_here(context: Context, key: str) -> bool:
    """Whether a mission of this town did the issue."""
    return key in done_by(context, [key])


def done_by(context: Context, keys: Sequence[str]) -> dict[str, str]:
    """The newest mission of this town that did an issue, for those of ``keys`` that one did."""
    found: dict[str, str] = {}
    for mission_id in context.store.mission_ids(live=False):
        items = context.store.some_items(mission_id, keys)
        found.update((key, mission_id) for key, item in items.items() if item.record.state is ItemState.DONE)
    return found
