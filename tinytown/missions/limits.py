"""Usage limits: until when the agents of one CLI and account wait together.

A limit whose end is known ends by itself, however often it comes. An account is told by the CLI's name and the machine
on which it is logged in.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence

from tinytown.missions.records.record import Record

#: Items that waited for the end of a limit go on spread over the time after it: this many seconds at most, and at most
#: this part of the limit.
MAX_SPREAD = 30.0
SPREAD_PART = 0.02


class Limit(Record):
    """A limit that was reached; times are by the database's clock."""

    since: float
    until: float


def account(cli: str, host: str) -> str:
    """Name of the account that a limit is of."""
    return f"{cli}@{host}"


def over_at(limit: Limit, key: str) -> float:
    """When the item ``key`` goes on: a little after the others, so that not all ask at the same moment."""
    share = zlib.crc32(key.encode()) / 0xFFFFFFFF
    return limit.until + share * min(MAX_SPREAD, SPREAD_PART * max(0.0, limit.until - limit.since))


def choose(clis: Sequence[str], host: str, limits: Mapping[str, Limit], key: str, *, now: float) -> str | None:
    """The first of ``clis`` that may run for the item ``key``; ``None`` while all are limited."""
    for cli in clis:
        limit = limits.get(account(cli, host))
        if limit is None or over_at(limit, key) <= now:
            return cli
    return None


def rests_until(clis: Iterable[str], host: str, limits: Mapping[str, Limit], key: str, *, now: float) -> float | None:
    """When the first of ``clis`` may run for the item again; ``None`` if one may now, or there is none."""
    ends = [over_at(limit, key) if (limit := limits.get(account(cli, host))) else now for cli in clis]
    return min(ends) if ends and min(ends) > now else None
