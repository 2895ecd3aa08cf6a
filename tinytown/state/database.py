"""The connection to Redis and the one door through which records change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from tinytown.errors import ConflictError, DatabaseFullError, TinytownError, UnreachableError

#: Seconds without an answer after which a connection counts as broken.
SOCKET_TIMEOUT = 10.0


def connect(url: str, *, retries: int = 3, decode: bool = True) -> redis.Redis:
    """A client of ``url``. A command that met a broken connection is sent again, as all of ours may be repeated."""
    client: redis.Redis = redis.Redis.from_url(
        url,
        decode_responses=decode,
        socket_timeout=SOCKET_TIMEOUT,
        socket_connect_timeout=5.0,
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), retries),
        retry_on_error=[redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError],
    )
    return client


#: How the answers of a server begin that is there and refuses.
REFUSALS = (
    redis.exceptions.NoPermissionError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.MasterDownError,
)


def refused(error: Exception) -> UnreachableError:
    """The error for a server that refuses."""
    return UnreachableError(
        f"the town's database refused: {error}",
        remedy="give its user all rights on the town's keys, or use another server",
    )


def says_full(error: Exception) -> bool:
    """Whether the server says that it cannot write to its disk; redis-py has no class for that answer."""
    return "MISCONF" in str(error)


@contextmanager
def answering() -> Iterator[None]:
    """Turn the client's errors into ours."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, UnicodeError) as error:
        raise UnreachableError(
            f"the town's database does not answer: {error}",
            remedy="run `tt start`; see `tt doctor` for details",
        ) from error
    except REFUSALS as error:
        raise refused(error) from error
    except redis.exceptions.OutOfMemoryError as error:
        raise TinytownError(
            "the town's database is full", remedy="give it more memory, or remove ended missions"
        ) from error
    except redis.ResponseError as error:
        if says_full(error):
            raise DatabaseFullError from error
        raise


class Scripts:
    """The Lua files, loaded once for a client."""

    def __init__(self, client: redis.Redis) -> None:
        self._client: Any = client
        folder = resources.files("tinytown.state") / "lua"
        self.commit = client.register_script((folder / "commit.lua").read_text(encoding="utf-8"))
        self.view = client.register_script((folder / "view.lua").read_text(encoding="utf-8"))
        self.renew = client.register_script((folder / "renew.lua").read_text(encoding="utf-8"))

    def now(self) -> float:
        """The server's time, in seconds since 1970."""
        with answering():
            whole, micro = self._client.time()
        return int(whole) + int(micro) / 1e6


#: Seconds for which a draft is known to be committed, as text: far longer than a client repeats it.
ONCE_SECS = "3600"
#: Most words of one command: a Lua script has room for a few thousand.
_WORDS = 1000


class Draft:
    """Comparisons and writes that will happen together or not at all."""

    def __init__(self) -> None:
        self._keys: dict[str, int] = {}
        #: What is compared: a key, and fields of it with their versions.
        self._expected: list[tuple[str, list[str]]] = []
        #: By key: the last of these, where it takes further fields.
        self._comparing: dict[str, list[str]] = {}
        self._writes: list[list[str]] = []
        #: By key: its last write, where that is an HSET which takes further fields.
        self._open: dict[str, list[str]] = {}
        #: Values of new entries, by their streams.
        self._entries: dict[tuple[str, ...], list[str]] = {}
        #: See ``once``.
        self._once = ""

    def expect(self, key: str, field: str, version: int | str) -> None:
        """The record (or, with an empty field, the string) must have this version; 0: must not exist.

        What has no version is compared as a whole.
        """
        pairs = self._comparing.get(key)
        alone = field == "" or field.startswith("<")
        if pairs is None or alone or len(pairs) >= _WORDS:
            self._expected.append((self._key(key), pairs := []))
            if not alone:
                self._comparing[key] = pairs
        pairs += [field, str(version)]

    def once(self, key: str) -> None:
        """To be committed once: a repetition changes nothing and succeeds, whatever was made of it meanwhile.

        Most drafts need no such key: their repetition is refused by the versions that they compare, and whoever made
        it looks again. What is new has no version, and may be gone again by then.
        """
        assert not self._expected
        self.expect(key, "", 0)
        self._once = key

    def write(self, command: str, key: str, *words: str | float) -> None:
        """A command on one key; see ``commit.lua``."""
        texts = [w if isinstance(w, str) else repr(w) for w in words]
        last = self._open.get(key)
        if command == "HSET" and last is not None and len(last) < _WORDS:
            last += texts
            return
        self._writes.append(new := [command, self._key(key), *texts])
        if command == "HSET":
            self._open[key] = new
        else:
            self._open.pop(key, None)

    def append(self, stream: str, length: int, value: str, *, also: tuple[str, int] | None = None) -> None:
        """Add a value to a stream that keeps about ``length`` entries, and to a second stream (``also``).

        What one commit adds to a stream is one entry, or a few: its fields are ``e``, ``e1``, ``e2``, …
        """
        second = (self._key(also[0]), str(also[1])) if also is not None else ()
        self._entries.setdefault((self._key(stream), str(length), *second), []).append(value)

    def _appending(self) -> Iterator[list[str]]:
        for (stream, length, *second), values in self._entries.items():
            for first in range(0, len(values), _WORDS):
                part = values[first : first + _WORDS]
                fields = [word for n, value in enumerate(part) for word in (f"e{n or ''}", value)]
                if second:
                    yield ["XADD_TWICE", stream, length, *second, *fields]
                else:
                    yield ["XADD", stream, "MAXLEN", "~", length, "*", *fields]

    def index(self, key: str) -> str:
        """How a command that has more than one key names this one."""
        return self._key(key)

    def _key(self, key: str) -> str:
        return str(self._keys.setdefault(key, len(self._keys) + 1))

    def __bool__(self) -> bool:
        return bool(self._writes or self._entries)

    def commit(self, scripts: Scripts) -> list[Any]:
        """Compare and write; gives the answers to the writes, or none if it was committed before (see ``once``).

        Raises:
            ConflictError: something was not as expected; nothing was written.
            UnreachableError: no answer; whether it was written is unknown, and a repetition is refused.
        """
        arguments = [str(len(self._expected))]
        for key, pairs in self._expected:
            arguments += [key, str(len(pairs) // 2), *pairs]
        marks = [["SET", self._key(self._once), "1", "EX", ONCE_SECS]] if self._once else []
        for write in (*marks, *self._appending(), *self._writes):
            arguments += [str(len(write)), *write]
        with answering():
            answer: list[Any] = scripts.commit(keys=list(self._keys), args=arguments)
        if not int(answer[0]):
            where = list(self._keys)[int(answer[1]) - 1]
            if where == self._once:
                return []
            raise ConflictError(f"{where} {answer[2]} changed in the meantime", remedy="try again")
        found: list[Any] = answer[1]
        return found
