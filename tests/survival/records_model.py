"""What the Lua scripts are to do, told a second time: the town's database as Python values, and a function a script.

A model says what a script is for, not how it does it: it knows no cursors, pages or indexes into lists of words.
``test_scripts.py`` runs the real ones and these side by side. Whoever writes a script writes its model into ``MODELS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

#: A key, a field of it (empty: it is a string; ``<member``: its lease must have run out), and the version wanted.
Expectation = tuple[str, str, str]
#: A command, its key, and further words.
Write = tuple[str, ...]


class RefusedError(Exception):
    """A commit was refused: this is not as it was expected."""

    def __init__(self, key: str, field_: str) -> None:
        super().__init__(f"{key} {field_}")
        self.where = (key, field_)


@dataclass
class Line:
    """A stream: all values that were ever added, in order, and how many it is to keep at the least."""

    values: list[list[str]] = field(default_factory=list)
    keeps: int = 1 << 30


@dataclass
class Database:
    """Keys by their names without the town's prefix; a key that becomes empty is not there."""

    strings: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, dict[str, str]] = field(default_factory=dict)
    sets: dict[str, set[str]] = field(default_factory=dict)
    #: Scores that are times are in milliseconds or seconds, as the scripts have them.
    zsets: dict[str, dict[str, float]] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    streams: dict[str, Line] = field(default_factory=dict)
    #: Milliseconds of the server's clock during the call; a real call takes some time itself.
    now: float = 0.0
    #: Members that got a score from the server's clock, for the one who compares: the real score is a little later.
    clocked: dict[tuple[str, str], float] = field(default_factory=dict)

    def stores(self) -> tuple[dict[str, Any], ...]:
        return self.strings, self.hashes, self.sets, self.zsets, self.lists, self.streams

    def names(self) -> set[str]:
        return {key for store in self.stores() for key in store}

    def remove(self, key: str) -> None:
        for store in self.stores():
            store.pop(key, None)

    def tidy(self) -> None:
        """Empty keys are gone."""
        for store in (self.hashes, self.sets, self.zsets, self.lists):
            for key in [key for key, value in store.items() if not value]:
                del store[key]


def _version(text: str | None) -> str:
    return "0" if text is None else text.split("\n", 1)[0]


def commit(
    data: Database, expected: Sequence[Expectation], writes: Sequence[Write], once: str = ""
) -> list[Any] | None:
    """All of it or nothing; the answers to the writes, or ``None`` if it was made ``once`` already."""
    if once and once in data.strings:
        return None
    for key, name, version in expected:
        if name.startswith("<"):
            if data.zsets.get(key, {}).get(name[1:], 0.0) > data.now:
                raise RefusedError(key, name)
        else:
            found = data.hashes.get(key, {}).get(name) if name else data.strings.get(key)
            if _version(found) != version:
                raise RefusedError(key, name)
    if once:
        data.strings[once] = "1"
    answers = [COMMANDS[command](data, key, words) for command, key, *words in writes]
    data.tidy()
    return answers


def _hset(data: Database, key: str, words: Sequence[str]) -> int:
    found = data.hashes.setdefault(key, {})
    pairs = dict(zip(words[::2], words[1::2], strict=True))
    new = len(pairs.keys() - found.keys())
    found.update(pairs)
    return new


def _hdel(data: Database, key: str, words: Sequence[str]) -> int:
    found = data.hashes.setdefault(key, {})
    return sum(found.pop(name, None) is not None for name in words)


def _hincrby(data: Database, key: str, words: Sequence[str]) -> int:
    found = data.hashes.setdefault(key, {})
    value = int(found.get(words[0], "0")) + int(words[1])
    found[words[0]] = str(value)
    return value


def _incr(data: Database, key: str, words: Sequence[str]) -> int:
    assert not words
    data.strings[key] = str(int(data.strings.get(key, "0")) + 1)
    return int(data.strings[key])


def _set(data: Database, key: str, words: Sequence[str]) -> str:
    (data.strings[key],) = words
    return "OK"


def _del(data: Database, key: str, words: Sequence[str]) -> int:
    assert not words
    there = key in data.names()
    data.remove(key)
    return int(there)


def _sadd(data: Database, key: str, words: Sequence[str]) -> int:
    found = data.sets.setdefault(key, set())
    new = len({*words} - found)
    found.update(words)
    return new


def _srem(data: Database, key: str, words: Sequence[str]) -> int:
    found = data.sets.setdefault(key, set())
    gone = len({*words} & found)
    found.difference_update(words)
    return gone


def _zadd(data: Database, key: str, words: Sequence[str]) -> int:
    found = data.zsets.setdefault(key, {})
    scores = {member: float(score) for score, member in zip(words[::2], words[1::2], strict=True)}
    new = len(scores.keys() - found.keys())
    found.update(scores)
    return new


def _zadd_in(data: Database, key: str, words: Sequence[str]) -> int:
    scores = {member: data.now + float(millis) for member, millis in zip(words[::2], words[1::2], strict=True)}
    data.clocked.update({(key, member): score for member, score in scores.items()})
    return _zadd(data, key, [word for member, score in scores.items() for word in (repr(score), member)])


def _spend(data: Database, key: str, words: Sequence[str]) -> int:
    """One run more on this day, with what it used; and it goes before the last runs of its kind."""
    costs, name, keeps, usd, tokens = words
    day = f"{int(data.now // 86_400_000)}/"
    _hincrby(data, key, [f"{day}runs", "1"])
    _hincrby(data, key, [f"{day}nano", usd] if usd else [f"{day}untold", "1"])
    if tokens:
        _hincrby(data, key, [f"{day}tokens", tokens])
    known = data.hashes.get(costs, {}).get(name, "").split()
    return _hset(data, costs, [name, " ".join([f"{usd}:{tokens}", *known][: int(keeps)])])


def _zrem(data: Database, key: str, words: Sequence[str]) -> int:
    found = data.zsets.setdefault(key, {})
    return sum(found.pop(name, None) is not None for name in words)


def _push(*, at_end: bool) -> Callable[[Database, str, Sequence[str]], int]:
    def push(data: Database, key: str, words: Sequence[str]) -> int:
        found = data.lists.setdefault(key, [])
        for word in words:
            found.insert(len(found) if at_end else 0, word)
        return len(found)

    return push


def _xadd(data: Database, key: str, words: Sequence[str]) -> None:
    """Words: the least that it keeps, then fields and values."""
    line = data.streams.setdefault(key, Line())
    line.values.append(list(words[1:]))
    line.keeps = int(words[0])


def _members(data: Database, key: str, words: Sequence[str]) -> set[str]:
    assert not words
    return set(data.sets.get(key, ()))


#: Every command that the product puts into a commit. ``APPEND`` is ``Draft.append``: a value of a stream.
COMMANDS: Final[Mapping[str, Callable[[Database, str, Sequence[str]], Any]]] = {
    "HSET": _hset,
    "HDEL": _hdel,
    "HINCRBY": _hincrby,
    "INCR": _incr,
    "SET": _set,
    "DEL": _del,
    "UNLINK": _del,
    "SADD": _sadd,
    "SREM": _srem,
    "ZADD": _zadd,
    "ZADD_IN": _zadd_in,
    "SPEND": _spend,
    "ZREM": _zrem,
    "LPUSH": _push(at_end=False),
    "RPUSH": _push(at_end=True),
    "XADD": _xadd,
    "SMEMBERS": _members,
    "HGET": lambda data, key, words: data.hashes.get(key, {}).get(words[0]),
    "HMGET": lambda data, key, words: [data.hashes.get(key, {}).get(name) for name in words],
    "HGETALL": lambda data, key, words: dict(data.hashes.get(key, {})),
}


def renew(data: Database, attempts: str, leases: str, attempt: str, token: str, millis: int) -> int:
    """Whoever holds a live attempt keeps it; nobody else does, and not what is not live any more."""
    holder = data.hashes.get(attempts, {}).get(attempt)
    if holder is None or _version(holder) != token:
        return 0
    _zadd_in(data, leases, [attempt, str(millis)])
    return 1


@dataclass
class View:
    """What an admission is decided from."""

    version: str | None
    head: list[str | None]
    entries: list[str]
    ends: list[str]
    due: list[str | None]
    ripe: list[str]
    later: bool
    attempts: dict[str, str]
    agents: dict[str, str]
    presence: dict[str, float]
    wanted: set[str]
    further: list[str | None]
    limits: dict[str, str]
    letters: set[str]
    #: This day, what its runs used, and when the last one began.
    day: list[str | None]
    costs: dict[str, str]
    disks: dict[str, str]


def view(data: Database, keys: Sequence[str], page: int, form: str, further: Sequence[str], *, costs: bool) -> View:
    """The first ``page`` entries of each line, with the records of their items and all that places them."""
    version, mission, lanes, items, attempts, agents, alive, wanting, limits, later, letters, spent, used_by, disks = (
        keys
    )
    day = f"{int(data.now // 86_400_000)}/"
    used = [f"{day}{name}" for name in ("nano", "tokens", "runs", "untold", "raised", "asked")]
    lines: dict[str, list[str]] = {}
    for entry in sorted(data.zsets.get(lanes, {}), key=lambda text: text.encode()):
        lines.setdefault(entry.split(" ")[0], []).append(entry)
    entries = [entry for line in _in_order(lines) for entry in lines[line][:page]]
    known = data.hashes.get(items, {})
    waiting = sorted(data.zsets.get(later, {}).items(), key=lambda pair: (pair[1], pair[0].encode()))
    return View(
        version=data.strings.get(version),
        head=[data.hashes.get(mission, {}).get(name) for name in ("head", form)],
        entries=entries,
        ends=[lines[line][page - 1] for line in _in_order(lines) if len(lines[line]) > page],
        due=[known.get(entry.split(" ", 2)[2]) for entry in entries],
        ripe=[member for member, time in waiting if time * 1000 <= data.now],
        later=bool(waiting),
        attempts=data.hashes.get(attempts, {}),
        agents=data.hashes.get(agents, {}),
        presence=data.zsets.get(alive, {}),
        wanted=data.sets.get(wanting, set()),
        further=[known.get(key) for key in further],
        limits=data.hashes.get(limits, {}),
        letters=data.sets.get(letters, set()),
        day=[day, *(data.hashes.get(spent, {}).get(name) for name in (*used, "started"))],
        costs=data.hashes.get(used_by, {}) if costs or f"{day}raised" in data.hashes.get(spent, {}) else {},
        disks=data.hashes.get(disks, {}),
    )


def _in_order(lines: Iterable[str]) -> list[str]:
    return sorted(lines, key=lambda name: f"{name} ".encode())


def set_aside(data: Database, place: str, quarantine: str, message: str, tag: str = "", index: str = "") -> int:
    """One message goes from a queue, or from those that were taken, into the quarantine; not if it is gone."""
    if tag:
        if data.hashes.get(place, {}).get(tag) != message:
            return 0
        del data.hashes[place][tag]
        data.zsets.get(index, {}).pop(tag, None)
    elif message not in data.lists.get(place, []):
        return 0
    else:
        data.lists[place].remove(message)
    data.lists.setdefault(quarantine, []).append(message)
    data.tidy()
    return 1


def stands_for(words: Iterable[str], key: str) -> bool:
    return any(key.startswith(word[:-1]) if word.endswith("*") else key == word for word in words)


def snapshot(data: Database, target: str, words: Sequence[str]) -> int:
    """All keys that these words stand for, once more under names that begin with ``target``."""
    wanted = [key for key in data.names() if stands_for(words, key)]
    for store in data.stores():
        for key in [key for key in store if key in wanted]:
            store[target + key] = _copy(store[key])
    return len(wanted)


def _copy(value: Any) -> Any:
    if isinstance(value, Line):
        return Line([list(one) for one in value.values], value.keeps)
    return value if isinstance(value, str) else type(value)(value)


def replace(data: Database, source: str, stays: Sequence[str]) -> tuple[int, int]:
    """All keys go but those that stay; those under ``source`` take their places."""
    coming = {key for key in data.names() if source and key.startswith(source)}
    gone = {key for key in data.names() - coming if not stands_for(stays, key)}
    for key in gone:
        data.remove(key)
    for store in data.stores():
        for key in [key for key in store if key in coming]:
            store[key[len(source) :]] = store.pop(key)
    return len(gone), len(coming)


#: A model for each script, by the name of its file.
MODELS: Final[Mapping[str, Callable[..., Any]]] = {
    "commit": commit,
    "renew": renew,
    "view": view,
    "set_aside": set_aside,
    "snapshot": snapshot,
    "replace": replace,
}
