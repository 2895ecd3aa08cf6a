"""What a town costs that has nothing to do: memory, processor and commands, next to as many bare Celery workers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench import baseline, places
from bench.meter import executed, median, traffic
from tinytown.engine.context import Context
from tinytown.engine.operate import agents as crew
from tinytown.host import lifecycle as towns
from tinytown.host import visit
from tinytown.host.server import server_process

#: Seconds after which whoever has just come is at rest.
SETTLE_SECS = 5.0
#: Roles among which the agents are divided.
ROLES = ("backend", "frontend", "tester", "docs")


@dataclass(frozen=True)
class Idle:
    """A town, or bare workers, that nothing is asked of."""

    processes: int
    #: Megabytes, with shared pages divided among those who share them.
    memory: float
    #: Share of one processor, in percent.
    processor: float
    #: Commands a second that the server carried out.
    commands: float


def town(context: Context, seconds: float) -> Idle:
    """All processes of the town, its server among them."""
    pids = [process.pid for process in towns.processes(context.town) if process.pid is not None]
    return _measure(pids, context.store.client, seconds)


def bare(context: Context, workers: int, seconds: float, folder: Path) -> Idle:
    """So many bare Celery workers beside the town's server; the town itself must be stopped."""
    server = server_process(context.town)
    assert server is not None
    with contextlib.ExitStack() as running:
        pids = [server.pid]
        for number in range(workers):
            log = folder / f"bare-{number}.log"
            argv = [*baseline.command(context.url), f"bare{number}@here"]
            pids.append(running.enter_context(places.process(argv, cwd=folder, log=log)).pid)
        client = baseline.connect(context.url)
        app: Any = baseline.application(context.url)
        places.wait(
            lambda: len(app.control.ping(timeout=1, limit=workers)) == workers, 90, "the bare workers are there"
        )
        time.sleep(min(SETTLE_SECS, seconds))
        return _measure(pids, client, seconds)


def agents(context: Context, count: int) -> None:
    """Have so many agents, an even number of each role, and wait until they are there."""
    wanted = {"checks"}
    for at, role in enumerate(ROLES):
        if number := count // len(ROLES) + (at < count % len(ROLES)):
            places.tt(context.town.root, "spawn", role, "--cli", "noop", "--role", role, "--count", str(number))
            wanted |= set(crew.named(role, number))
    places.wait(lambda: context.crew.alive() >= wanted, 120, f"{count} agents are there")


def views(context: Context, rounds: int) -> dict[str, float]:
    """Seconds that the commands take which show a running town, the median of so many rounds, by their words."""
    commands = (("list",), ("status",))
    for words in commands:
        places.timed(context.town.root, *words)  # the disk's cache has it from now on
    taken = {words: [places.timed(context.town.root, *words) for _ in range(rounds)] for words in commands}
    return {f"tt {' '.join(words)}": median(times) for words, times in taken.items()}


def _measure(pids: Sequence[int], client: Any, seconds: float) -> Idle:
    with _settled(pids):
        # Guards and all else that hangs below them counts, too.
        everyone = {p.pid for pid in pids for p in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))}
        before, used = traffic(client), executed(everyone)
        began = time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        used = executed(everyone) - used
        commands = (traffic(client) - before).commands
        memory = sum(_pss(pid) for pid in everyone)
    return Idle(len(everyone), memory / 1e6, 100 * used / took, commands / took)


@contextlib.contextmanager
def _settled(pids: Sequence[int]) -> Iterator[None]:
    """They must all be there, before and after."""
    assert all(psutil.pid_exists(pid) for pid in pids)
    yield
    assert all(psutil.pid_exists(pid) for pid in pids)


def _pss(pid: int) -> float:
    """Bytes of a process, shared pages in part; where nobody tells, all that is resident."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return float(psutil.Process(pid).memory_info().rss)
    return sum(1024.0 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def measure(
    folder: Path, crews: Sequence[int], seconds: float, *, rounds: int
) -> tuple[dict[int, Idle], Idle, dict[str, float]]:
    """A town with so many agents, and then as many bare workers as it had processes at last, its server aside.

    Also how long the town takes to show itself with the most agents.
    """
    folder.mkdir()
    found = {}
    with places.town(folder, {}) as context:
        for count in crews:
            agents(context, count)
            time.sleep(min(SETTLE_SECS, seconds))
            found[count] = town(context, seconds)
        shown = views(context, rounds)
        workers = sum(1 for process in towns.processes(context.town) if process.pid is not None) - 1
        towns.stop(context.town)
        with visit.visit(context.town):
            return found, bare(context, workers, seconds, folder), shown
