"""What was seen of changes at a remote forge."""

from __future__ import annotations

from collections.abc import Sequence

from tinytown.missions.records.forge_evidence import ChangeWatch
from tinytown.state.database import answering
from tinytown.state.store import Store


def of_items(store: Store, mission: str, keys: Sequence[str]) -> dict[str, ChangeWatch]:
    """What is known of the changes of these items; nothing yet where none was looked at."""
    if not keys:
        return {}
    with answering():
        texts = store.client.hmget(store.keys.mission_watches(mission), list(keys))
    return {
        key: ChangeWatch() if text is None else ChangeWatch.model_validate_json(str(text))
        for key, text in zip(keys, texts, strict=True)
    }
