"""How tinytown's cost grows with a mission: the same shapes at several sizes, without a baseline.

What is measured is an item's share: items a second, processor time, the server's own processor time, its commands and
bytes, and the memory that it keeps. ``standing`` measures what a mission costs while nothing of it can move.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import missions, places
from bench.meter import Run, median
from bench.shapes import Graph, chain, fan, random_graph
from tinytown.engine.conductor.escalate import escalate_all
from tinytown.engine.context import Context
from tinytown.engine.dispatch.reconcile import reconcile_all
from tinytown.engine.operate import missions as operate
from tinytown.engine.start.order import Order
from tinytown.engine.start.start import start
from tinytown.engine.watch.outside import watch_all

SHAPES: Mapping[str, Callable[[int], Graph]] = {
    "random": lambda size: random_graph(size, seed=7),
    "chain": chain,
    "fan-out": fan,
}
#: Sizes of an ordinary run, and of one that was asked for all of it.
USUAL = (100, 1000)
LARGE = (100, 1000, 3000, 10_000)
#: Size with which the status of larger missions is compared.
SMALL = 10
#: Seconds an item may take on the slowest machine; what is slower has stopped.
_PATIENCE = 0.5

#: Issues of nobody's role: the mission stands.
_IDLE_ROLE = "researcher"


@dataclass(frozen=True)
class Grown:
    """One shape at one size."""

    shape: str
    size: int
    run: Run
    #: Seconds of the server's processor, and bytes that it keeps of the mission.
    server: float
    memory: float


@dataclass(frozen=True)
class Stood:
    """What a mission costs of which nothing can move."""

    size: int
    #: Seconds of the server's processor for one tick of all duties, and of ours.
    tick_server: float
    tick_ours: float
    #: Seconds that ``tt mission status`` takes.
    status: float


def measure(folder: Path, sizes: Sequence[int], *, shapes: Sequence[str], say: Callable[[str], None]) -> list[Grown]:
    """Each shape at each size once, in one town, the small ones first."""
    firsts: dict[tuple[str, int], int] = {}
    graphs: dict[int, tuple[Graph, str]] = {900_000: (chain(8), "worker")}
    for size in sizes:
        for shape in shapes:
            firsts[shape, size] = first = 100_000 + 20_000 * len(firsts)
            graphs[first] = (SHAPES[shape](size), "worker")
    found = []
    with places.town(folder, graphs) as context:
        missions.run(context, graphs[900_000][0], first=900_000)
        for (shape, size), first in firsts.items():
            say(f"{shape} of {size}")
            found.append(one := _grown(context, shape, graphs[first][0], first))
            spent = 1e3 * one.run.processor / size, 1e3 * one.server / size
            say(f"{one.run.rate:.1f} items/s, {spent[0]:.1f} and {spent[1]:.2f} ms/item")
    return found


def _grown(context: Context, shape: str, graph: Graph, first: int) -> Grown:
    client = context.store.client
    before, memory = server_seconds(client), client.info("memory")["used_memory"]
    run = missions.run(context, graph, first=first, seconds=60 + _PATIENCE * len(graph))
    kept = client.info("memory")["used_memory"] - memory
    return Grown(shape, len(graph), run, server_seconds(client) - before, kept)


def stand(folder: Path, sizes: Sequence[int], *, say: Callable[[str], None]) -> list[Stood]:
    """A mission of each size for which there is no worker: one tick of all duties, and its status."""
    sizes = sorted({SMALL, *sizes})
    graphs: dict[int, tuple[Graph, str]] = {
        100_000 + 20_000 * n: (random_graph(size, seed=7), _IDLE_ROLE) for n, size in enumerate(sizes)
    }
    found = []
    with places.town(folder, graphs) as context:
        for first, (graph, _) in graphs.items():
            say(f"a mission of {len(graph)} that stands")
            issues = [str(first + number) for number in graph]
            order = Order(issues=issues, no_reviewer=True, workspace="none", again=True, base_check=False)
            mission = start(context, order).mission.id
            _wait_for_help(context, mission)
            found.append(_stood(context, len(graph)))
            operate.cancel(context, mission)
    return found


def _wait_for_help(context: Context, mission: str) -> None:
    places.wait(lambda: bool(context.store.mission(mission).record.help), 120, "the mission asks", pause=0.5)


def _stood(context: Context, size: int) -> Stood:
    client = context.store.client
    server, ours, status = [], [], []
    for _ in range(5):
        before, began = server_seconds(client), time.thread_time()
        for duty in (reconcile_all, watch_all, escalate_all):
            duty(context)
        ours.append(time.thread_time() - began)
        server.append(server_seconds(client) - before)
        status.append(places.timed(context.town.root, "mission", "status"))
    return Stood(size, median(server), median(ours), median(status))


def server_seconds(client: Any) -> float:
    """Processor time of the server's main thread until now."""
    info = client.info("cpu")
    names = ("used_cpu_user_main_thread", "used_cpu_sys_main_thread")
    return sum(float(info[name]) for name in names)
