"""The last part of what attempts said, for people on other hosts: kept while they run, and for some days after.

The whole stays on the host where the attempt ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinytown.state.database import answering
from tinytown.state.store import Store

#: Most bytes of each log, from its end, and of a brief, from its beginning.
LOG_BYTES = 64 << 10
#: Most logs of one attempt.
LOGS = 16
#: Seconds for which they are kept after they last changed.
KEPT_SECS = 7 * 86400
#: The field that names the host; no log is called so.
_HOST = ""


@dataclass(frozen=True)
class Tails:
    """The end of each log of an attempt, and its brief, by their names."""

    host: str
    texts: Mapping[str, str]


def keep(store: Store, attempt: str, host: str, texts: Mapping[str, str]) -> None:
    """Put these in the place of what was there under their names."""
    key = store.keys.tail(attempt)
    with answering(), store.client.pipeline(transaction=True) as pipe:
        pipe.hset(key, mapping={_HOST: host, **texts})
        pipe.expire(key, KEPT_SECS)
        pipe.execute()


def read(store: Store, attempt: str) -> Tails | None:
    """What is kept of an attempt; ``None`` if nothing is (any more)."""
    with answering():
        found = {str(name): str(text) for name, text in store.client.hgetall(store.keys.tail(attempt)).items()}
    return Tails(found.pop(_HOST, ""), found) if found else None
