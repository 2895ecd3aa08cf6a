"""What a brief is made from, as commands of the server: for a round trip of their own, or at the end of a commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinytown.missions import messages
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.state.keys import Keys
from tinytown.state.pending import first_of
from tinytown.state.records import BriefRecords, decode

#: A command, its key, and further words.
Read = tuple[str, ...]


def reads(keys: Keys, mission: str, key: str, results_of: Sequence[str], *, agent: str = "") -> list[Read]:
    """The commands that read an item's issue, what is known of ``results_of``, and messages that wait for ``agent``."""
    found: list[Read] = [("HGETALL", keys.mail_pending(agent))] if agent else []
    found.append(("HGET", keys.mission_issues(mission), key))
    if not results_of:
        return found
    return [*found, *(("HMGET", name, *results_of) for name in (keys.results(mission), keys.items(mission)))]


def made_of(
    keys: Keys, mission: str, results_of: Sequence[str], answers: Sequence[Any], *, agent: str = ""
) -> BriefRecords | None:
    """What these commands answered; ``None`` if there is no such issue."""
    mail = None
    if agent:
        words, *answers = answers
        texts = dict(zip(map(str, words[::2]), map(str, words[1::2]), strict=True))
        mail = first_of(keys.mail_pending(agent), texts, messages.MOST_WAITING, kinds=messages.TOLD)
    issue, *known = answers
    if issue is None:
        return None
    left, items = known or ([], [])
    name = keys.items(mission)
    return BriefRecords(
        mail=mail,
        issue=Issue.model_validate_json(str(issue)),
        results={k: str(t) for k, t in zip(results_of, left, strict=True) if t is not None},
        items={
            k: decode(Item, name, k, str(t)).record for k, t in zip(results_of, items, strict=True) if t is not None
        },
    )
