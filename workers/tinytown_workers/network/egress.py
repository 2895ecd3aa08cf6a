"""What an agent may reach from its own network: ``[sandbox] egress``, ``hosts`` and ``loopback`` as a decision.

A name is resolved once, here, and connections go only to the addresses that were judged: a later change of the name's
addresses has no effect, and a redirect is a new request.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tinytown import hostnames
from tinytown.errors import ConfigurationError
from tinytown.hostnames import Address
from tinytown.settings import PROXY_PORT, AgentCliSettings, SandboxSettings
from tinytown_workers.network import addresses

#: Where this machine's own services listen.
LOCAL = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
#: Most refused hosts that are named; further ones are only counted.
NAMED = 20
#: Characters of a refused name that are told.
NAME_CHARS = 100
#: Ends of names that are not public.
_PRIVATE_ENDS = (".internal", ".local", ".lan", ".home", ".corp", ".intranet", ".private", ".home.arpa", ".test")


class RefusedError(Exception):
    """A host that may not be reached; the text is why."""


@dataclass(frozen=True)
class Policy:
    """What one run may reach."""

    egress: Literal["public", "strict", "open"] = "public"
    #: Hosts that the user named: these may be in a private network.
    hosts: Sequence[str] = ()
    #: What the CLI's service needs: allowed in ``strict``.
    services: Sequence[str] = ()
    #: Hosts and ports of services that the user gave to the CLI, wherever they are.
    given: frozenset[tuple[str, int]] = frozenset()
    #: Ports of this machine that are let in.
    loopback: frozenset[int] = frozenset()
    #: Whether an address is this machine's.
    is_own: Callable[[Address], bool] = addresses.is_own

    def admit(self, text: str, port: int) -> Address | str:
        """The host that ``text`` names, if it may be looked up.

        Raises:
            RefusedError: it may not be reached, whatever its address is.
        """
        try:
            host = hostnames.parse(text)
        except hostnames.UnusualHostError as error:
            raise RefusedError(str(error)) from None
        if hostnames.is_local(host):
            if port in self.loopback:
                return host
            raise RefusedError("loopback")
        allowed = self.egress != "strict" or self._is_given(host, port)
        if not (allowed or hostnames.matches(host, [*self.hosts, *self.services])):
            raise RefusedError("not in `[sandbox] hosts`")
        return host

    def choose(self, host: Address | str, port: int, found: Sequence[Address]) -> Sequence[Address]:
        """Of the addresses of an admitted host those that may be connected to.

        Raises:
            RefusedError: none of them may.
        """
        if hostnames.is_local(host):
            return LOCAL
        reasons = {address: self._refusal(host, port, address) for address in found}
        good = [address for address, reason in reasons.items() if not reason]
        if found and not good:
            raise RefusedError(next(iter(reasons.values())))
        return good

    def unresolved(self, host: Address | str, port: int) -> None:
        """Make sure that a host without a known address may be left to the user's proxy.

        Raises:
            RefusedError: its name is no public one.
        """
        if not isinstance(host, str) or self._is_given(host, port) or hostnames.matches(host, self.hosts):
            return
        if "." not in host or host.endswith(_PRIVATE_ENDS):
            raise RefusedError("a name of a private network")

    def _refusal(self, host: Address | str, port: int, address: Address) -> str:
        if self._is_given(host, port):
            return ""
        if str(host) in self.hosts and isinstance(host, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
            return ""
        reason = addresses.refusal(address)
        # Who owns a domain decides where the names below it lead, so a pattern opens no private network.
        if reason in addresses.NAMEABLE and str(host) in self.hosts:
            reason = ""
        return reason or (addresses.OWN if self.is_own(address) else "")

    def _is_given(self, host: Address | str, port: int) -> bool:
        return (str(host), port) in self.given


def of(sandbox: SandboxSettings, cli: AgentCliSettings | None = None, services: Sequence[str] = ()) -> Policy:
    """What a run of this CLI may reach, whose driver names ``services``; without one, a setup or a check.

    Raises:
        ConfigurationError: its service is where the sandbox's proxy must be.
    """
    cli = cli or AgentCliSettings()
    # The user's proxy is not a service: whoever may use it gets everywhere.
    texts = [text for name, text in cli.env.items() if not name.lower().endswith("_proxy")]
    named = [hostnames.service(text) for text in (*texts, *(cli.command or "").split())]
    found = [one for one in named if one is not None]
    if any(hostnames.is_local(host) and port == PROXY_PORT for host, port in found):
        raise ConfigurationError(
            f"a service at port {PROXY_PORT} cannot be let into the sandbox, whose own proxy is there",
            remedy='let it listen elsewhere, or set `egress = "open"` for this CLI',
        )
    return Policy(
        egress=cli.egress or sandbox.egress,
        hosts=tuple(sandbox.hosts),
        services=tuple(services),
        given=frozenset((str(host), port) for host, port in found if not hostnames.is_local(host)),
        loopback=frozenset([*sandbox.loopback, *(port for host, port in found if hostnames.is_local(host))]),
    )


@dataclass
class Refusals:
    """What was refused in a run: each host once, with the reason. Safe to use from several threads."""

    _found: dict[tuple[str, str], None] = field(default_factory=dict)
    _more: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, host: str, reason: str) -> bool:
        """Record one; gives whether it is new and among those that are named."""
        key = (host[:NAME_CHARS], reason)
        with self._lock:
            if key in self._found:
                return False
            if len(self._found) >= NAMED:
                self._more += 1
                return False
            self._found[key] = None
            return True

    def merge(self, other: Refusals) -> None:
        """Add those of another run."""
        for host, reason in other.hosts():
            self.add(host, reason)
        self._more += other._more

    def __bool__(self) -> bool:
        return bool(self._found)

    def hosts(self) -> Sequence[tuple[str, str]]:
        """Each host with the reason."""
        with self._lock:
            return list(self._found)

    def words(self) -> tuple[str, ...]:
        """A phrase for each."""
        found = tuple(f"{host} ({reason})" for host, reason in self.hosts())
        return (*found, f"and {self._more} more") if self._more else found


#: Variables that name a proxy, in both of their spellings.
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def variables(port: int, env: Mapping[str, str]) -> dict[str, str]:
    """How programs are told of the proxy at ``port``, in addition to their environment ``env``."""
    url = f"http://127.0.0.1:{port}"
    inside = "localhost,127.0.0.1,::1"
    told = dict.fromkeys(_PROXIES, url) | {"no_proxy": inside}
    told |= {name.upper(): text for name, text in told.items()}
    # Node and yarn look at the others only when they are told to; Java never does.
    java = f"-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort={port} -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort={port}"
    java = f"{env.get('JAVA_TOOL_OPTIONS', '')} {java} -Dhttp.nonProxyHosts=localhost|127.*|[::1]".strip()
    return {
        **told,
        "NODE_USE_ENV_PROXY": "1",
        "YARN_HTTP_PROXY": url,
        "YARN_HTTPS_PROXY": url,
        "JAVA_TOOL_OPTIONS": java,
    }
