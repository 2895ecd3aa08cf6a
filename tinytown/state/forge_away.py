"""That a remote forge does not answer, or asks to be left alone: noted by whoever looks at it, shown to people."""

from __future__ import annotations

from pydantic import ValidationError

from tinytown.missions.records.record import Record
from tinytown.state.database import answering
from tinytown.state.store import Store

#: Seconds after the next look was due at which a note says nothing any more: nobody looks.
_STALE_SECS = 900.0


class ForgeAway(Record):
    """Since when, why, and when it is asked again."""

    since: float
    until: float
    why: str


def note(store: Store, why: str, *, seconds: float) -> None:
    """It is left alone for so long now; since when it is away stays as it was."""
    now, known = store.now(), read(store)
    away = ForgeAway(since=known.since if known is not None else now, until=now + seconds, why=why)
    with answering():
        store.client.set(store.keys.forge_away, away.model_dump_json(), px=round((seconds + _STALE_SECS) * 1000))


def forget(store: Store) -> None:
    """It answers."""
    with answering():
        store.client.delete(store.keys.forge_away)


def read(store: Store) -> ForgeAway | None:
    """What is known; ``None`` if it answered at the last look."""
    with answering():
        text = store.client.get(store.keys.forge_away)
    try:
        return None if text is None else ForgeAway.model_validate_json(str(text))
    except ValidationError:
        return None  # It is of another release, and the next look writes it anew.
