"""Names of hosts as people write them in the configuration, and what they match."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

#: Labels of letters, digits, ``-`` and ``_``; the last one is no number, or it would be an address in disguise.
_NAME = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!(?:\d+|0x[0-9a-f]*)\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
_NAME_CHARS = 253
#: Ports of the kinds of address that name a service.
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class UnusualHostError(ValueError):
    """A host that is neither a name nor an address in its usual form."""


def parse(text: str) -> Address | str:
    """The host that ``text`` names: an address, or a name in lower case without a dot at its end.

    Raises:
        UnusualHostError: it is none, or an address in a form that programs read in different ways.
    """
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    host = host.lower().removesuffix(".")
    try:
        if "%" not in host:
            return ipaddress.ip_address(host)
    except ValueError:
        pass
    if len(host) > _NAME_CHARS or not _NAME.fullmatch(host):
        raise UnusualHostError("no name or address in its usual form")
    return host


def is_local(host: Address | str) -> bool:
    """Whether it means the machine that asks, by its name or by its address."""
    if isinstance(host, str):
        return host == "localhost" or host.endswith(".localhost")
    mapped = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
    return (mapped or host).is_loopback


def matches(host: Address | str, patterns: Iterable[str]) -> bool:
    """Whether one of ``patterns`` names it; ``*.example.org`` are all hosts below ``example.org``."""
    name = str(host)
    return any(name == p or (p.startswith("*.") and isinstance(host, str) and name.endswith(p[1:])) for p in patterns)


def pattern(text: str) -> str:
    """A host of the configuration in one spelling.

    Raises:
        ValueError: it names none that could be let in.
    """
    try:
        host = parse(text.removeprefix("*."))
    except UnusualHostError:
        raise ValueError(f"{text!r} is no name of a host, such as `api.example.org` or `*.example.org`") from None
    if is_local(host):
        raise ValueError(f"{text!r} is this machine: name its ports in `[sandbox] loopback`")
    if text.startswith("*.") and not (isinstance(host, str) and "." in host):
        raise ValueError(f"{text!r} would be far too many hosts")
    return f"*.{host}" if text.startswith("*.") else str(host)


def service(text: str) -> tuple[Address | str, int] | None:
    """Host and port of a service's address, e.g. ``http://localhost:11434/v1``; ``None`` for any other text."""
    try:
        parts = urlsplit(text)
        if parts.scheme not in _PORTS or not parts.hostname:
            return None
        return parse(parts.hostname), parts.port or _PORTS[parts.scheme]
    except ValueError:
        return None
