"""What lies between a host of a story and the town's database: cuts, lost answers, late commands, a full disk.

The client of each host is the product's own; only its connections are these. So what the client does by itself when a
connection breaks, sending the command once more, happens here as well.
"""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import hiredis
import redis
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.retry import Retry

from tinytown.state.database import Scripts

#: Commands that write nothing.
_READS = frozenset(
    "AUTH CLIENT HELLO PING SELECT COMMAND INFO TIME GET HGET HMGET HGETALL HLEN HVALS HEXISTS SMEMBERS SISMEMBER SCARD"
    " ZRANGE ZRANGEBYSCORE ZSCORE ZMSCORE ZCARD LRANGE LLEN XRANGE XREVRANGE XLEN MGET EXISTS TYPE SCAN SCRIPT".split()
)


@dataclass
class Weather:
    """How likely each fault of the network is, at each command; and what the server's disk says."""

    rng: random.Random
    #: The answer is lost, and the connection with it.
    lost: float = 0.004
    #: The command comes later than whoever waits for it; much may have happened by then.
    late: float = 0.03
    calm: bool = False
    #: What the server says to whoever writes; empty if it has room.
    full: str = ""
    #: Commands that are still under way.
    under_way: list[bytes] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    def strikes(self, chance: float) -> bool:
        return not self.calm and self.rng.random() < chance


@dataclass
class Link:
    """A host's way to the server."""

    weather: Weather
    #: Nothing comes through.
    cut: bool = False
    #: Commands come through, answers do not.
    deaf: bool = False
    views: frozenset[bytes] = frozenset()

    def writes(self, commands: Sequence[Sequence[bytes]]) -> bool:
        """Whether one of these writes."""
        return any(
            command[0].upper().decode() not in _READS and not (command[0] == b"EVALSHA" and command[1] in self.views)
            for command in commands
        )


def connect_through(client: Any, link: Link, scripts: Scripts) -> None:
    """Have a client use connections that this link may break."""
    pool = client.connection_pool
    pool.disconnect()
    link.views = frozenset({scripts.view.sha.encode()})
    pool.connection_class = type("Door", (_Door, pool.connection_class), {"link": link})
    # As patient as the product's, without waiting.
    pool.connection_kwargs["retry"] = Retry(NoBackoff(), 3)


class _Door(AbstractConnection):
    """A connection that a link may break."""

    link: Link
    _refusal: str = ""

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        link, weather = self.link, self.link.weather
        if link.cut:
            self.disconnect()
            raise redis.ConnectionError("no way to the server")
        words = [command] if isinstance(command, bytes | str) else list(command)
        packed = b"".join(word.encode() if isinstance(word, str) else bytes(word) for word in words)
        commands = _read(packed)
        if link.writes(commands):
            if weather.full and len(commands) == 1:
                self._refusal = weather.full
                weather.faults["no room in the database"] += 1
                return
            if weather.strikes(weather.late):
                weather.under_way.append(packed)
                weather.faults["late command"] += 1
                self.disconnect()
                raise redis.ConnectionError("it takes too long")
        super().send_packed_command(command, check_health)

    def read_response(self, *arguments: Any, **words: Any) -> Any:
        if self._refusal:
            said, self._refusal = self._refusal, ""
            raise redis.exceptions.OutOfMemoryError(said) if said.startswith("OOM") else redis.ResponseError(said)
        answer = super().read_response(*arguments, **words)
        if self.link.deaf or self.link.weather.strikes(self.link.weather.lost):
            self.link.weather.faults["lost answer"] += 1
            self.disconnect()
            raise redis.ConnectionError("no answer")
        return answer


def _read(packed: bytes) -> list[list[bytes]]:
    """The commands in what is sent."""
    reader, found = hiredis.Reader(), []
    reader.feed(packed)
    while (command := reader.gets()) is not False:
        found.append(command)
    return found


def arrive(url: str, command: bytes) -> None:
    """A late command reaches the server, which answers to nobody."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(urlsplit(url).path)
        peer.sendall(command + b"PING\r\n")
        said = b""
        while not said.endswith(b"+PONG\r\n"):
            part = peer.recv(1 << 16)
            if not part:
                return
            said += part
