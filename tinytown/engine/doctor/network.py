"""What agents can reach by the network, and what of that a person may not expect."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil

from tinytown import contract, hostnames, processes
from tinytown.engine.doctor.findings import Finding
from tinytown.errors import TinytownError
from tinytown.host import access, server
from tinytown.settings import Settings
from tinytown.town import Town

#: Seconds that the trial may take; it has limits of its own.
PATIENCE = 25.0
#: Ports that are named.
PORTS = 12


def network(town: Town) -> Iterator[Finding]:
    """Whether agents have a network of their own; where they share the machine's, which services they can reach."""
    settings = town.settings.sandbox
    why = _shared(town.settings)
    if not why:
        reach = {"public": "public hosts", "strict": "the service of their CLI, and `hosts`"}[settings.egress]
        ports = f", and this machine's ports {_list(settings.loopback)}" if settings.loopback else ""
        yield Finding("network", "ok", f"agents have their own, which reaches {reach}{ports}")
        for name, port in _unnamed(town.settings):
            detail = (
                f"{name} of `[workspace] env` leads to port {port} of this machine, which is not let into the sandbox"
            )
            yield Finding("network", "warn", detail, "name it in `[sandbox] loopback`")
    else:
        found = listening()
        detail = f"agents share this machine's: {why}"
        detail += f"; they reach what listens here: ports {_list(found)}" if found else ""
        chosen = settings.kind == "none" or settings.egress == "open"
        remedy = "" if chosen else 'install bubblewrap and allow user namespaces, or set `[sandbox] egress = "open"`'
        yield Finding("network", "ok" if chosen and not found else "warn", detail, remedy or _TAKE_CARE)
    opened = sorted(name for name, cli in town.settings.agent_clis.items() if cli.egress == "open")
    if opened and not why:
        detail = f"agents of {', '.join(opened)} share this machine's; they reach its ports {_list(listening())}"
        yield Finding("network", "warn", detail, _TAKE_CARE)
    url = server.server_url(town)
    if town.settings.redis.url is not None and access.is_open(url):
        detail = f"the server at {server.public_url(url)} asks for no password"
        yield Finding("network", "warn", detail, "give it one (`requirepass`) and put it into REDIS_URL")


_TAKE_CARE = "see that these services ask for a password, or let agents have a network of their own"


def _shared(settings: Settings) -> str:
    """Why agents share the machine's network; empty if they do not."""
    if settings.sandbox.kind == "none":
        return "the sandbox is switched off"
    if settings.sandbox.egress == "open":
        return '`[sandbox] egress = "open"`'
    if settings.sandbox.kind == "container":
        return ""  # Where containers work at all, each has its own.
    argv = [sys.executable, "-P", "-m", "tinytown_workers.sandbox", "--network"]
    try:
        done = processes.run(argv, cwd="/", env=contract.for_processes(os.environ), timeout=PATIENCE, check=False)
    except TinytownError as error:
        return error.message
    last = done.stderr.strip().splitlines()[-1:]
    return done.stdout.strip() if done.ok else f"it could not be tried{': ' if last else ''}{''.join(last)}"


def _unnamed(settings: Settings) -> Iterator[tuple[str, int]]:
    """Variables of setups and checks that name a port of this machine which they cannot reach."""
    for name, text in settings.workspace.env.items():
        with contextlib.suppress(ValueError):
            parts = urlsplit(text)
            local = parts.hostname is not None and hostnames.is_local(hostnames.parse(parts.hostname))
            if local and parts.port and parts.port not in settings.sandbox.loopback:
                yield name, parts.port


def listening() -> list[int]:
    """Ports on which anything of this machine listens for its loopback interface."""
    try:
        found = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return []
    ports = set()
    for one in found:
        if one.status == psutil.CONN_LISTEN and one.laddr:
            address = ipaddress.ip_address(one.laddr.ip.partition("%")[0])
            if address.is_loopback or address.is_unspecified:
                ports.add(int(one.laddr.port))
    return sorted(ports)


def _list(ports: list[int]) -> str:
    more = len(ports) - PORTS
    return ", ".join(map(str, ports[:PORTS])) + (f" and {more} more" if more > 0 else "") if ports else "none"
