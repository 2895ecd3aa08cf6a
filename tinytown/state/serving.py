"""Which server a town uses: everything that acts for it must speak to that one.

A shell may name another server than the one that the town was started with. The record in ``town.json`` (its address,
and which run of the server it was) shows that, and the epoch in the database proves it.
"""

from __future__ import annotations

import contextlib
import os
from urllib.parse import parse_qs, urlsplit

import redis

from tinytown import settings
from tinytown.errors import DiskFullError, OtherServerError, UnreachableError
from tinytown.state.database import connect
from tinytown.state.epoch import Epoch, another, epoch_of, lost
from tinytown.town import Town, amend_identity, read_identity

#: Stands for the server that the town starts itself.
OWN = "own"
_PORT = 6379


def address(url: str) -> str:
    """One spelling of where a server and its database are, without user and password."""
    parts = urlsplit(url)
    number = parse_qs(parts.query).get("db", [""])[0]
    if parts.scheme == "unix":
        return f"unix://{parts.path}?db={number or 0}"
    host = (parts.hostname or "localhost").lower()
    host = "127.0.0.1" if host in ("localhost", "::1") else host
    return f"{parts.scheme}://{host}:{parts.port or _PORT}/{number or parts.path.strip('/') or 0}"


def named(town: Town) -> str:
    """The server that the configuration and this shell name."""
    return address(town.settings.redis.url) if town.settings.redis.url else OWN


def note(town: Town, run: str) -> None:
    """Record which server, and which run of it, the town uses from now on; on a full disk the next start does it."""
    with contextlib.suppress(DiskFullError):
        amend_identity(town.root, server=named(town), server_run=run)


def elsewhere(town: Town) -> bool:
    """Whether this shell names another server than the town used last, and not the same one by another name."""
    identity = read_identity(town.root)
    if not identity.server or identity.server == named(town):
        return False
    url = town.settings.redis.url
    return url is None or not identity.server_run or _run_of(url) != identity.server_run


def other(town: Town) -> OtherServerError:
    """The error for a shell that names another server."""
    used, here = read_identity(town.root).server, named(town)
    variable = settings.server_variable(os.environ)
    used_shown = "its own server" if used == OWN else used
    if variable:
        way = f"unset {variable}" if used == OWN else f"set {variable} to that server"
        return OtherServerError(f"{variable} is set to {here}, but the town uses {used_shown}", remedy=way)
    if here == OWN:
        return OtherServerError(
            f"no server is configured here, but the town uses {used_shown}",
            remedy="set REDIS_URL to that server, or `[redis] url` in tinytown.toml",
        )
    return OtherServerError(
        f"the configuration names {here}, but the town uses {used_shown}",
        remedy="run `tt stop`, then `tt start` to switch; or change `[redis] url` back",
    )


def prove(town: Town, url: str, client: redis.Redis | None = None) -> None:
    """Prove that the database at ``url`` is the one this town uses; nothing is written.

    Raises:
        UnreachableError: it does not answer, or is not this town's.
    """
    match epoch_of(town, url, client):
        case Epoch.OURS:
            return
        case Epoch.NEW:
            raise UnreachableError(f"{town.name} was never started", remedy="run `tt start`")
        case _ if elsewhere(town):
            raise other(town)
        case Epoch.LOST:
            raise lost()
        case Epoch.ANOTHER:
            raise another()


def _run_of(url: str) -> str:
    client = connect(url, retries=0)
    try:
        return str(client.info("server").get("run_id", ""))
    except redis.RedisError:
        return ""
    finally:
        client.close()
