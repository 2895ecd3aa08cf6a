"""Reading by indexes: what waits where, what needs somebody, how many are in each state, and what happened last."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tinytown.missions import lanes
from tinytown.missions.records.agent import Event
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState
from tinytown.state.database import answering
from tinytown.state.indexes import FIELD, FORM
from tinytown.state.records import Versioned
from tinytown.state.store import PAGE, Store


def due(store: Store, mission: str) -> list[str]:
    """Keys of all items that are due: they would move, if they could."""
    with answering(), store.client.pipeline(transaction=True) as pipe:
        pipe.zrange(store.keys.lanes(mission), 0, -1)
        pipe.zrange(store.keys.later(mission), 0, -1)
        found, later = pipe.execute()
    return sorted({*(lanes.read_entry(str(entry))[1] for entry in found), *map(str, later)})


def lines(store: Store, mission: str) -> dict[str, int]:
    """How many items wait in each line."""
    found: dict[str, int] = {}
    with answering():
        entries = store.client.zrange(store.keys.lanes(mission), 0, -1)
    for entry in entries:
        lane, _ = lanes.read_entry(str(entry))
        found[lane] = found.get(lane, 0) + 1
    return found


def notable(store: Store, mission: str) -> dict[str, Versioned[Item]]:
    """Items that a person may have to be asked about, or that something outside may move, in the graph's order."""
    with answering():
        found = {str(key) for key in store.client.smembers(store.keys.notable(mission))}
    return store.some_items(mission, in_order(store, mission, found))


def some_waiting(store: Store, mission: str, most: int) -> tuple[list[str], list[str]]:
    """Keys of about ``most`` notable items, and of those that wait for a time the ``most`` whose time comes first."""
    with answering(), store.client.pipeline(transaction=False) as pipe:
        pipe.sscan(store.keys.notable(mission), count=most)
        pipe.zrange(store.keys.later(mission), 0, most - 1)
        (_, noted), later = pipe.execute()
    return sorted(map(str, noted)), [str(key) for key in later]


def with_awaited(store: Store, mission: str, items: Mapping[str, Item]) -> dict[str, Item]:
    """The items, and whatever the pending ones among them wait for."""
    waits = [item for item in items.values() if item.state is ItemState.PENDING]
    wanted = dict.fromkeys(edge.on for item in waits for edge in item.edges if edge.on not in items)
    found = store.some_items(mission, list(wanted))
    return {**items, **{key: item.record for key, item in found.items()}}


def opens(store: Store, mission: str) -> dict[str, Versioned[Item]]:
    """Some of the items whose dependents may have become startable, and have not been looked at yet."""
    with answering():
        found = {str(key) for key in store.client.srandmember(store.keys.opens(mission), PAGE)}
    return store.some_items(mission, in_order(store, mission, found))


def counts(store: Store, mission: str) -> dict[str, int] | None:
    """How many items are in each state, as ``missions.attention`` names them; ``None``: not counted yet."""
    with answering(), store.client.pipeline(transaction=False) as pipe:
        pipe.hget(store.keys.mission(mission), FIELD)
        pipe.hgetall(store.keys.counts(mission))
        form, found = pipe.execute()
    return {str(state): int(count) for state, count in found.items() if int(count)} if form == FORM else None


def tallies(store: Store, missions: Sequence[str]) -> dict[str, tuple[dict[str, int], dict[str, int]] | None]:
    """Of each mission how many items are in each state, and how many tasks by state and tag, or whose they are.

    As ``missions.attention`` names them; ``None``: not counted yet.
    """
    with answering(), store.client.pipeline(transaction=False) as pipe:
        for mission in missions:
            pipe.hget(store.keys.mission(mission), FIELD)
            pipe.hgetall(store.keys.counts(mission))
            pipe.hgetall(store.keys.tally(mission))
        rows = pipe.execute()
    found: dict[str, tuple[dict[str, int], dict[str, int]] | None] = {}
    for mission, (form, *hashes) in zip(missions, zip(*(iter(rows),) * 3, strict=True), strict=True):
        states, names = ({str(name): int(n) for name, n in one.items() if int(n)} for one in hashes)
        found[mission] = (states, names) if form == FORM else None
    return found


def raw_items(store: Store, mission: str) -> list[dict[str, Any]]:
    """All items in the graph's order, as they are stored, for lists of a few of their fields: quick, and unchecked.

    Fields that are empty are missing. What cannot be read is left out.
    """
    with answering():
        texts = store.client.hgetall(store.keys.items(mission))
    found: dict[str, dict[str, Any]] = {}
    for key, text in texts.items():
        with contextlib.suppress(ValueError):
            values = json.loads(str(text).partition("\n")[2])
            if isinstance(values, dict):
                found[str(key)] = values
    order = store.order(mission)
    return [found[key] for key in sorted(found, key=lambda key: order.get(key, len(order)))]


def result(store: Store, mission: str, key: str) -> str | None:
    """What an item left, if it left anything."""
    with answering():
        found = store.client.hget(store.keys.results(mission), key)
    return str(found) if found is not None else None


def wanted(store: Store, agent: str) -> bool:
    """Whether an agent has an attempt, sent or claimed, or an active mission something that it alone may begin."""
    if any(attempt.agent == agent for attempt in store.live_attempts()):
        return True
    active = [one for one in store.mission_ids(live=True) if store.mission(one).record.state.active]
    line = f"[{lanes.of_agent(agent)} "
    with answering(), store.client.pipeline(transaction=False) as pipe:
        for mission in active:
            pipe.zrangebylex(store.keys.lanes(mission), line, f"{line}\xff", start=0, num=1)
        return any(pipe.execute())


def entries(store: Store, mission: str, *, page: int) -> list[str]:
    """A page of the entries of all lines; after the last page comes the first."""
    name = store.keys.lanes(mission)
    with answering():
        start = page % max(1, -(-int(store.client.zcard(name)) // PAGE)) * PAGE
        return [str(entry) for entry in store.client.zrange(name, start, start + PAGE - 1)]


def placed(store: Store, mission: str, keys: Sequence[str], wanted: Sequence[str]) -> tuple[dict[str, float], set[str]]:
    """Those of ``keys`` that wait for a time, with it, and those of the entries ``wanted`` that are in a line."""
    with answering(), store.client.pipeline(transaction=False) as pipe:
        pipe.zmscore(store.keys.later(mission), list(keys) or [""])
        pipe.zmscore(store.keys.lanes(mission), list(wanted) or [""])
        times, scores = pipe.execute()
    later = {key: float(time) for key, time in zip(keys, times, strict=False) if time is not None}
    return later, {entry for entry, score in zip(wanted, scores, strict=False) if score is not None}


def page(store: Store, mission: str, turn: int) -> list[str]:
    """A page of all keys; after the last page comes the first, so that each tick can take the next one."""
    order = list(store.order(mission))
    start = turn % max(1, -(-len(order) // PAGE)) * PAGE
    return order[start : start + PAGE]


def in_order(store: Store, mission: str, wanted: Collection[str]) -> list[str]:
    """Those of ``wanted`` that are items of the mission, in the graph's order."""
    order = store.order(mission)
    return sorted((key for key in wanted if key in order), key=order.__getitem__)


def events_before(
    store: Store, mission: str | None = None, *, before: str = "+", count: int = 100
) -> list[tuple[str, Event]]:
    """The newest ``count`` entries of the history before a position (``+``: the end), the newest event first."""
    key = store.keys.events if mission is None else store.keys.mission_events(mission)
    with answering():
        rows = store.client.xrevrange(key, before if before == "+" else f"({before}", "-", count=count)
    return [(str(i), Event.model_validate_json(t)) for i, fields in rows for t in reversed(list(fields.values()))]
