"""What the runs of a town used, by day and by kind of run; how it is counted is in ``commit.lua``."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinytown.missions.spending import DAY_SECS, NANO, REMEMBERED, Caps, Costs, Day, Used
from tinytown.state.database import Draft, answering
from tinytown.state.keys import Keys

if TYPE_CHECKING:
    from tinytown.state.store import Store

#: What is recorded of a day, in the order in which it is read.
FIELDS = ("nano", "tokens", "runs", "untold", "raised", "asked")
#: When the last run began, as far as starts are limited.
LAST = "started"


def count(draft: Draft, keys: Keys, used: Used, *, role: str, cli: str) -> None:
    """Count a run of an agent that ended, or whose cost became known."""
    nano = "" if used.usd is None else str(max(0, round(used.usd * NANO)))
    tokens = "" if used.tokens is None else str(max(0, used.tokens))
    draft.write("SPEND", keys.spent, draft.index(keys.costs), f"{role}/{cli}", str(REMEMBERED), nano, tokens)


def today(store: Store) -> tuple[Day, Costs]:
    """What today's runs used, and what runs used so far."""
    number = int(store.now() // DAY_SECS)
    with answering(), store.client.pipeline(transaction=False) as pipe:
        pipe.hmget(store.keys.spent, [*(f"{number}/{name}" for name in FIELDS), LAST])
        pipe.hgetall(store.keys.costs)
        values, costs = pipe.execute()
    return day_of([f"{number}/", *values]), costs_of(costs)


def day_of(row: Sequence[Any]) -> Day:
    """A day as the server gives it."""
    name, nano, tokens, runs, untold, raised, asked, last_start = row
    at, asked_for = _asked(str(asked)) if asked else (0.0, Caps())
    return Day(
        number=int(str(name).rstrip("/")),
        usd=int(nano or 0) / NANO,
        tokens=int(tokens or 0),
        runs=int(runs or 0),
        untold=int(untold or 0),
        raised=_caps(json.loads(str(raised))) if raised else Caps(),
        asked_at=at,
        asked=asked_for,
        last_start=float(last_start or 0.0),
    )


def costs_of(rows: Mapping[Any, Any]) -> Costs:
    """What runs used, by role and CLI."""
    return _costs(frozenset((str(kind), str(text)) for kind, text in rows.items()))


@functools.lru_cache(16)
def _costs(rows: frozenset[tuple[str, str]]) -> Costs:
    known = {}
    for kind, text in sorted(rows):
        role, _, cli = kind.partition("/")
        known[role, cli] = tuple(_used(one) for one in text.split(" "))
    return Costs(known)


def _used(text: str) -> Used:
    nano, _, tokens = text.partition(":")
    return Used(int(nano) / NANO if nano else None, int(tokens) if tokens else None)


def raised(caps: Caps) -> str:
    """Limits of a day, as they are recorded."""
    return json.dumps({"usd": caps.usd, "tokens": caps.tokens})


def asked(caps: Caps, at: float) -> str:
    """That a person was asked about these limits, as it is recorded."""
    return f"{at!r}\n{raised(caps)}"


def _asked(text: str) -> tuple[float, Caps]:
    at, _, caps = text.partition("\n")
    return float(at), _caps(json.loads(caps))


def _caps(values: Mapping[str, Any]) -> Caps:
    usd, tokens = values.get("usd"), values.get("tokens")
    return Caps(None if usd is None else float(usd), None if tokens is None else int(tokens))
