"""Which addresses an agent may reach: those of the public internet, except this machine's own."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from tinytown.hostnames import Address

#: Unicast addresses of the public internet; all other addresses have special meanings, or none yet.
_UNICAST = IPv6Network("2000::/3")
#: IPv4 addresses as NAT64 maps them.
_NAT64 = IPv6Network("64:ff9b::/96")
#: Networks that are not public, after IANA's registries of special-purpose addresses. Not asked of ``ipaddress``, whose
#: answers differ from release to release.
_SPECIAL: dict[IPv4Network | IPv6Network, str] = {
    IPv4Network("0.0.0.0/8"): "unspecified",
    IPv4Network("10.0.0.0/8"): "private",
    IPv4Network("100.64.0.0/10"): "shared by a provider",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("169.254.0.0/16"): "link-local",
    IPv4Network("172.16.0.0/12"): "private",
    IPv4Network("192.0.0.0/24"): "reserved",
    IPv4Network("192.0.2.0/24"): "reserved",
    IPv4Network("192.88.99.0/24"): "reserved",
    IPv4Network("192.168.0.0/16"): "private",
    IPv4Network("198.18.0.0/15"): "private",
    IPv4Network("198.51.100.0/24"): "reserved",
    IPv4Network("203.0.113.0/24"): "reserved",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved",
    # Hands out a machine's secrets at an address that looks public (Azure).
    IPv4Network("168.63.129.16/32"): "a metadata service",
    IPv6Network("::/128"): "unspecified",
    IPv6Network("::1/128"): "loopback",
    IPv6Network("fc00::/7"): "private",
    IPv6Network("fec0::/10"): "private",
    IPv6Network("fe80::/10"): "link-local",
    IPv6Network("ff00::/8"): "multicast",
    IPv6Network("2001::/23"): "reserved",
    IPv6Network("2001:db8::/32"): "reserved",
    IPv6Network("3fff::/20"): "reserved",
}

#: Kinds of addresses that a host may have, too, if the user named it.
NAMEABLE = frozenset({"private", "shared by a provider", "reserved"})
OWN = "this machine's own"


def refusal(address: Address) -> str:
    """Why it is no public address; empty if it is one."""
    inner = _embedded(address)
    if inner is not None:
        return refusal(inner)
    for network, reason in _SPECIAL.items():
        if address in network:
            return reason
    return "" if address.version == 4 or address in _UNICAST else "reserved"


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that this one leads to."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def is_own(address: Address) -> bool:
    """Whether the address is this machine's: the kernel would then use it as the sender, too. Nothing is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.connect((str(address), 9))
        return ipaddress.ip_address(asked.getsockname()[0].partition("%")[0]) == address
    return False
