"""All records of a town at one moment, read while it goes on; and other records in their place.

The server copies the town's records in one step, and the copies are read a page at a time: nobody waits while that is
done, and no more than a page is in memory. The way back is the same: what is to come is written beside the records and
takes their place in one step. What is left of either by a crash ends by itself.

A *line* is a part of a key: ``key`` (without the town's prefix), ``type`` and ``values``.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Any

import redis

from tinytown.errors import TinytownError
from tinytown.state import saved
from tinytown.state.database import answering, connect
from tinytown.state.keys import Keys

#: Entries of a key in one line.
PAGE = 500
#: Seconds after which copies end by themselves; each read and each write of them prolongs nothing.
LIFE_SECS = 6 * 3600
#: Bytes sent to the server at once.
_BATCH = 1 << 20
#: Copies that are just being read stay, whatever else is removed.
_COPIES = f"{Keys('').saving('', '').partition(':')[0]}:*"

#: What says whose database this is stays.
_OWN = ("epoch", "schema")

Line = Mapping[str, Any]


class Snapshots:
    """The records of one town as a whole."""

    def __init__(self, url: str, prefix: str) -> None:
        # Bytes, because not everything that is kept is text.
        self._client: Any = connect(url, decode=False)
        self._prefix = prefix
        self._keys = Keys(prefix)
        folder = resources.files("tinytown.state") / "lua"
        self._copy = self._client.register_script((folder / "snapshot.lua").read_text(encoding="utf-8"))
        self._replace = self._client.register_script((folder / "replace.lua").read_text(encoding="utf-8"))

    def names(self) -> set[str]:
        """The saved keys that there are, without the town's prefix."""
        found = (_text(key).removeprefix(self._prefix) for key in self._names(self._prefix))
        return {name for name in found if saved.kind_of(name) is not None}

    @contextlib.contextmanager
    def taken(self) -> Iterator[Iterator[Line]]:
        """The lines of all records as they are at this moment; inside of the ``with`` block.

        Raises:
            UnreachableError: no answer.
            TinytownError: the server has no room for the copies.
        """
        copies = self._keys.saving(secrets.token_hex(4), "")
        try:
            with answering():
                words = [self._prefix, copies, LIFE_SECS * 1000, self._room(), *saved.words()]
                if int(self._copy(args=words)) < 0:
                    raise TinytownError(
                        "the town's database has no room for a copy of its records", remedy="give it more memory"
                    )
            yield self._lines(copies)
        finally:
            with contextlib.suppress(Exception):  # They end by themselves.
                self._remove(copies)

    def _room(self) -> int | str:
        """Bytes that the server may still take; empty where it has no limit, or does not say."""
        try:
            about = self._client.info("memory")
        except redis.ResponseError:
            return ""
        most, used = (int(about.get(name) or 0) for name in ("maxmemory", "used_memory"))
        return max(0, most - used) if most else ""

    def _lines(self, copies: str) -> Iterator[Line]:
        for key in self._names(copies):
            with answering():
                kind = self._client.type(key).decode()
                for values in pages(self._client, key, kind):
                    yield {"key": _text(key).removeprefix(copies), "type": kind, "values": values}

    def replace(self, lines: Iterable[Line], *, keep: Iterable[str] = _OWN) -> None:
        """Put these records in the place of all keys of the town but ``keep``, in one step at the end.

        Raises:
            UnreachableError: no answer; unless that was in the last moment, nothing has changed.
            TinytownError: the server has no room; nothing has changed.
        """
        coming = self._keys.restoring(secrets.token_hex(4), "")
        try:
            with answering():
                self._write(coming, lines)
                self._replace(args=[self._prefix, coming, *keep, _COPIES])
        except BaseException:
            with contextlib.suppress(Exception):
                self._remove(coming)
            raise

    def clear(self, *, keep: Iterable[str] = _OWN) -> int:
        """Remove all keys of the town but ``keep``, in one step; gives how many there were."""
        with answering():
            return int(self._replace(args=[self._prefix, "", *keep, _COPIES])[0])

    def _write(self, coming: str, lines: Iterable[Line]) -> None:
        known: set[str] = set()
        with self._client.pipeline(transaction=False) as pipe:
            size = 0
            for line in lines:
                key = coming + line["key"]
                size += _add(pipe, key, line["type"], line["values"])
                if key not in known:
                    pipe.pexpire(key, LIFE_SECS * 1000)
                    known.add(key)
                if size >= _BATCH:
                    pipe.execute()
                    size = 0
            pipe.execute()

    def _names(self, start: str) -> list[bytes]:
        with answering():
            return sorted(set(self._client.scan_iter(match=f"{start}*", count=1000)))

    def _remove(self, start: str) -> None:
        for key in self._names(start):
            self._client.unlink(key)


def pages(client: Any, key: bytes, kind: str) -> Iterator[list[Any]]:
    """The contents of a key, a page at a time."""
    match kind:
        case "string":
            value = client.get(key)
            yield [] if value is None else [_text(value)]
        case "hash":
            yield from _paged([_text(f), _text(v)] for f, v in client.hscan_iter(key, count=PAGE))
        case "set":
            yield from _paged(_text(member) for member in client.sscan_iter(key, count=PAGE))
        case "zset":
            yield from _paged([_text(m), score] for m, score in client.zscan_iter(key, count=PAGE))
        case "list":
            start = 0
            while page := client.lrange(key, start, start + PAGE - 1):
                yield list(map(_text, page))
                start += PAGE
        case "stream":
            last = "-"
            while rows := client.xrange(key, last, "+", count=PAGE):
                yield [[_text(i), [[_text(f), _text(v)] for f, v in fields.items()]] for i, fields in rows]
                last = f"({_text(rows[-1][0])}"


def _paged(entries: Iterable[Any]) -> Iterator[list[Any]]:
    page: list[Any] = []
    for entry in entries:
        page.append(entry)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def _add(pipe: Any, key: str, kind: str, values: list[Any]) -> int:
    """Write a part of a key; gives about how many bytes that are."""
    if not values:
        return 0
    match kind:
        case "string":
            pipe.set(key, _bytes(values[0]))
        case "hash":
            pipe.hset(key, mapping={_bytes(f): _bytes(v) for f, v in values})
        case "set":
            pipe.sadd(key, *map(_bytes, values))
        case "zset":
            pipe.zadd(key, {_bytes(m): float(score) for m, score in values})
        case "list":
            pipe.rpush(key, *map(_bytes, values))
        case "stream":
            for at, fields in values:
                pipe.xadd(key, {_bytes(f): _bytes(v) for f, v in fields}, id=str(at))
    return sum(len(part) if isinstance(part, str) else 100 for value in values for part in _flat(value))


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    else:
        yield value


def flaw(line: Any) -> str:
    """What is wrong with a line that came from outside; empty if nothing is."""
    if not (isinstance(line, dict) and line.keys() == {"key", "type", "values"} and isinstance(line["key"], str)):
        return "a line is no record"
    kind, name = saved.kind_of(line["key"]), line["key"][:80]
    if kind is None:
        return f"no town of this release has a record `{name}`"
    if line["type"] != kind:
        return f"`{name}` is not a {kind}"
    if not isinstance(line["values"], list) or not all(_is_entry(kind, one) for one in line["values"]):
        return f"the values of `{name}` are not those of a {kind}"
    return ""


def _is_entry(kind: str, value: Any) -> bool:
    if kind in ("string", "set", "list"):
        return isinstance(value, str)
    if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)):
        return False
    if kind == "hash":
        return isinstance(value[1], str)
    if kind == "zset":
        return isinstance(value[1], int | float) and value[1] == value[1]
    fields = value[1]
    well_formed = isinstance(fields, list) and bool(fields) and all(_is_entry("hash", one) for one in fields)
    return well_formed and _is_position(value[0])


def _is_position(text: str) -> bool:
    """Whether it can be the place of an entry in a stream."""
    first, dash, second = text.partition("-")
    parts = (first, second)
    return bool(dash) and text != "0-0" and all(p.isascii() and p.isdecimal() and int(p) < 1 << 64 for p in parts)


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
