"""Which addresses an agent may reach: those of the public internet, and of these none that is this machine's."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from tinytown.hostnames import Address

#: Unicast addresses of the public internet; all others have a meaning of their own, or none yet.
_UNICAST = IPv6Network("2000::/3")
#: What NAT64 makes of an IPv4 address.
_NAT64 = IPv6Network("64:ff9b::/96")
#: What providers use between their customers and the internet; some have services of their own there.
_SHARED = IPv4Network("100.64.0.0/10")
#: Not public, whatever the release of Python says: relays to IPv6, and an example's addresses.
_RESERVED = (IPv4Network("192.88.99.0/24"), IPv6Network("3fff::/20"))
#: Hands out a machine's secrets at an address that looks public (Azure).
_METADATA = IPv4Address("168.63.129.16")

#: What a host that the user names may be besides.
PRIVATE = frozenset({"private", "shared by a provider"})
OWN = "this machine's own"


def refusal(address: Address) -> str:
    """Why it is no public address; empty if it is one."""
    inner = _embedded(address)
    if inner is not None:
        return refusal(inner)
    if address.is_loopback:
        return "loopback"
    if address.is_unspecified:
        return "unspecified"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    if address in _SHARED:
        return "shared by a provider"
    if address == _METADATA:
        return "a metadata service"
    if isinstance(address, IPv6Address) and not address.is_private and address not in _UNICAST:
        return "reserved"
    if address.is_reserved or any(address in network for network in _RESERVED):
        return "reserved"
    return "private" if address.is_private else ""


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that this one leads to."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def is_own(address: Address) -> bool:
    """Whether it leads to this machine: then the kernel would take the address itself for the sender. Sends nothing."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.connect((str(address), 9))
        return ipaddress.ip_address(asked.getsockname()[0].partition("%")[0]) == address
    return False
