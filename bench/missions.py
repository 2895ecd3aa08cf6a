"""tinytown's side: a graph as a mission, run by real agents' workers."""

from __future__ import annotations

import time
from typing import Literal

from bench.meter import Run, Times, Traffic, processor_seconds, traffic
from bench.places import SLOTS, wait
from bench.shapes import Graph
from tinytown.engine.context import Context
from tinytown.engine.start.order import Order
from tinytown.engine.start.start import start
from tinytown.host.lifecycle import processes
from tinytown.missions.states import MissionState, Purpose

#: Commands of ours while a mission runs: one a look.
_PAUSE = 0.25


def run(
    context: Context, graph: Graph, *, first: int, workspace: Literal["clone", "none"] = "none", seconds: float = 180
) -> Run:
    """Run the issues ``first`` + each number of ``graph``.

    An item's *settled* is the time in the event that settles it: the server's, asked for just before the commit.
    """
    store = context.store
    issues = [str(first + number) for number in graph]
    order = Order(
        issues=issues, max_parallel=SLOTS, no_reviewer=True, workspace=workspace, again=True, base_check=False
    )
    workers = [p.pid for p in processes(context.town) if p.pid is not None and p.kind not in ("server", "supervisor")]
    used = processor_seconds(workers)
    before = traffic(store.client)
    submitted = time.time()
    mission = start(context, order).mission.id
    looks = 0

    def over() -> bool:
        nonlocal looks
        looks += 1
        return store.mission(mission).record.state.ended

    wait(over, seconds, f"a mission of {len(graph)} items is over", pause=_PAUSE)
    after = traffic(store.client)
    used = processor_seconds(workers) - used
    state = store.mission(mission).record.state
    if state is not MissionState.COMPLETED:
        raise RuntimeError(f"the mission of {len(graph)} items is {state}")
    items = store.items(mission)
    said = {done.item: done.report.result for done in store.finished_attempts(mission) if done.purpose is Purpose.WORK}
    times = {}
    for key, item in items.items():
        assert item.record.settled_at is not None
        times[item.record.number - first] = Times(int(said[key]) / 1e9, item.record.settled_at)
    return Run(graph, submitted, times, after - before - Traffic(looks, 0, 0), used)
