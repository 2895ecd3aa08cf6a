"""Whether an issue is done already: as its forge says, or by a mission of this town."""

from __future__ import annotations

from collections.abc import Sequence

from tinytown.engine.context import Context
from tinytown.errors import NotFoundError
from tinytown.missions.records.issue import Issue
from tinytown.missions.states import ItemState
from tinytown.state import archive


def settled_outside(context: Context, key: str) -> bool:
    """Whether an issue outside a mission counts as completed: its forge says so, or a mission of this town did it."""
    return context.forge_of(key).issue_state(key) == "completed" or done_here(context, key)


def done_here(context: Context, key: str) -> bool:
    """Whether a mission of this town did the issue."""
    return key in done_by(context, [key])


def done_by(context: Context, keys: Sequence[str]) -> dict[str, str]:
    """The newest mission of this town that did an issue, for those of ``keys`` that one did."""
    found = {key: mission for key, (mission, _) in archive.done_by(context.store, keys).items()}
    for mission_id in context.store.mission_ids(live=False):
        items = context.store.some_items(mission_id, keys)
        found.update((key, mission_id) for key, item in items.items() if item.record.state is ItemState.DONE)
    return found


def did_this(context: Context, mission: str, issue: Issue) -> bool:
    """Whether the text of the issue is the one that this mission, which did it, had."""
    try:
        done = context.store.brief_records(mission, issue.key, []).issue
    except NotFoundError:
        return archive.done_by(context.store, [issue.key]).get(issue.key) == (mission, archive.print_of(issue))
    return (done.title, done.body) == (issue.title, issue.body)
