"""What a brief is made from, as commands of the server: for a round trip of their own, or at the end of a commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.state.keys import Keys
from tinytown.state.records import BriefRecords, decode

#: A command, its key, and further words.
Read = tuple[str, ...]


def reads(keys: Keys, mission: str, key: str, results_of: Sequence[str]) -> list[Read]:
    """The commands that read an item's issue, and what is known of ``results_of``."""
    issue = ("HGET", keys.mission_issues(mission), key)
    if not results_of:
        return [issue]
    return [issue, *(("HMGET", name, *results_of) for name in (keys.results(mission), keys.items(mission)))]


def made_of(keys: Keys, mission: str, results_of: Sequence[str], answers: Sequence[Any]) -> BriefRecords | None:
    """What these commands answered; ``None`` if there is no such issue."""
    issue, *known = answers
    if issue is None:
        return None
    texts, items = known or ([], [])
    name = keys.items(mission)
    return BriefRecords(
        issue=Issue.model_validate_json(str(issue)),
        results={k: str(t) for k, t in zip(results_of, texts, strict=True) if t is not None},
        items={
            k: decode(Item, name, k, str(t)).record for k, t in zip(results_of, items, strict=True) if t is not None
        },
    )
