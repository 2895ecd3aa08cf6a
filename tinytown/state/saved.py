"""Which keys of a town are saved with it, by their names in ``keys``: all that cannot be made anew.

A test compares these tables with the schema: whoever adds a key says here what becomes of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

#: Keys that are saved, each with its type.
SAVED: Final[Mapping[str, str]] = {
    "missions": "zset",
    "live": "set",
    "plan": "string",
    "hand": "string",
    "tasks": "hash",
    "tasks:number": "string",
    "questions": "hash",
    "questions:number": "string",
    "backlog": "hash",
    "backlog:lines": "zset",
    "backlog:number": "string",
    "backlog:taken": "hash",
    "issues": "hash",
    "mission:<id>": "hash",
    "mission:<id>:items": "hash",
    "mission:<id>:lanes": "zset",
    "mission:<id>:later": "zset",
    "mission:<id>:opens": "set",
    "mission:<id>:notable": "set",
    "mission:<id>:counts": "hash",
    "mission:<id>:tally": "hash",
    "mission:<id>:due": "set",
    "mission:<id>:issues": "hash",
    "mission:<id>:watches": "hash",
    "mission:<id>:attempts": "hash",
    "mission:<id>:results": "hash",
    "mission:<id>:events": "stream",
    "events": "stream",
    "attempts": "hash",
    "wanting": "set",
    "limits": "hash",
    "spent": "hash",
    "costs": "hash",
    "agents": "hash",
    "rounds": "hash",
    "mail:<name>": "stream",
    "mail:<name>:seen": "string",
    "mail:<name>:pending": "hash",
    "messages:number": "string",
    "messages:open": "hash",
    "messages:due": "set",
    "messages:rate": "hash",
    "notices": "list",
    "notices:sending": "list",
    "notices:failed": "string",
    "archived": "zset",
    "archived:done": "hash",
    "damaged": "zset",
    "quarantine:<name>": "list",
}
#: Keys that are not: they are about this very database, or about who is alive at the moment.
PASSING: Final = frozenset(
    {
        "epoch",
        "schema",
        "leases",
        "admissions",
        "alive",
        "disks",
        "duty:<name>",
        "ticks",
        "ticks:took",
        "forge:away",
        "hosts",
        "hosts:alive",
        "host:<name>:words",
        "host:answer:<name>",
        "settings",
        "tail:<key>",
        "once:<name>",
        "saving:<name>:<key>",
        "restoring:<name>:<key>",
    }
)

_PLACE = re.compile(r"<\w+>")
_NAME = r"[A-Za-z0-9._-]{1,120}"
_KINDS = [(re.compile(_NAME.join(map(re.escape, _PLACE.split(key)))), kind) for key, kind in SAVED.items()]


def kind_of(key: str) -> str | None:
    """The type of a saved key, named without the town's prefix; ``None`` if no such key is saved."""
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(key)), None)


def words() -> list[str]:
    """Names of all saved keys; one that ends with ``*`` stands for all that begin so."""
    return list(dict.fromkeys(key if "<" not in key else f"{key.partition('<')[0]}*" for key in SAVED))
