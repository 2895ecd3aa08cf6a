"""Connections on an agent's behalf: only to the addresses that its policy chose, or through the user's own proxy."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import socket
import ssl
import urllib.request
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from tinytown import hostnames
from tinytown.hostnames import Address
from tinytown_workers.network.egress import Policy

#: Seconds for one address to answer, and for a name to be resolved.
CONNECT_SECS = 10.0
#: Most addresses of a name that are tried.
ADDRESSES = 6
#: Bytes that are read at once; a connection holds some of them each way.
CHUNK = 64 << 10
#: Longest answer of the user's proxy to `CONNECT`.
_ANSWER_BYTES = 16 << 10

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Resolver = Callable[[str, int], Awaitable[Sequence[Address]]]


class UnreachableHostError(Exception):
    """A host that is allowed, but cannot be reached; the text says why."""


async def resolve(name: str, port: int) -> Sequence[Address]:
    """The addresses of a name, as this machine knows them.

    Raises:
        UnreachableHostError: it has none.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(loop.getaddrinfo(name, port, type=socket.SOCK_STREAM), CONNECT_SECS)
    except (OSError, UnicodeError) as error:
        raise UnreachableHostError(f"its name cannot be resolved: {_said(error)}") from None
    except TimeoutError:
        raise UnreachableHostError("its name cannot be resolved: no answer") from None
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


@dataclass(frozen=True)
class Upstream:
    """A proxy by which this machine reaches the world."""

    host: str
    port: int
    tls: bool
    #: Its `Proxy-Authorization`; the agent never sees it.
    authorization: str = field(default="", repr=False)

    async def connect(self) -> Streams:
        """A connection to it."""
        context = ssl.create_default_context() if self.tls else None
        return await _open(self.host, self.port, context)

    async def tunnel(self, host: str, port: int) -> Streams:
        """A connection through it.

        Raises:
            UnreachableHostError: it does not make one.
        """
        reader, writer = await self.connect()
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        proof = f"Proxy-Authorization: {self.authorization}\r\n" if self.authorization else ""
        try:
            writer.write(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{proof}\r\n".encode())
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), CONNECT_SECS)
            words = answer[:_ANSWER_BYTES].split(b"\r\n")[0].decode("latin-1").split(None, 2)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError) as error:
            writer.close()
            raise UnreachableHostError(f"the proxy of this machine does not answer: {_said(error)}") from None
        if len(words) < 2 or words[1] != "200":
            writer.close()
            raise UnreachableHostError(f"the proxy of this machine refused it: {' '.join(words[1:]) or 'no answer'}")
        return reader, writer


@dataclass(frozen=True)
class Upstreams:
    """The proxies that an environment names, by scheme."""

    proxies: Mapping[str, Upstream]
    #: As the environment has it.
    exceptions: Mapping[str, str]
    #: Those that were not understood.
    unknown: Sequence[str] = ()

    def of(self, scheme: str, host: str) -> Upstream | None:
        """The proxy for a host; ``None`` if there is none, or the environment excepts the host."""
        found = self.proxies.get(scheme) or self.proxies.get("all")
        if found is None or urllib.request.proxy_bypass_environment(host, dict(self.exceptions)):  # type: ignore[attr-defined]
            return None
        return found


def upstreams(environ: Mapping[str, str]) -> Upstreams:
    """The proxies that are named by ``HTTPS_PROXY`` and its kin; the spelling in lower case wins."""
    named = {name.lower(): text for name, text in environ.items() if name.isupper()}
    named |= {name: text for name, text in environ.items() if name.islower()}
    proxies, unknown = {}, []
    for scheme in ("http", "https", "all"):
        text = named.get(f"{scheme}_proxy", "")
        if text:
            found = _upstream(text)
            if found is not None:
                proxies[scheme] = found
            else:
                unknown.append(f"{scheme.upper()}_PROXY")
    return Upstreams(proxies, {"no": named.get("no_proxy", "")}, unknown)


def _upstream(text: str) -> Upstream | None:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    proof = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        proof = f"Basic {base64.b64encode(pair.encode()).decode()}"
    tls = parts.scheme == "https"
    return Upstream(parts.hostname, port or (443 if tls else 80), tls, proof)


@dataclass(frozen=True)
class Dialer:
    """Connects as a policy allows."""

    policy: Policy
    upstreams: Upstreams
    resolver: Resolver = resolve

    async def vet(self, scheme: str, text: str, port: int) -> tuple[Sequence[Address], Upstream | None]:
        """Where a request for a host may go: to these addresses, or to the user's proxy.

        Raises:
            RefusedError: nowhere.
            UnreachableHostError: nobody knows its address.
        """
        host = self.policy.admit(text, port)
        local = hostnames.is_local(host)
        upstream = None if local else self.upstreams.of(scheme, str(host))
        found: Sequence[Address] = ()
        if not local:
            try:
                found = [host] if not isinstance(host, str) else await self.resolver(host, port)
            except UnreachableHostError:
                if upstream is None:
                    raise
                self.policy.unresolved(host, port)
        chosen = self.policy.choose(host, port, found) if found or local else ()
        return chosen[:ADDRESSES], upstream

    async def dial(self, chosen: Sequence[Address], port: int) -> Streams:
        """A connection to the first of these addresses that answers.

        Raises:
            UnreachableHostError: none does.
        """
        failure = "it has no address"
        for address in chosen:
            try:
                return await _open(str(address), port)
            except UnreachableHostError as error:
                failure = str(error)
        raise UnreachableHostError(failure)


async def _open(host: str, port: int, context: ssl.SSLContext | None = None) -> Streams:
    opening = asyncio.open_connection(host, port, ssl=context, limit=CHUNK)
    try:
        reader, writer = await asyncio.wait_for(opening, CONNECT_SECS)
    except (OSError, TimeoutError) as error:
        raise UnreachableHostError(_said(error)) from None
    with contextlib.suppress(OSError, AttributeError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return reader, writer


def _said(error: BaseException) -> str:
    """What went wrong, in words for people."""
    if isinstance(error, TimeoutError):
        return "no answer"
    return str(getattr(error, "strerror", "") or str(error) or type(error).__name__)
