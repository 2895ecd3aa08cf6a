"""An item's change as the forge knows it, and the repository that it is in."""

from __future__ import annotations

from collections.abc import Sequence

from tinytown import characters
from tinytown.forge.contract import Change as ForgeChange
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.settings import Settings


def repo_of(item: Item, mission: Mission) -> str:
    """The repository that an item's key names."""
    return item.key.rpartition("#")[0] if "#" in item.key else mission.repo


def checks_of(item: Item, mission: Mission, settings: Settings) -> Sequence[str]:
    """The commands that an item's change must pass: the mission's own, else those of the town for its repository."""
    if mission.checks is not None:
        return mission.checks
    return settings.forge.checks_of(repo_of(item, mission)) or []


def forge_change(item: Item, mission: Mission) -> ForgeChange:
    """An item's change in the forge's words."""
    assert item.head is not None
    return ForgeChange(
        key=item.key,
        branch=item.branch,
        base=mission.base_of(repo_of(item, mission)),
        head=item.head,
        title=characters.shown(item.title, prose=True),
        body=f"Mission {mission.id}",
        name=item.change or "",
        id=item.change_id,
        pushed=item.published,
        # It is taken out of the drafts by the judge, who sees more than the approval.
        draft=mission.policy.drafts and item.approved != item.head,
        method=mission.policy.merge_method,
    )
