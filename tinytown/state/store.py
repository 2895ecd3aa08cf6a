"""Missions in Redis: loading, and committing changes by compare-and-set.

A use case loads what it needs, decides, fills a ``Change`` and commits it; ``ConflictError`` means somebody
was quicker, and it loads again. A ``Change`` keeps the indexes (due items, live attempts, leases, claimed
issues) in step with the records, so nobody else has to think of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pydantic

from tinytown import contract
from tinytown.errors import NotFoundError, TinytownError
from tinytown.missions import gates
from tinytown.missions.model import (
    Attempt,
    AttemptRecord,
    Event,
    Issue,
    Item,
    ItemState,
    Mission,
    Policy,
    Record,
)
from tinytown.state.database import Draft, Scripts, answering, connect
from tinytown.state.keys import Keys

R = TypeVar("R", bound=Record)

#: Events kept of a mission, and of the town.
MISSION_EVENTS = 10_000
TOWN_EVENTS = 20_000
#: Items read by one command.
PAGE = 500


class DamagedRecordError(TinytownError):
    """A record in the database cannot be read; it is never skipped in silence."""

    def __init__(self, key: str, field: str) -> None:
        super().__init__(f"the record `{field}` of {key} is damaged", remedy="run `tt doctor`")


@dataclass(frozen=True)
class Versioned(Generic[R]):
    """A record and the version it was read at."""

    record: R
    version: int


@dataclass(frozen=True)
class LiveAttempt:
    """An attempt that was sent or claimed, as the town's index has it."""

    id: str
    mission: str
    item: str
    number: int
    purpose: str
    queue: str
    sent_at: float
    #: Whoever claimed it, or the one it is directed to.
    agent: str | None
    claimed: bool


@dataclass(frozen=True)
class Look:
    """A mission's head and some of its items as they were at the server's time ``now``."""

    now: float
    mission: Versioned[Mission]
    items: dict[str, Versioned[Item]]


def _encode(version: int, record: Record) -> str:
    return f"{version}\n{record.model_dump_json(exclude_defaults=True)}"


def _seconds(time: Sequence[Any]) -> float:
    """The answer to ``TIME``."""
    return float(time[0]) + float(time[1]) / 1e6


def _decode(kind: type[R], key: str, field: str, text: str) -> Versioned[R]:
    version, _, body = text.partition("\n")
    try:
        return Versioned(kind.model_validate_json(body), int(version))
    except (pydantic.ValidationError, ValueError):
        raise DamagedRecordError(key, field) from None


class Change:
    """Everything that shall happen in one commit."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys = store.keys
        self.draft = Draft()
        self.events: list[Event] = []

    def create_mission(
        self,
        mission: Mission,
        items: Sequence[Item],
        issues: Sequence[Issue],
        *,
        graph: Mapping[str, Any],
        canvas: Mapping[str, Any],
    ) -> None:
        """A new mission; its issues must not be in another live one."""
        keys, draft = self._keys, self.draft
        key = keys.mission(mission.id)
        draft.expect(key, "head", 0)
        draft.write("HSET", key, "head", _encode(1, mission), "graph", json.dumps(graph), "canvas", json.dumps(canvas))
        draft.write("ZADD", keys.missions, mission.created_at, mission.id)
        draft.write("SADD", keys.live, mission.id)
        for item in items:
            draft.write("HSET", keys.items(mission.id), item.key, _encode(1, item))
            if gates.wants_attempt(item, mission.policy):
                draft.write("SADD", keys.due(mission.id), item.key)
            if item.state is not ItemState.SKIPPED:
                draft.expect(keys.issues, item.key.casefold(), 0)
                draft.write("HSET", keys.issues, item.key.casefold(), mission.id)
        for issue in issues:
            draft.write("HSET", keys.mission_issues(mission.id), issue.key, issue.model_dump_json())

    def expect_mission(self, mission: Versioned[Mission]) -> None:
        """The mission's head must not have changed since it was read."""
        self.draft.expect(self._keys.mission(mission.record.id), "head", mission.version)

    def put_mission(self, old: Versioned[Mission], new: Mission) -> None:
        """Replace the head of a mission; an ended one gives its issues and indexes free."""
        key = self._keys.mission(new.id)
        self.draft.expect(key, "head", old.version)
        self.draft.write("HSET", key, "head", _encode(old.version + 1, new))
        if new.state.ended and not old.record.state.ended:
            self.draft.write("SREM", self._keys.live, new.id)
            self.draft.write("SREM", self._keys.wanting, new.id)

    def release_issues(self, items: Iterable[Item]) -> None:
        """An ended mission's issues may be taken by another."""
        for item in items:
            self.draft.write("HDEL", self._keys.issues, item.key.casefold())

    def put_item(self, mission: Mission, old: Versioned[Item], new: Item, *, lease: float | None = None) -> None:
        """Replace an item; ``lease`` (seconds) starts the lease of an attempt that is claimed by this change."""
        if new is old.record:
            return
        keys, draft = self._keys, self.draft
        draft.expect(keys.items(mission.id), new.key, old.version)
        draft.write("HSET", keys.items(mission.id), new.key, _encode(old.version + 1, new))
        self._index_due(mission, old.record, new)
        self._index_attempt(mission, old.record.attempt, new.attempt, new, lease)

    def index_due(self, mission: Mission, item: Versioned[Item]) -> None:
        """Write an unchanged item's membership in the due set, whatever it was."""
        self.draft.expect(self._keys.items(mission.id), item.record.key, item.version)
        due = gates.wants_attempt(item.record, mission.policy)
        self.draft.write("SADD" if due else "SREM", self._keys.due(mission.id), item.record.key)

    def _index_due(self, mission: Mission, old: Item, new: Item) -> None:
        was, due = gates.wants_attempt(old, mission.policy), gates.wants_attempt(new, mission.policy)
        if was != due:
            self.draft.write("SADD" if due else "SREM", self._keys.due(mission.id), new.key)

    def _index_attempt(
        self, mission: Mission, old: Attempt | None, new: Attempt | None, item: Item, lease: float | None
    ) -> None:
        if old == new:
            return
        keys, draft = self._keys, self.draft
        if old is not None and (new is None or new.id != old.id):
            draft.write("HDEL", keys.attempts, old.id)
            draft.write("ZREM", keys.leases, old.id)
        if new is not None:
            body = {
                "mission": mission.id,
                "item": item.key,
                "number": new.number,
                "purpose": new.purpose.value,
                "queue": new.queue,
                "sent_at": new.sent_at,
                "agent": new.agent,
                "claimed": new.claimed,
            }
            draft.write("HSET", keys.attempts, new.id, f"{new.token or ''}\n{json.dumps(body)}")
            if lease is not None:
                draft.write("ZADD_IN", keys.leases, new.id, round(lease * 1000))

    def expect_expired(self, attempt: str) -> None:
        """The lease of this attempt must have run out by the server's clock."""
        self.draft.expect(self._keys.leases, f"<{attempt}", 0)

    def end_attempt(self, mission: str, record: AttemptRecord) -> None:
        """Keep a finished attempt for the history."""
        field = f"{record.item}/{record.number}"
        self.draft.write("HSET", self._keys.mission_attempts(mission), field, record.model_dump_json())
        if record.report.result and record.purpose in ("work", "fix"):
            self.draft.write("HSET", self._keys.results(mission), record.item, record.report.result)

    def admissions(self, version: int) -> None:
        """No other admission may have happened in the town since ``version``."""
        self.draft.expect(self._keys.admissions, "", version)
        self.draft.write("INCR", self._keys.admissions)

    def wanting(self, mission: str, wants: bool) -> None:
        """Whether items of this mission wait for a worker."""
        self.draft.write("SADD" if wants else "SREM", self._keys.wanting, mission)

    def event(self, event: Event) -> None:
        """Add a line to the history of the mission and of the town."""
        self.events.append(event)
        body = event.model_dump_json(exclude_defaults=True)
        if event.mission:
            key = self._keys.mission_events(event.mission)
            self.draft.write("XADD", key, "MAXLEN", "~", str(MISSION_EVENTS), "*", "e", body)
        self.draft.write("XADD", self._keys.events, "MAXLEN", "~", str(TOWN_EVENTS), "*", "e", body)

    def commit(self) -> float:
        """See ``Draft.commit``."""
        return self.draft.commit(self._store.scripts) if self.draft else self._store.now()


class Store:
    """The missions of one town."""

    def __init__(self, url: str, prefix: str, *, retries: int = 3) -> None:
        # The client's own types mix its sync and async answers; the methods below say what comes back.
        self.client: Any = connect(url, retries=retries)
        self.keys = Keys(prefix)
        self.scripts = Scripts(self.client)

    def change(self) -> Change:
        """An empty change."""
        return Change(self)

    def now(self) -> float:
        """The server's time, seconds since the epoch."""
        with answering():
            return _seconds(self.client.time())

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
        found = _decode(Mission, self.keys.mission(mission), "head", text)
        if found.record.schema_version > contract.SCHEMA:
            raise TinytownError(
                f"mission {mission} was made by a newer tinytown", remedy="update tinytown on this machine"
            )
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
        if len(found) != 1:
            what = "more than one mission begins" if found else "no mission begins"
            raise NotFoundError(f"{what} with `{text}`", remedy="see `tt mission list --all`")
        return found[0]

    def wanting(self) -> list[str]:
        """Missions with items that wait for a worker, the oldest first."""
        with answering():
            wanted = {str(i) for i in self.client.smembers(self.keys.wanting)}
        return [i for i in self.mission_ids(live=True) if i in wanted] if wanted else []

    def static(self, mission: str, field: str) -> Any:
        """What was written once at the start: ``graph`` or ``canvas``."""
        with answering():
            text = self.client.hget(self.keys.mission(mission), field)
        if text is None:
            raise NotFoundError(f"mission {mission} has no {field}", remedy="see `tt mission list --all`")
        return json.loads(str(text))

    def mission_of_issue(self, key: str) -> str | None:
        """The live mission that has this issue."""
        with answering():
            found = self.client.hget(self.keys.issues, key.casefold())
        return None if found is None else str(found)

    def look(self, mission: str, keys: Sequence[str]) -> Look:
        """A mission's head, those of ``keys`` that exist, and the time, in one round trip.

        Raises:
            NotFoundError: there is no such mission.
        """
        with answering(), self.client.pipeline(transaction=False) as pipe:
            pipe.hget(self.keys.mission(mission), "head")
            pipe.hmget(self.keys.items(mission), list(keys))
            pipe.time()
            head, texts, time = pipe.execute()
        if head is None:
            raise NotFoundError(f"there is no mission `{mission}`", remedy="see `tt mission list --all`")
        return Look(now=_seconds(time), mission=self._head(mission, str(head)), items=self._found(mission, keys, texts))

    # -- items -----------------------------------------------------------------------------------

    def item(self, mission: str, key: str) -> Versioned[Item]:
        """One item; raises ``NotFoundError``."""
        found = self.some_items(mission, [key])
        if key not in found:
            raise NotFoundError(f"mission {mission} has no item `{key}`", remedy="see `tt mission status --work`")
        return found[key]

    def some_items(self, mission: str, keys: Sequence[str]) -> dict[str, Versioned[Item]]:
        """Those of ``keys`` that exist."""
        if not keys:
            return {}
        with answering():
            texts = self.client.hmget(self.keys.items(mission), list(keys))
        return self._found(mission, keys, texts)

    def _found(self, mission: str, keys: Sequence[str], texts: Sequence[Any]) -> dict[str, Versioned[Item]]:
        name = self.keys.items(mission)
        return {k: _decode(Item, name, k, str(t)) for k, t in zip(keys, texts, strict=True) if t is not None}

    def items(self, mission: str) -> dict[str, Versioned[Item]]:
        """All items, in the order of the graph."""
        order: list[str] = self.static(mission, "graph")["order"]
        found: dict[str, Versioned[Item]] = {}
        for start in range(0, len(order), PAGE):
            found.update(self.some_items(mission, order[start : start + PAGE]))
        for key in order:
            if key not in found:
                raise DamagedRecordError(self.keys.items(mission), key)
        return found

    def due(self, mission: str) -> list[str]:
        """Keys of the items that would move, if they could."""
        with answering():
            return sorted(str(k) for k in self.client.smembers(self.keys.due(mission)))

    def admission_view(self, mission: str) -> AdmissionView:
        """Everything an admission is decided from, read in one step."""
        keys = self.keys
        with answering(), self.client.pipeline(transaction=True) as pipe:
            pipe.get(keys.admissions)
            pipe.hget(keys.mission(mission), "head")
            pipe.smembers(keys.due(mission))
            pipe.hgetall(keys.attempts)
            pipe.hgetall(keys.agents)
            pipe.zrange(keys.alive, 0, -1, withscores=True)
            pipe.sismember(keys.wanting, mission)
            pipe.time()
            version, head, due, attempts, agents, alive, wanting, time = pipe.execute()
        if head is None:
            raise NotFoundError(f"there is no mission `{mission}`", remedy="see `tt mission list --all`")
        now = _seconds(time)
        return AdmissionView(
            now=now,
            version=int(version or 0),
            mission=self._head(mission, str(head)),
            due=self.some_items(mission, sorted(str(k) for k in due)),
            attempts=[_live(str(i), str(t)) for i, t in attempts.items()],
            agents={str(n): str(t) for n, t in agents.items()},
            presence=presence(alive),
            wanting=bool(wanting),
        )

    def live_attempts(self) -> list[LiveAttempt]:
        """All attempts that are sent or claimed."""
        with answering():
            found = self.client.hgetall(self.keys.attempts)
        return [_live(str(i), str(t)) for i, t in found.items()]

    # -- leases ----------------------------------------------------------------------------------

    def renew(self, attempt: str, token: str, seconds: float) -> bool:
        """Prolong a lease; ``False``: it is somebody else's or nobody's now, so stop at once."""
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

    def take_duty(self, name: str, seconds: float, *, holder: str) -> bool:
        """Whether ``holder`` may do a periodic duty now: at most once in ``seconds``, whoever asks."""
        with answering():
            return bool(self.client.set(self.keys.duty(name), holder, nx=True, px=max(1, round(seconds * 1000))))

    def mark_tick(self, name: str) -> None:
        """A periodic duty ran now."""
        now = self.now()
        with answering():
            self.client.hset(self.keys.ticks, name, repr(now))

    def ticks(self) -> dict[str, float]:
        """When each periodic duty last ran."""
        with answering():
            return {str(n): float(t) for n, t in self.client.hgetall(self.keys.ticks).items()}

    # -- what happened ---------------------------------------------------------------------------

    def briefing(self, mission: str, key: str, results_of: Sequence[str]) -> tuple[Issue, dict[str, str]]:
        """An item's issue as it was read at the start, and the result texts of those of ``results_of`` that have one.

        Raises:
            NotFoundError: the mission has no such issue.
        """
        with answering(), self.client.pipeline(transaction=False) as pipe:
            pipe.hget(self.keys.mission_issues(mission), key)
            pipe.hmget(self.keys.results(mission), list(results_of) or [key])
            issue, texts = pipe.execute()
        if issue is None:
            raise NotFoundError(f"mission {mission} has no issue `{key}`", remedy="see `tt mission status --work`")
        results = {k: str(t) for k, t in zip(results_of, texts, strict=False) if t is not None}
        return Issue.model_validate_json(str(issue)), results

    def finished_attempts(self, mission: str, key: str | None = None) -> list[AttemptRecord]:
        """Finished attempts, the oldest first; of one item, if named."""
        with answering():
            found = self.client.hvals(self.keys.mission_attempts(mission))
        records = [AttemptRecord.model_validate_json(str(t)) for t in found]
        return sorted((r for r in records if key is None or r.item == key), key=lambda r: (r.ended_at, r.number))

    def events(
        self, mission: str | None = None, *, after: str = "-", count: int = 1000, block: float | None = None
    ) -> list[tuple[str, Event]]:
        """History after the position ``after`` (``-``: the beginning), waiting up to ``block`` seconds for some."""
        key = self.keys.events if mission is None else self.keys.mission_events(mission)
        with answering():
            if block is not None:
                position = "0" if after == "-" else after
                answer = self.client.xread({key: position}, count=count, block=max(1, round(block * 1000)))
                rows = [row for stream in _streams(answer) for row in stream]
            else:
                start = after if after == "-" else f"({after}"
                rows = self.client.xrange(key, start, "+", count=count)
        return [(str(i), Event.model_validate_json(fields["e"])) for i, fields in rows]

    def last_event(self, mission: str | None = None) -> str:
        """Position of the newest event, ``0`` if there is none."""
        key = self.keys.events if mission is None else self.keys.mission_events(mission)
        with answering():
            rows = self.client.xrevrange(key, "+", "-", count=1)
        return str(rows[0][0]) if rows else "0"


def _streams(answer: Any) -> list[Any]:
    """The rows of an XREAD, whichever protocol the client speaks."""
    if not answer:
        return []
    if isinstance(answer, dict):
        return [rows[0] if rows and isinstance(rows[0], list) else rows for rows in answer.values()]
    return [rows for _, rows in answer]


@dataclass(frozen=True)
class AdmissionView:
    """One consistent look at everything an admission depends on."""

    now: float
    version: int
    mission: Versioned[Mission]
    due: dict[str, Versioned[Item]]
    attempts: list[LiveAttempt]
    #: Records of the agents.
    agents: dict[str, str]
    #: Until when each agent is, or was, known to be alive.
    presence: dict[str, float]
    #: The mission is among those that wait for a worker.
    wanting: bool

    @property
    def policy(self) -> Policy:
        return self.mission.record.policy


def presence(rows: Iterable[tuple[Any, Any]]) -> dict[str, float]:
    """Until when each agent is alive, in seconds."""
    return {str(name): float(until) / 1000 for name, until in rows}


def _live(attempt: str, text: str) -> LiveAttempt:
    body = json.loads(text.partition("\n")[2])
    return LiveAttempt(id=attempt, **body)
