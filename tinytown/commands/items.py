"""Commands on one work item of a mission."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinytown.commands.table import ACTS, SEES, Caller, command

if TYPE_CHECKING:
    from tinytown.engine.views.items import WorkView
    from tinytown.missions.records.item import Item


@dataclass(frozen=True)
class Named:
    """An item as people name it (``2``, ``#2`` or its key), in the mission with this id."""

    mission: str
    item: str


@dataclass(frozen=True)
class MergedBy(Named):
    """An item, and the commit of the base that holds its change."""

    commit: str


def _work(view: WorkView) -> dict[str, Any]:
    from tinytown.engine.views.items import work_json

    return work_json(view)


@command("work.show", Named, by=SEES, shape=_work)
def show(caller: Caller, named: Named) -> WorkView:
    """Everything about an item: its attempts, their costs and outcomes."""
    from tinytown.engine.views.items import work_view

    return work_view(caller.context, named.mission, named.item)


@command("mission.merge", Named, by=ACTS)
def merge(caller: Caller, named: Named) -> Item:
    """Have an item merged that passed its gates."""
    from tinytown.engine.operate import items

    return items.merge(caller.context, named.mission, named.item)


@command("mission.merged_by", MergedBy, by=ACTS)
def merged_by(caller: Caller, wanted: MergedBy) -> Item:
    """Say that a person merged it, and by which commit."""
    from tinytown.engine.operate.merged_by import merged_by as count_as_merged

    return count_as_merged(caller.context, wanted.mission, wanted.item, wanted.commit)


@command("mission.approve", Named, by=ACTS)
def approve(caller: Caller, named: Named) -> Item:
    """Let a change through that needs a person, exactly as it is now."""
    from tinytown.engine.operate import approve as approvals

    return approvals.approve(caller.context, named.mission, named.item)
