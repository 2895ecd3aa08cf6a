"""Missions in Redis: loading, and committing changes by compare-and-set.

A use case loads what it needs, decides, fills a ``Change`` and commits it; ``ConflictError`` means somebody
was quicker, and it loads again. A ``Change`` keeps the indexes (due items, live attempts, leases, claimed
issues) in step with the records, so nobody else has to think of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinytown.errors import NotFoundError
from tinytown.missions import lanes
from tinytown.missions.limits import Limit
from tinytown.missions.records.agent import Event
from tinytown.missions.records.attempt import AttemptRecord
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.state import briefs, spending
from tinytown.state.change import Change
from tinytown.state.database import Scripts, answering, connect
from tinytown.state.indexes import FIELD, FORM
from tinytown.state.keys import Keys
from tinytown.state.records import (
    AdmissionView,
    BriefRecords,
    DamagedRecordError,
    LiveAttempt,
    MissionItems,
    Versioned,
    decode,
    full_disks,
    limits_of,
    live_attempt,
    pairs,
    presence,
    require_known,
    seconds,
    streams,
)

#: Items read by one command.
PAGE = 500
#: Entries of each line of due items that an admission reads at first.
HEADS = 8
#: Orders kept in memory; they never change once written, but that of a plan with its ``edition``.
_ORDERS = 64
#: Documents and prompts kept in memory: few, as they may be large.
_FIXED = 8


class Store:
    """The missions of one town."""

    def __init__(self, url: str, prefix: str, *, retries: int = 3, by: str = "") -> None:
        # The client's own types mix sync and async answers; the methods below say what comes back.
        self.client: Any = connect(url, retries=retries)
        self.keys = Keys(prefix)
        #: Who makes the changes: ``operator``, an agent's name, or nothing for the town itself.
        self.by = by
        self.scripts = Scripts(self.client)
        #: See ``Change.completes``.
        self.completes: Callable[[Change], None] | None = None
        self._orders: dict[str, tuple[int | None, dict[str, int]]] = {}
        self._fixed: dict[tuple[str, str], Any] = {}

    def change(self) -> Change:
        """An empty change."""
        change = Change(self.keys, self.scripts, by=self.by)
        change.completes = self.completes
        return change

    def now(self) -> float:
        """The server's time, seconds since the epoch."""
        with answering():
            return seconds(self.client.time())

    # -- missions --------------------------------------------------------------------------------

    def mission(self, mission: str) -> Versioned[Mission]:
        """A mission's head.

        Raises:
            NotFoundError: there is none with this id.
        """
        with answering():
            text = self.client.hget(self.keys.mission(mission), "head")
        if text is None:
            raise NotFoundError(f"there is no mission `{mission}`", remedy="see `tt mission list --all`")
        return self._head(mission, str(text))

    def _head(self, mission: str, text: str) -> Versioned[Mission]:
        found = decode(Mission, self.keys.mission(mission), "head", text)
        require_known(found.record)
        return found

    def mission_ids(self, *, live: bool) -> list[str]:
        """Ids, the oldest first; ``live``: only those that have not ended."""
        with answering():
            ids = [str(i) for i in self.client.zrange(self.keys.missions, 0, -1)]
            if not live:
                return ids
            wanted = {str(i) for i in self.client.smembers(self.keys.live)}
        return [i for i in ids if i in wanted]

    def find_mission(self, text: str) -> str:
        """The id that begins with ``text``.

        Raises:
            NotFoundError: none, or more than one, does.
        """
        found = [i for i in self.mission_ids(live=False) if i.startswith(text)] if text else []
        if text in found:
            return text
        if not found and text and (archived := self._archived(text)):
            said = f"mission {archived} is archived, and not in the database any more"
            raise NotFoundError(said, remedy=f"read .tt/archive/{archived}.jsonl.gz; see `tt help gc`")
        if len(found) != 1:
            what = "more than one mission begins" if found else "no mission begins"
            raise NotFoundError(f"{what} with `{text}`", remedy="see `tt mission list --all`")
        return found[0]

    def _archived(self, text: str) -> str:
        with answering():
            every = [str(one) for one in self.client.zrange(self.keys.archived, 0, -1)]
        return next((one for one in every if one.startswith(text)), "")

    def admissions(self) -> int:
        """Version of what admissions are decided from."""
        with answering():
            return int(self.client.get(self.keys.admissions) or 0)

    def wanting(self) -> list[str]:
        """Missions with items that wait for a worker, the oldest first."""
        with answering():
            wanted = {str(i) for i in self.client.smembers(self.keys.wanting)}
        return [i for i in self.mission_ids(live=True) if i in wanted] if wanted else []

    def static(self, mission: str, field: str) -> Any:
        """What was written at the start: ``graph``, ``canvas``, ``objectives``, ``docs``, ``prompts`` or ``plan``."""
        with answering():
            text = self.client.hget(self.keys.mission(mission), field)
        if text is None:
            raise NotFoundError(f"mission {mission} has no {field}", remedy="see `tt mission list --all`")
        return json.loads(str(text))

    def fixed(self, mission: str, field: str) -> Any:
        """``static``, kept in memory for a while: what each brief of a mission is made from."""
        if (mission, field) not in self._fixed:
            while len(self._fixed) >= _FIXED:
                self._fixed.pop(next(iter(self._fixed)))
            self._fixed[mission, field] = self.static(mission, field)
        return self._fixed[mission, field]

    def mission_of_issue(self, key: str) -> str | None:
        """The live mission that has this issue."""
        with answering():
            found = self.client.hget(self.keys.issues, key.casefold())
        return None if found is None else str(found)

    def mission_items(self, mission: str, keys: Sequence[str], *, limits: bool = False) -> MissionItems:
        """A mission's head, those of ``keys`` that exist, and the time, in one round trip; with ``limits`` those too.

        Raises:
            NotFoundError: there is no such mission.
        """
        with answering(), self.client.pipeline(transaction=False) as pipe:
            pipe.hget(self.keys.mission(mission), "head")
            pipe.hmget(self.keys.items(mission), list(keys))
            pipe.time()
            if limits:
                pipe.hgetall(self.keys.limits)
            head, texts, time, *known = pipe.execute()
        if head is None:
            raise NotFoundError(f"there is no mission `{mission}`", remedy="see `tt mission list --all`")
        return MissionItems(
            now=seconds(time),
            mission=self._head(mission, str(head)),
            items=self._found(mission, keys, texts),
            limits=limits_of(known[0].items()) if known else {},
        )

    def size(self, mission: str) -> int:
        """How many items a mission has."""
        with answering():
            return int(self.client.hlen(self.keys.items(mission)))

    # -- items -----------------------------------------------------------------------------------

    def item(self, mission: str, key: str) -> Versioned[Item]:
        """One item; raises ``NotFoundError``."""
        found = self.some_items(mission, [key])
        if key not in found:
            raise NotFoundError(f"mission {mission} has no item `{key}`", remedy="see `tt mission status --work`")
        return found[key]

    def some_items(self, mission: str, keys: Sequence[str]) -> dict[str, Versioned[Item]]:
        """Those of ``keys`` that exist."""
        found: dict[str, Versioned[Item]] = {}
        for start in range(0, len(keys), PAGE):
            page = list(keys[start : start + PAGE])
            with answering():
                texts = self.client.hmget(self.keys.items(mission), page)
            found.update(self._found(mission, page, texts))
        return found

    def objectives(self, mission: Mission) -> tuple[str, ...]:
        """Keys of the issues asked for, in the order asked."""
        # In an older release the head itself had them.
        return mission.objectives or tuple(self.static(mission.id, "objectives"))

    def order(self, mission: str) -> Mapping[str, int]:
        """The keys of all items, skipped ones too, each with its place in the graph's order."""
        edition, order = self._orders.get(mission, (None, None))
        if order is None or (edition is not None and edition != self.edition(mission)):
            self._orders.pop(mission, None)
            while len(self._orders) >= _ORDERS:
                self._orders.pop(next(iter(self._orders)))
            graph = self.static(mission, "graph")
            order = {key: place for place, key in enumerate(graph["order"])}
            self._orders[mission] = graph.get("edition"), order
        return order

    def edition(self, mission: str) -> int:
        """How often the plan of a mission was changed; 0 for any other mission."""
        with answering():
            return int(self.client.hget(self.keys.mission(mission), "edition") or 0)

    def result(self, mission: str, key: str) -> str:
        """What one item left; empty if nothing."""
        with answering():
            return str(self.client.hget(self.keys.results(mission), key) or "")

    def results(self, mission: str) -> dict[str, str]:
        """What the items of a mission left, by key."""
        with answering():
            return {str(key): str(text) for key, text in self.client.hgetall(self.keys.results(mission)).items()}

    def _found(self, mission: str, keys: Sequence[str], texts: Sequence[Any]) -> dict[str, Versioned[Item]]:
        name = self.keys.items(mission)
        return {k: decode(Item, name, k, str(t)) for k, t in zip(keys, texts, strict=True) if t is not None}

    def items(self, mission: str) -> dict[str, Versioned[Item]]:
        """All items, in the order of the graph."""
        order = self.order(mission)
        found = self.some_items(mission, list(order))
        for key in order:
            if key not in found:
                raise DamagedRecordError(self.keys.items(mission), key)
        return found

    def admission_view(
        self, mission: str, keys: Sequence[str] = (), *, heads: int = HEADS, with_costs: bool = True
    ) -> AdmissionView:
        """What an admission is decided from, and the items ``keys``, read in one step and one round trip.

        Of each line of due items it has the first ``heads``. Without ``with_costs`` it has what runs used so far only
        if a person has limited the day.

        Raises:
            NotFoundError: there is no such mission.
        """
        names = self.keys
        with answering():
            answer = self.scripts.view(
                keys=[
                    names.admissions,
                    names.mission(mission),
                    names.lanes(mission),
                    names.items(mission),
                    names.attempts,
                    names.agents,
                    names.alive,
                    names.wanting,
                    names.limits,
                    names.later(mission),
                    names.messages_due,
                    names.spent,
                    names.costs,
                    names.disks,
                ],
                args=[heads, FIELD, int(with_costs), *keys],
            )
        time, version, (head, form), entries, ends, due_texts, ripe, later, *answer = answer
        attempts, agents, alive, wanted, texts, limits, letters, spent, costs, disks = answer
        if head is None:
            raise NotFoundError(f"there is no mission `{mission}`", remedy="see `tt mission list --all`")
        now = seconds(time)
        found = self._found(mission, [lanes.read_entry(str(entry))[1] for entry in entries], due_texts)
        return AdmissionView(
            now=now,
            version=int(version or 0),
            mission=self._head(mission, str(head)),
            due=dict(sorted(found.items())),
            ends=frozenset(lanes.read_entry(str(entry))[1] for entry in ends),
            ripe=tuple(map(str, ripe)),
            later=bool(later),
            indexed=form == FORM,
            attempts=[live_attempt(str(i), str(t)) for i, t in pairs(attempts)],
            agents={str(n): str(t) for n, t in pairs(agents)},
            presence=presence(pairs(alive)),
            wanted=frozenset(map(str, wanted)),
            items=self._found(mission, keys, texts),
            limits=limits_of(pairs(limits)),
            letters=tuple(sorted(map(str, letters))),
            day=spending.day_of(spent),
            full=full_disks(pairs(disks), now=now),
            costs={str(kind): str(text) for kind, text in pairs(costs)},
        )

    def limits(self) -> dict[str, Limit]:
        """Usage limits that were reached, by account; also those that are over."""
        with answering():
            found = self.client.hgetall(self.keys.limits)
        return limits_of(found.items())

    def live_attempts(self) -> list[LiveAttempt]:
        """All attempts that are sent or claimed."""
        with answering():
            found = self.client.hgetall(self.keys.attempts)
        return [live_attempt(str(i), str(t)) for i, t in found.items()]

    # -- leases ----------------------------------------------------------------------------------

    def renew(self, attempt: str, token: str, seconds: float) -> bool:
        """Prolong a lease; ``False``: it has run out or belongs to somebody else, so stop at once."""
        with answering():
            answer = self.scripts.renew(
                keys=[self.keys.attempts, self.keys.leases], args=[attempt, token, round(seconds * 1000)]
            )
        return bool(int(answer))

    def leased(self) -> set[str]:
        """Attempts with a lease that has not run out."""
        with answering():
            now = round(self.now() * 1000)
            return {str(i) for i in self.client.zrangebyscore(self.keys.leases, f"({now}", "+inf")}

    # -- what happened ---------------------------------------------------------------------------

    def brief_records(self, mission: str, key: str, results_of: Sequence[str]) -> BriefRecords:
        """An item's issue as it was read at the start, and what is known of ``results_of``, in one round trip.

        Raises:
            NotFoundError: the mission has no such issue.
        """
        with answering(), self.client.pipeline(transaction=False) as pipe:
            for read in briefs.reads(self.keys, mission, key, results_of):
                pipe.execute_command(*read)
            found = briefs.made_of(self.keys, mission, results_of, pipe.execute())
        if found is None:
            raise NotFoundError(f"mission {mission} has no issue `{key}`", remedy="see `tt mission status --work`")
        return found

    def issues(self, mission: str, keys: Sequence[str]) -> dict[str, Issue]:
        """The issues of these items as their briefs have them."""
        if not keys:
            return {}
        with answering():
            texts = self.client.hmget(self.keys.mission_issues(mission), list(keys))
        return {k: Issue.model_validate_json(str(t)) for k, t in zip(keys, texts, strict=True) if t is not None}

    def finished_attempts(self, mission: str, key: str | None = None) -> list[AttemptRecord]:
        """Finished attempts, the oldest first; of one item, if named."""
        name = self.keys.mission_attempts(mission)
        if key is None:
            with answering():
                found = self.client.hvals(name)
        else:
            item = self.some_items(mission, [key]).get(key)
            fields = [f"{key}/{number}" for number in range(1, item.record.fence + 1)] if item is not None else []
            with answering():
                found = [text for text in self.client.hmget(name, fields) if text is not None] if fields else []
        records = [AttemptRecord.model_validate_json(str(t)) for t in found]
        return sorted(records, key=lambda r: (r.ended_at, r.number))

    def finished_attempt(self, mission: str, key: str, number: int) -> AttemptRecord | None:
        """One finished attempt; ``None`` while there is none of this number."""
        with answering():
            found = self.client.hget(self.keys.mission_attempts(mission), f"{key}/{number}")
        return AttemptRecord.model_validate_json(str(found)) if found is not None else None

    def events(
        self, mission: str | None = None, *, after: str = "-", count: int = 1000, block: float | None = None
    ) -> list[tuple[str, Event]]:
        """History after the position ``after`` (``-``: the beginning), waiting up to ``block`` seconds for some."""
        key = self.keys.events if mission is None else self.keys.mission_events(mission)
        with answering():
            if block is not None:
                position = "0" if after == "-" else after
                answer = self.client.xread({key: position}, count=count, block=max(1, round(block * 1000)))
                rows = [row for stream in streams(answer) for row in stream]
            else:
                start = after if after == "-" else f"({after}"
                rows = self.client.xrange(key, start, "+", count=count)
        # One entry holds all events of one commit.
        return [(str(i), Event.model_validate_json(text)) for i, fields in rows for text in fields.values()]
