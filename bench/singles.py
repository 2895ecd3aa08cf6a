"""What one process does alone: how long ``tt`` takes to begin, and how fast issues are read."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.shapes import Graph, random_graph
from tinytown.dependencies.sections import parse_dependencies
from tinytown.missions.graph import compile_items
from tinytown.missions.records.issue import Issue
from tinytown.missions.roles import RoleBook

_REPO = "local/project"

#: An issue as people write them; the numbers come from the graph.
_BODY = """Sign-in must survive a restart of the service, which it does not at present.

{needs}
## What to do

- Keep the session's id in the store, not in memory, and let it expire after *two weeks*.
- A user who signs out everywhere loses all sessions at once; see the [design](docs/sessions.md).
- Answer `401` with the reason, never with a stack trace.

```python
def restore(session: Session) -> User:
    # after #1 this reads from the store
    return store.user(session.id)
```

> We had this before, and it was blocked by the old schema.

The load test of last week showed 1,200 requests a second with 40 ms at the 99th percentile; this change should
not make it slower. Out of scope: single sign-on, which #{number} of the other list is about, and the mobile clients.

1. Write the migration.
2. Move the reads, then the writes.
3. Remove the old table when nobody has used it for a week.
"""


@dataclass(frozen=True)
class Spent:
    """Seconds that one run took."""

    wall: float
    processor: float


def beginnings(rounds: int) -> tuple[list[Spent], list[Spent]]:
    """``tt --help`` and ``python -c pass`` in turns."""
    tt = [str(Path(sys.executable).with_name("tt")), "--help"]
    bare = [sys.executable, "-c", "pass"]
    for argv in (tt, bare):
        _spend(argv)  # compiled files and the disk's cache are there from now on
    pairs = [(_spend(tt), _spend(bare)) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _spend(argv: Sequence[str]) -> Spent:
    began = time.perf_counter()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    spent = Spent(time.perf_counter() - began, usage.ru_utime + usage.ru_stime)
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with {process.returncode}")
    return spent


def parsing(seconds: float) -> float:
    """Megabytes of ordinary bodies that are searched for dependencies in a second."""
    bodies = [_body(number, needs) for number, needs in random_graph(50, seed=1).items()]
    size = sum(len(body.encode()) for body in bodies)
    passes, began = 0, time.perf_counter()
    while (taken := time.perf_counter() - began) < seconds or not passes:
        for body in bodies:
            parse_dependencies(body, _REPO)
        passes += 1
    return passes * size / taken / 1e6


def planning(size: int) -> float:
    """Seconds to compile a graph of ``size`` issues from their texts."""
    issues = [
        Issue(key=f"{_REPO}#{number}", number=number, title=f"Restore session {number}", body=_body(number, needs))
        for number, needs in _graph(size).items()
    ]
    began = time.perf_counter()
    graph = compile_items(issues, roles=RoleBook(), repo=_REPO)
    taken = time.perf_counter() - began
    found = {item.number: sorted(int(e.on.rpartition("#")[2]) for e in item.edges) for item in graph.items()}
    assert found == {number: list(needs) for number, needs in _graph(size).items()}, "the plan is not the graph"
    return taken


def _graph(size: int) -> Graph:
    return random_graph(size, seed=2)


def _body(number: int, needs: Sequence[int]) -> str:
    return _BODY.format(number=number, needs="".join(f"Depends on #{need}\n" for need in needs))
