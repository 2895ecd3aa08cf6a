"""Records as they are stored: which of them an older release wrote, in a form that this one understands and no longer
writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pydantic

from tinytown.missions.records.attempt import AttemptRecord
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.records.record import Record
from tinytown.state.database import answering
from tinytown.state.records import DamagedRecordError, Versioned, decode, require_known
from tinytown.state.store import PAGE, Store


def head(store: Store, mission: str) -> tuple[Versioned[Mission], bool]:
    """A mission's head, and whether it is of an older form.

    Raises:
        TinytownError: a newer release made it, or it cannot be read.
    """
    key = store.keys.mission(mission)
    with answering():
        text = store.client.hget(key, "head")
    if text is None:
        raise DamagedRecordError(key, "head")
    found = decode(Mission, key, "head", str(text))
    require_known(found.record)
    return found, '"schema_version":' not in str(text) or _is_older(_body(str(text)), found.record)


def items(store: Store, mission: str, keys: Sequence[str]) -> tuple[int, list[Versioned[Item]]]:
    """How many of these items there are, and those of an older form; raises ``DamagedRecordError``."""
    name = store.keys.items(mission)
    with answering():
        texts = store.client.hmget(name, list(keys))
    found = [(decode(Item, name, key, str(t)), str(t)) for key, t in zip(keys, texts, strict=True) if t is not None]
    return len(found), [one for one, text in found if _is_older(_body(text), one.record)]


def attempts(store: Store, mission: str) -> Iterator[tuple[str, str, AttemptRecord, bool]]:
    """Field, text and record of each finished attempt, and whether it is of an older form."""
    name = store.keys.mission_attempts(mission)
    with answering():
        for field, text in store.client.hscan_iter(name, count=PAGE):
            try:
                record = AttemptRecord.model_validate_json(str(text))
            except pydantic.ValidationError:
                raise DamagedRecordError(name, str(field)) from None
            yield str(field), str(text), record, _is_older(json.loads(str(text)), record)


def _body(text: str) -> Any:
    return json.loads(text.partition("\n")[2])


def _is_older(stored: Any, record: Record) -> bool:
    """Whether something of what is stored is not what the record says now."""
    return not _says(stored, record.model_dump(mode="json"))


def _says(stored: Any, now: Any) -> bool:
    """Whether all that is stored is said now, in the same place and words; more may be."""
    if isinstance(stored, Mapping) and isinstance(now, Mapping):
        return all(key in now and _says(value, now[key]) for key, value in stored.items())
    if isinstance(stored, list) and isinstance(now, list):
        return len(stored) == len(now) and all(map(_says, stored, now))
    return bool(stored == now)
