"""Records as they stand in the database, and what is read of several of them at once."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import pydantic

from tinytown import contract
from tinytown.errors import TinytownError
from tinytown.missions.limits import Limit
from tinytown.missions.records.agent import Message
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission, Policy
from tinytown.missions.records.record import Record
from tinytown.missions.spending import Day

R = TypeVar("R", bound=Record)

#: Records kept in memory as they were read: most reads meet the same ones again.
_KEPT = 2048


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
    #: The role that it was sent for, and the CLI that runs it; empty in the index of an older release.
    role: str = ""
    cli: str = ""


@dataclass(frozen=True)
class MissionItems:
    """A mission's head and some of its items as they were at the server's time ``now``."""

    now: float
    mission: Versioned[Mission]
    items: dict[str, Versioned[Item]]
    #: Usage limits that were reached, by account, if they were asked for.
    limits: dict[str, Limit] = field(default_factory=dict)


@dataclass(frozen=True)
class BriefRecords:
    """What a brief is made from: an item's issue, and the results and records of others, as far as they have any."""

    issue: Issue
    results: dict[str, str]
    items: dict[str, Item]
    #: Messages that wait for whoever gets the brief and ask for no answer, if they were read.
    mail: Sequence[Message] | None = None


#: Every field of these is stored, even where it is the default: defaults may change later, and these must not.
_WHOLE: frozenset[type[Record]] = frozenset({Mission, Policy})
#: The defaults of the time when a mission's head left out what was as by default; never to be changed.
_LEFT_OUT: Mapping[str, Any] = {"schema_version": 1, "state": "planning", "workspace": "clone"}
_LEFT_OUT_OF_POLICY: Mapping[str, Any] = {
    "max_parallel_items": 2,
    "reviewer_required": True,
    "auto_merge": True,
    "settle_on": "merged",
    "watch_interval_secs": 180,
    "max_attempts": 3,
    "max_fix_rounds": 3,
    "require_checks": True,
    "required_approvals": 0,
    "budget_usd": None,
    "checks": True,
}


def encode(version: int, record: Record) -> str:
    """As it is stored."""
    return f"{version}\n{body(record)}"


def body(record: Record) -> str:
    """A record as JSON.

    A field is left out only if its value and its default are both empty (``None``, zero, no): records are many, and
    most of their fields are empty. Anything else is stored, even where it is the default of today.
    """
    return json.dumps(_plain(record), ensure_ascii=False, separators=(",", ":"))


#: What JSON has by itself: most of what is in a record.
_BARE = frozenset({str, int, float, bool, type(None)})


def _plain(value: Any) -> Any:
    if type(value) in _BARE:
        return value
    if isinstance(value, Record):
        mute = _mute(type(value))
        fields: dict[str, Any] = value.__dict__
        if value.__pydantic_extra__:
            fields = {**fields, **value.__pydantic_extra__}
        return {
            name: one if type(one) in _BARE else _plain(one) for name, one in fields.items() if one or name not in mute
        }
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value


@functools.cache
def _mute(kind: type[Record]) -> frozenset[str]:
    """Fields that may be left out where they are empty, as their defaults are empty too."""
    if kind in _WHOLE:
        return frozenset()
    fields = kind.model_fields.items()
    return frozenset(name for name, field in fields if not field.is_required() and not field.default)


def decode(kind: type[R], key: str, field: str, text: str) -> Versioned[R]:
    """The record ``field`` of the hash ``key``; raises ``DamagedRecordError``."""
    try:
        # The same text gives the same object, as records are frozen.
        return cast(Versioned[R], _read(kind, text))
    except (pydantic.ValidationError, ValueError):
        if _is_newer(text):
            raise newer(key.rpartition(":")[2]) from None
        raise DamagedRecordError(key, field) from None


def require_known(record: Record) -> None:
    """Raise ``TinytownError`` for the head of a mission that a newer release made."""
    if isinstance(record, Mission) and record.schema_version > contract.SCHEMA:
        raise newer(record.id)


def newer(mission: str) -> TinytownError:
    """The error for a mission of a newer release."""
    return TinytownError(f"mission {mission} was made by a newer tinytown", remedy="update tinytown on this machine")


def _is_newer(text: str) -> bool:
    try:
        return int(json.loads(text.partition("\n")[2])["schema_version"]) > contract.SCHEMA
    except (ValueError, KeyError, TypeError):
        return False


@functools.lru_cache(_KEPT)
def _read(kind: type[Record], text: str) -> Versioned[Record]:
    version, _, stored = text.partition("\n")
    if kind is Mission and '"schema_version":' not in stored:
        stored = _completed(stored)
    return Versioned(kind.model_validate_json(stored), int(version))


def _completed(stored: str) -> str:
    """The head of a mission of an older release, with the defaults of that time that it left out."""
    values = json.loads(stored)
    if not isinstance(values, dict) or not isinstance(policy := values.get("policy", {}), dict):
        return stored
    return json.dumps({**_LEFT_OUT, **values, "policy": {**_LEFT_OUT_OF_POLICY, **policy}})


def seconds(time: Sequence[Any]) -> float:
    """The answer to ``TIME``."""
    return float(time[0]) + float(time[1]) / 1e6


@dataclass(frozen=True)
class AdmissionView:
    """Everything an admission depends on, read at one moment."""

    now: float
    version: int
    mission: Versioned[Mission]
    #: Due items: the first of each line.
    due: dict[str, Versioned[Item]]
    attempts: list[LiveAttempt]
    #: Records of the agents.
    agents: dict[str, str]
    #: Until when each agent is, or was, known to be alive.
    presence: dict[str, float]
    #: The missions that wait for a worker.
    wanted: frozenset[str]
    #: Further items that were asked for.
    items: dict[str, Versioned[Item]] = field(default_factory=dict)
    #: Usage limits that were reached, by account.
    limits: dict[str, Limit] = field(default_factory=dict)
    #: Due items of all missions that answer messages, as ``<agent> <mission> <key>``.
    letters: tuple[str, ...] = ()
    #: Those of ``due`` that have further items behind them in the same line.
    ends: frozenset[str] = frozenset()
    #: What the town's runs used today, and what such runs used so far, which is read where it matters.
    day: Day = field(default_factory=Day)
    costs: Mapping[str, str] = field(default_factory=dict)
    #: Machines whose disks have no room for a run, each with what is missing.
    full: Mapping[str, str] = field(default_factory=dict)
    #: Items whose time has come, and that are in no line yet.
    ripe: tuple[str, ...] = ()
    #: There are items that wait for a time, or are in no line yet though it has come.
    later: bool = False
    #: The indexes are there, and in the form of this release.
    indexed: bool = True

    @property
    def policy(self) -> Policy:
        return self.mission.record.policy

    @property
    def wanting(self) -> bool:
        """Whether the mission is among those that wait for a worker."""
        return self.mission.record.id in self.wanted


def presence(rows: Iterable[tuple[Any, Any]]) -> dict[str, float]:
    """Until when each agent is alive, in seconds."""
    return {str(name): float(until) / 1000 for name, until in rows}


def full_disks(rows: Iterable[tuple[Any, Any]], *, now: float) -> dict[str, str]:
    """Machines without room for a run, of which that still counts."""
    found = {}
    for host, text in rows:
        until, _, words = str(text).partition("\n")
        if float(until) > now:
            found[str(host)] = words
    return found


def live_attempt(attempt: str, text: str) -> LiveAttempt:
    """A line of the index of live attempts."""
    body = json.loads(text.partition("\n")[2])
    return LiveAttempt(id=attempt, **body)


def limits_of(rows: Iterable[tuple[Any, Any]]) -> dict[str, Limit]:
    """Usage limits by account."""
    return {str(name): Limit.model_validate_json(str(text)) for name, text in rows}


def pairs(flat: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """The pairs of a flat list, as a script returns them."""
    return zip(flat[::2], flat[1::2], strict=True)


def streams(answer: Any) -> list[Any]:
    """The rows of an XREAD, whichever protocol the client speaks."""
    if not answer:
        return []
    if isinstance(answer, dict):
        return [rows[0] if rows and isinstance(rows[0], list) else rows for rows in answer.values()]
    return [rows for _, rows in answer]
