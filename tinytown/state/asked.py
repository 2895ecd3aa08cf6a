"""What the unattended conductor was asked."""

from __future__ import annotations

import logging

from tinytown.missions.records.asked import Asked
from tinytown.state.change import Change
from tinytown.state.database import answering
from tinytown.state.records import DamagedRecordError, Versioned, decode
from tinytown.state.store import Store

log = logging.getLogger(__name__)


def every(store: Store) -> dict[str, Versioned[Asked]]:
    """All that is on record, by the mission of the run."""
    key = store.keys.questions
    with answering():
        found = store.client.hgetall(key)
    known = {}
    for run, text in found.items():
        try:
            known[str(run)] = decode(Asked, key, str(run), str(text))
        except DamagedRecordError as error:
            # Its question may be given again; nothing else is lost with it.
            log.warning("%s", error)
    return known


def one(store: Store, run: str) -> Versioned[Asked] | None:
    """What was asked in this run."""
    key = store.keys.questions
    with answering():
        text = store.client.hget(key, run)
    return None if text is None else decode(Asked, key, run, str(text))


def runs(store: Store) -> set[str]:
    """The missions that are runs of the unattended conductor, as far as they are on record."""
    with answering():
        return {str(run) for run in store.client.hkeys(store.keys.questions)}


def active(store: Store) -> list[str]:
    """The missions that have not ended, the oldest first, without the runs of the unattended conductor."""
    live = store.mission_ids(live=True)
    ours = runs(store) if live else set()
    return [mission for mission in live if mission not in ours]


def is_run(store: Store, mission: str) -> bool:
    """Whether a mission is a run of the unattended conductor, also one that is on record no more."""
    if mission in runs(store):
        return True
    try:
        return store.mission(mission).record.tasks == "questions"
    except DamagedRecordError:
        return False


def number(store: Store) -> int:
    """How many questions were ever given."""
    with answering():
        return int(store.client.get(store.keys.questions_number) or 0)


def begin(change: Change, new: Asked, *, after: int) -> None:
    """Put a new one on record, unless another one was given since there were ``after``."""
    change.expect_questions(after)
    change.put_asked(None, new)
