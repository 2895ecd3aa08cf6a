"""The forward proxy of an agent's own network: ``CONNECT`` and plain HTTP/1.1, and ports that lead to this machine.

The peer is not trusted: its requests have limits of number, size and time, and whatever it sends it gets an answer or
a closed connection. It can only reach what ``dialing`` connects to. The protocol is ``h11``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import h11

from tinytown_workers.network.dial import CHUNK, Dialer, Streams, UnreachableHostError, Upstream
from tinytown_workers.network.egress import LOCAL, RefusedError

log = logging.getLogger(__name__)

#: Connections of one run at the same time; as many again get the answer to try later, and further ones none.
CONNECTIONS = 256
#: Largest head of a request or an answer, in bytes.
HEAD_BYTES = 64 << 10
#: Seconds for the head of a request, and between two requests of a connection.
HEAD_SECS = 60.0
#: Seconds without a byte after which a connection is closed: longer than any model thinks.
IDLE_SECS = 3600.0

#: Headers that concern only one connection, and not the request.
_HOP = frozenset(
    b"connection proxy-connection proxy-authorization proxy-authenticate keep-alive te trailer upgrade http2-settings"
    b" host".split()
)


class Proxy:
    """Serves the network of one run."""

    def __init__(self, dialer: Dialer, refuse: Callable[[str, str], None]) -> None:
        """``refuse`` is told each host that is refused, and why."""
        self.dialer = dialer
        self.refuse = refuse
        self._open: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """End every connection."""
        for task in self._open:
            task.cancel()

    async def proxy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection to the proxy itself."""
        if len(self._open) >= 2 * CONNECTIONS:
            # A peer that does not read the others' answer gets none.
            writer.transport.abort()
            return
        conversation = _Conversation(self, reader, writer)
        await self._serve(writer, conversation.run() if self._has_room else conversation.refuse_it())

    async def bridge(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection to a port that leads to the same one of this machine."""

        async def serve() -> None:
            try:
                other = await self.dialer.dial(LOCAL, port)
            except UnreachableHostError:
                # Nothing listens there: reset it, which is as close to a refused connection as possible.
                writer.transport.abort()
                return
            await relay((reader, writer), other)

        if self._has_room:
            await self._serve(writer, serve())
        else:
            writer.transport.abort()

    @property
    def _has_room(self) -> bool:
        return len(self._open) < CONNECTIONS

    async def _serve(self, writer: asyncio.StreamWriter, serving: Any) -> None:
        task = asyncio.ensure_future(serving)
        self._open.add(task)
        try:
            await task
        except (OSError, TimeoutError, asyncio.CancelledError, h11.ProtocolError):
            pass  # The peer is gone, silent or sends nonsense, or the run is over.
        except Exception:
            log.exception("a connection of an agent failed")
        finally:
            self._open.discard(task)
            writer.close()


class _Conversation:
    """One connection of a program inside, with one request after the other."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._dialer = proxy.dialer
        self._reader = reader
        self._writer = writer
        self._peer = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)

    async def run(self) -> None:
        """Until one of the two has enough."""
        while True:
            try:
                request = await _next(self._peer, self._reader, HEAD_SECS)
            except h11.RemoteProtocolError as error:
                await self._answer(error.error_status_hint, "this is no request that a proxy understands")
                return
            if not isinstance(request, h11.Request):
                return
            if request.method == b"CONNECT":
                await self._connect(request)
                return
            await self._forward(request)
            if self._peer.our_state is not h11.DONE or self._peer.their_state is not h11.DONE:
                return
            self._peer.start_next_cycle()

    async def refuse_it(self) -> None:
        """There are too many already."""
        await asyncio.wait_for(self._reader.read(HEAD_BYTES), HEAD_SECS)
        self._writer.write(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await self._writer.drain()

    async def _connect(self, request: h11.Request) -> None:
        place = _place(f"//{request.target.decode('latin-1')}", None)
        if place is None:
            await self._answer(400, "this is no HOST:PORT")
            return
        found = await self._reach("https", *place)
        if found is None:
            return
        streams, _ = found
        try:
            await _next(self._peer, self._reader, HEAD_SECS)  # the end of the request
            established = h11.Response(status_code=200, headers=[], reason=b"Connection established")
            self._writer.write(_bytes(self._peer.send(established)))
            early, _ = self._peer.trailing_data
            streams[1].write(early)
            await relay((self._reader, self._writer), streams)
        finally:
            streams[1].close()

    async def _forward(self, request: h11.Request) -> None:
        target = request.target.decode("latin-1")
        place = _place(target, 80)
        if place is None or not target.lower().startswith("http://"):
            await self._answer(400, "this is a proxy: it takes CONNECT and http:// addresses")
            return
        found = await self._reach("http", *place)
        if found is None:
            return
        streams, upstream = found
        try:
            await self._exchange(_rewritten(request, target, upstream), streams)
        except (OSError, TimeoutError, h11.RemoteProtocolError) as error:
            if self._peer.our_state is not h11.SEND_RESPONSE:
                raise
            await self._answer(502, f"{place[0]} did not answer: {str(error) or type(error).__name__}")
        finally:
            streams[1].close()

    async def _reach(self, scheme: str, host: str, port: int) -> tuple[Streams, Upstream | None] | None:
        """A connection for a request; without one it is answered here."""
        try:
            chosen, upstream = await self._dialer.vet(scheme, host, port)
            if upstream is None:
                return await self._dialer.dial(chosen, port), None
            return await (upstream.tunnel(host, port) if scheme == "https" else upstream.connect()), upstream
        except RefusedError as error:
            self._proxy.refuse(host, str(error))
            await self._answer(403, f"tinytown's sandbox refuses {host}: {error} (see `[sandbox] egress`)")
        except UnreachableHostError as error:
            await self._answer(502, f"could not connect to {host}: {error}")
        return None

    async def _exchange(self, request: h11.Request, streams: Streams) -> None:
        """One request to a server, and its answer back."""
        reader, writer = streams
        server = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        writer.write(_bytes(server.send(request)))

        async def send() -> None:
            while True:
                event = await _next(self._peer, self._reader, IDLE_SECS)
                if not isinstance(event, (h11.Data, h11.EndOfMessage)):
                    return
                writer.write(_bytes(server.send(event)))
                await writer.drain()
                if isinstance(event, h11.EndOfMessage):
                    return

        async def receive() -> None:
            while True:
                event = await _next(server, reader, IDLE_SECS)
                if isinstance(event, (h11.InformationalResponse, h11.Response)):
                    event = type(event)(
                        status_code=event.status_code, headers=_without_hops(event.headers), reason=event.reason
                    )
                if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                    raise h11.RemoteProtocolError("it closed the connection")
                self._writer.write(_bytes(self._peer.send(event)))
                await self._writer.drain()
                if isinstance(event, h11.EndOfMessage):
                    return

        sending, receiving = asyncio.ensure_future(send()), asyncio.ensure_future(receive())
        try:
            await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_EXCEPTION)
            # Nobody waits for the answer to a request that broke off; but an answer may come before a request ends.
            await (receiving if receiving.done() else sending)
        finally:
            sending.cancel()
            receiving.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)

    async def _answer(self, status: int, words: str) -> None:
        """An answer of our own, after which the connection ends."""
        body = f"{words}\n".encode("utf-8", "replace")
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        headers.append(("Connection", "close"))
        with contextlib.suppress(h11.LocalProtocolError):
            sent = self._peer.send(h11.Response(status_code=status, headers=headers, reason=_REASONS.get(status, b"")))
            sent = _bytes(sent) + _bytes(self._peer.send(h11.Data(data=body)))
            self._writer.write(sent + _bytes(self._peer.send(h11.EndOfMessage())))
            await self._writer.drain()


_REASONS = {400: b"Bad Request", 403: b"Forbidden", 431: b"Request Header Fields Too Large", 502: b"Bad Gateway"}


async def relay(one: Streams, other: Streams) -> None:
    """Carry bytes both ways, until both directions have ended or nothing moves any more."""
    ways = [asyncio.ensure_future(_pump(one[0], other[1])), asyncio.ensure_future(_pump(other[0], one[1]))]
    try:
        await asyncio.gather(*ways)
    finally:
        for way in ways:
            way.cancel()
        other[1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await asyncio.wait_for(reader.read(CHUNK), IDLE_SECS):
        writer.write(data)
        await writer.drain()
    # The other direction may go on.
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


async def _next(connection: h11.Connection, reader: asyncio.StreamReader, secs: float) -> Any:
    """The next event of a connection."""
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await asyncio.wait_for(reader.read(CHUNK), secs))
    return event


def _place(target: str, usual: int | None) -> tuple[str, int] | None:
    """Host and port that a target names."""
    try:
        parts = urlsplit(target)
        port = parts.port or usual
    except ValueError:
        return None
    host = parts.netloc
    if "@" in host or "\\" in host:
        return None  # Programs then differ in what they take for the host.
    host = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return (host, port) if host and port else None


def _rewritten(request: h11.Request, target: str, upstream: Upstream | None) -> h11.Request:
    """A request as the server, or the user's proxy, is to see it."""
    parts = urlsplit(target)
    authority = parts.netloc
    headers = [(b"Host", authority.encode("latin-1")), *_without_hops(request.headers), (b"Connection", b"close")]
    if upstream is not None and upstream.authorization:
        headers.append((b"Proxy-Authorization", upstream.authorization.encode()))
    path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    path = path if path.startswith("/") else f"/{path}"
    whole = path if upstream is None else f"http://{authority}{path}"
    return h11.Request(method=request.method, target=whole.encode("latin-1"), headers=headers)


def _without_hops(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    named = [value.lower() for name, value in headers if name == b"connection"]
    hops = _HOP | {name.strip() for value in named for name in value.split(b",")}
    # Not these two: h11 frames the content anew by them.
    return [(name, value) for name, value in headers if name not in hops - {b"transfer-encoding", b"content-length"}]


def _bytes(sent: bytes | None) -> bytes:
    return sent or b""
