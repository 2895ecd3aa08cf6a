"""Missions that ended long ago: read as lines, and removed once these are in a file.

What later missions need to know of them stays: which of their issues are done, and that there were these missions.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from tinytown import keys as item_keys
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState
from tinytown.state import saved
from tinytown.state.database import Draft, answering, connect
from tinytown.state.records import Versioned, decode
from tinytown.state.snapshot import Line, pages
from tinytown.state.store import Store

#: Missions that are looked at in one go.
PAGE = 200
#: Pairs of one write.
_PAIRS = 200
_PART = "mission:<id>"


def ended(store: Store, *, before: float) -> Iterator[Versioned[Mission]]:
    """Missions that ended before this time, the oldest first, a page at a time; a damaged one is left out."""
    with answering():
        ids = [str(one) for one in store.client.zrangebyscore(store.keys.missions, "-inf", before)]
        live = {str(one) for one in store.client.smembers(store.keys.live)}
    ids = [one for one in ids if one not in live]
    for first in range(0, len(ids), PAGE):
        page = ids[first : first + PAGE]
        with answering(), store.client.pipeline(transaction=False) as pipe:
            for one in page:
                pipe.hget(store.keys.mission(one), "head")
            texts = pipe.execute()
        for one, text in zip(page, texts, strict=True):
            found = _head(store, one, text)
            if found is not None and found.record.state.ended and (found.record.finished_at or before) < before:
                yield found


def _head(store: Store, mission: str, text: Any) -> Versioned[Mission] | None:
    try:
        return decode(Mission, store.keys.mission(mission), "head", str(text)) if text is not None else None
    except Exception:  # noqa: BLE001 - `tt doctor` tells of it, and it stays.
        return None


def held(store: Store) -> set[str]:
    """Missions that live, or that the plan, tasks by hand, mail, the backlog or attempts still name."""
    keys = store.keys
    with answering(), store.client.pipeline(transaction=False) as pipe:
        pipe.smembers(keys.live)
        pipe.mget(keys.plan, keys.hand)
        pipe.hvals(keys.messages_open)
        pipe.hvals(keys.backlog_taken)
        pipe.hvals(keys.attempts)
        live, named, open_, taken, attempts = pipe.execute()
    words = " ".join(str(text) for text in (*named, *open_, *taken, *attempts) if text)
    found = {str(one) for one in live}
    if words:
        with answering():
            every = [str(one) for one in store.client.zrange(keys.missions, 0, -1)]
        found.update(one for one in every if one in words)
    return found


@contextlib.contextmanager
def reading(url: str) -> Iterator[Any]:
    """A connection that gives records as they are stored; for ``lines``."""
    client = connect(url, decode=False)
    try:
        yield client
    finally:
        client.close()


def lines(store: Store, client: Any, mission: str) -> list[Line]:
    """All records of a mission, as ``tt save`` has them."""
    found: list[Line] = []
    with answering():
        for key, kind in _parts(mission):
            every = pages(client, f"{store.keys.prefix}{key}".encode(), kind)
            found += [{"key": key, "type": kind, "values": values} for values in every if values]
    return found


def _parts(mission: str) -> list[tuple[str, str]]:
    return [(key.replace("<id>", mission), kind) for key, kind in saved.SAVED.items() if key.startswith(_PART)]


def remove(store: Store, head: Versioned[Mission]) -> None:
    """Remove a mission's records in one step; what stays of it is which issues it did.

    Raises:
        ConflictError: it has changed since its head was read; nothing is removed.
    """
    keys, mission, draft = store.keys, head.record.id, Draft()
    items = store.some_items(mission, list(store.order(mission)))
    draft.expect(keys.mission(mission), "head", head.version)
    finished = [key for key, item in items.items() if item.record.state is ItemState.DONE]
    issues = store.issues(mission, finished)
    done = [word for key in finished for word in (key, f"{mission} {print_of(issues.get(key))}")]
    for first in range(0, len(done), 2 * _PAIRS):
        draft.write("HSET", keys.archived_done, *done[first : first + 2 * _PAIRS])
    if head.record.tasks == "hand":
        for page in _paged([item_keys.typed(key) for key in items]):
            draft.write("HDEL", keys.tasks, *page)
    draft.write("HDEL", keys.questions, mission)
    draft.write("ZADD", keys.archived, head.record.created_at, mission)
    draft.write("ZREM", keys.missions, mission)
    for key, _ in _parts(mission):
        draft.write("UNLINK", f"{keys.prefix}{key}")
    draft.commit(store.scripts)


def _paged(words: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(words), _PAIRS):
        yield words[first : first + _PAIRS]


def archived(store: Store) -> list[str]:
    """Ids of the missions that are in files, the oldest first."""
    with answering():
        return [str(one) for one in store.client.zrange(store.keys.archived, 0, -1)]


def count(store: Store) -> int:
    """How many there are."""
    with answering():
        return int(store.client.zcard(store.keys.archived))


def done_by(store: Store, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The archived mission that did an issue, and the print of its text, for those of ``keys`` that one did."""
    with answering():
        found = store.client.hmget(store.keys.archived_done, list(keys)) if keys else []
    told = {key: str(text).partition(" ") for key, text in zip(keys, found, strict=True) if text is not None}
    return {key: (mission, printed) for key, (mission, _, printed) in told.items()}


def print_of(issue: Issue | None) -> str:
    """Tells the text of an issue from any other."""
    return hashlib.sha256(f"{issue.title}\0{issue.body}".encode()).hexdigest() if issue is not None else ""


def trim_history(store: Store, *, before: float) -> int:
    """Drop lines of the town's history from before this time; gives how many."""
    with answering():
        return int(store.client.xtrim(store.keys.events, minid=f"{int(before * 1000)}-0", approximate=False))


def old_lines(store: Store, *, before: float) -> int:
    """How many those are."""
    with answering():
        return len(store.client.xrange(store.keys.events, "-", f"({int(before * 1000)}-0", count=100_000))


def forget_days(store: Store, *, before: float) -> int:
    """Forget what runs used on days before this time; gives how many fields went."""
    last = int(before // 86_400)
    with answering():
        names = [str(name) for name in store.client.hkeys(store.keys.spent)]
        old = [name for name in names if (day := name.partition("/")[0]).isdecimal() and int(day) < last]
        return int(store.client.hdel(store.keys.spent, *old)) if old else 0
