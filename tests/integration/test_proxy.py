"""The proxy by itself: what hostile programs send it, what it carries, and what it costs."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytown.hostnames import Address
from tinytown_workers.network import dial, proxy
from tinytown_workers.network.dial import Dialer
from tinytown_workers.network.egress import Policy
from tinytown_workers.network.proxy import Proxy

PUBLIC = ipaddress.ip_address("93.184.215.14")
Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Scene:
    """A proxy, and one server that stands for every public host."""

    def __init__(self) -> None:
        self.port = 0
        self.refused: list[tuple[str, str]] = []
        self.reached: list[tuple[str, int]] = []
        self.answers: list[list[Address]] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def resolve(self, name: str, port: int) -> Sequence[Address]:
        return self.answers.pop(0) if self.answers else [PUBLIC]

    async def ask(self, sent: bytes) -> bytes:
        """Everything that comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        try:
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def scene(server: Server) -> Any:
    found = Scene()
    opened = dial._open

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.writers.append(writer)
        with suppress(asyncio.IncompleteReadError, OSError):
            await server(reader, writer)

    async def proxied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.writers.append(writer)
        await served.proxy(reader, writer)

    target = await asyncio.start_server(serve, "127.0.0.1", 0)

    async def open_here(host: str, port: int, context: Any = None) -> Any:
        found.reached.append((host, port))
        return await opened("127.0.0.1", target.sockets[0].getsockname()[1])

    dial._open = open_here  # type: ignore[assignment]
    dialer = Dialer(Policy(is_own=lambda address: False), dial.upstreams({}), found.resolve)
    served = Proxy(dialer, lambda host, reason: found.refused.append((host, reason)))
    listening = await asyncio.start_server(proxied, "127.0.0.1", 0)
    found.port = listening.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        dial._open = opened
        listening.close()
        target.close()
        served.close()
        # Nothing is left open for another test to be blamed for.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for writer in found.writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        await asyncio.sleep(0)


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One answer that repeats the head of the request, then the end."""
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(
        b"HTTP/1.1 200 OK\r\nX-Hop: 1\r\nConnection: X-Hop\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head)
    )
    await writer.drain()
    writer.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.write(b"the end")
    writer.close()


#: What no honest program sends, and what the answer begins with.
HOSTILE = {
    "nothing": (b"\r\n\r\n", b"HTTP/1.1 400"),
    "garbage": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"HTTP/1.1 400"),
    "its own path": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 400"),
    "a file": (b"GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 400"),
    "https without a tunnel": (b"GET https://example.com/ HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 400"),
    "no port": (b"CONNECT example.com HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 400"),
    "a port that is none": (b"CONNECT example.com:99999 HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 400"),
    "a head without end": (b"GET http://example.com/ HTTP/1.1\r\nX: " + b"a" * 80_000, b"HTTP/1.1 431"),
    "two lengths": (
        b"POST http://example.com/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 400",
    ),
    "no host": (b"CONNECT :80 HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 400"),
    "loopback": (b"CONNECT 127.0.0.1:6379 HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 403"),
    "a user before the host": (b"GET http://example.com@127.0.0.1/ HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 400"),
    "a user in a tunnel": (b"CONNECT example.com:80@127.0.0.1:80 HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 400"),
    "a back slash": (b"GET http://127.0.0.1\\@example.com/ HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 400"),
    "a number": (b"CONNECT 2130706433:80 HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 403"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_request_is_answered_and_leads_nowhere(what: str) -> None:
    sent, begins = HOSTILE[what]

    async def go() -> None:
        async with scene(http) as found:
            answer = await found.ask(sent)
            assert answer.startswith(begins), answer
            assert found.reached == []

    asyncio.run(go())


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"CONNECT ", b"GET http://", b"POST http://127.0.0.1/ HTTP/1.1\r\n"])
)
def test_no_bytes_break_it(rest: bytes, begins: bytes) -> None:
    async def go() -> None:
        async with scene(http) as found:
            reader, writer = await asyncio.open_connection("127.0.0.1", found.port)
            writer.write(begins + rest + b"\r\n\r\n")
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 20)
            writer.close()
            assert b"200" in await found.ask(b"GET http://example.com/ HTTP/1.0\r\n\r\n")

    asyncio.run(go())


def test_a_plain_request_is_the_hosts_own() -> None:
    """The address decides, not the header beside it; what concerns one connection stays there."""

    async def go() -> None:
        async with scene(http) as found:
            sent = (
                b"GET http://a.example:8080/x?y=1#z HTTP/1.1\r\nHost: 169.254.169.254\r\n"
                b"Proxy-Authorization: Basic eA==\r\n"
                b"Proxy-Connection: keep-alive\r\n"
                b"Connection: X-Mine, close\r\nX-Mine: 1\r\nUpgrade: h2c\r\nAccept: */*\r\n\r\n"
            )
            head, _, body = (await found.ask(sent)).partition(b"\r\n\r\n")
            assert found.reached == [(str(PUBLIC), 8080)]
            assert body.lower().splitlines()[:-1] == [
                b"get /x?y=1 http/1.1", b"host: a.example:8080", b"accept: */*", b"connection: close"
            ]  # fmt: skip
            assert b"x-hop" not in head.lower()

    asyncio.run(go())


def test_one_connection_takes_one_request_after_the_other_each_judged() -> None:
    async def go() -> None:
        async with scene(http) as found:
            one = b"GET http://%s/ HTTP/1.1\r\nHost: a\r\n\r\n"
            answer = await found.ask(one % b"a.example" + one % b"b.example" + one % b"10.0.0.1")
            assert answer.count(b"HTTP/1.1 200") == 2
            assert answer.count(b"HTTP/1.1 403") == 1
            assert found.refused == [("10.0.0.1", "private")]

    asyncio.run(go())


def test_an_answer_that_changes_is_asked_for_once() -> None:
    """A name that is public when it is judged and loopback a moment later leads to the public address."""

    async def go() -> None:
        async with scene(http) as found:
            loopback = ipaddress.ip_address("127.0.0.1")
            found.answers = [[PUBLIC], [loopback]]
            request = b"GET http://rebind.example/ HTTP/1.0\r\n\r\n"
            assert b"200" in await found.ask(request)
            assert b"403" in await found.ask(request)
            assert found.reached == [(str(PUBLIC), 80)]

    asyncio.run(go())


def test_a_tunnel_carries_both_ways_until_both_have_ended() -> None:
    """What is sent with the request too; one side may end before the other."""
    data = hashlib.sha256(b"x").digest() * (1 << 17)

    async def go() -> None:
        async with scene(echo) as found:
            reader, writer = await asyncio.open_connection("127.0.0.1", found.port)
            writer.write(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n" + data[:100])
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")

            async def send() -> None:
                writer.write(data[100:])
                await writer.drain()
                writer.write_eof()

            sending = asyncio.ensure_future(send())
            assert await asyncio.wait_for(reader.read(len(data) * 2), 30) != b""
            await sending
            writer.close()

    asyncio.run(go())


def test_beyond_its_connections_a_program_is_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "CONNECTIONS", 3)

    async def go() -> None:
        async with scene(echo) as found:
            kept = [await asyncio.open_connection("127.0.0.1", found.port) for _ in range(3)]
            for reader, writer in kept:
                writer.write(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n")
                await reader.readuntil(b"\r\n\r\n")
            assert (await found.ask(b"GET http://a.example/ HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 503")
            for reader, writer in kept:
                writer.write_eof()
                assert await reader.read() == b"the end"
                writer.close()
            assert (await found.ask(b"GET http://10.0.0.1/ HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 403")

    asyncio.run(go())


def test_who_waits_to_be_told_to_wait_takes_no_place_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "CONNECTIONS", 3)

    async def go() -> None:
        async with scene(echo) as found:
            silent = [await asyncio.open_connection("127.0.0.1", found.port) for _ in range(30)]
            ended = 0
            for reader, _ in silent[6:]:
                with suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(), 20) == b""
                ended += 1
            assert ended == 24
            assert not any(reader.at_eof() for reader, _ in silent[:6])
            for _, writer in silent:
                writer.close()

    asyncio.run(go())


def test_a_program_that_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "HEAD_SECS", 0.2)
    monkeypatch.setattr(proxy, "IDLE_SECS", 0.2)

    async def go() -> None:
        async with scene(echo) as found:
            assert await found.ask(b"GET http://a.exam") == b""
            tunnel = await found.ask(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert tunnel.startswith(b"HTTP/1.1 200")

    asyncio.run(go())


def test_a_server_that_breaks_off_is_an_answer_of_its_own() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async def go() -> None:
        async with scene(hang_up) as found:
            assert (await found.ask(b"GET http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n")).startswith(b"HTTP/1.1 502")

    asyncio.run(go())
