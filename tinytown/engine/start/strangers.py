"""Issues by people who may not write to the repository: agents do what an issue says, so a person reads it first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tinytown import keys
from tinytown.errors import StateError
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState


def refusals(items: Iterable[Item], issues: Mapping[str, Issue], *, trust: bool) -> list[StateError]:
    """A refusal for each issue that would be worked on and that nobody with write access wrote, unless ``trust``."""
    if trust:
        return []
    wanted = (issues[item.key] for item in items if item.state is not ItemState.SKIPPED and item.key in issues)
    return [_refusal(issue.key) for issue in wanted if not issue.trusted]


def _refusal(key: str) -> StateError:
    return StateError(
        f"{key} is by somebody who may not write to {keys.parse(key).repo}, and agents do what an issue says",
        remedy="read it, then start it with `--trust`; or leave it out",
    )
