"""Any graph, exactly, with real workers on a real server: what starts when, and what that costs.

The agents are shell scripts that tell when they ran, and work in no repository, so hundreds of items take seconds.
``DAG_SEED=7`` runs other graphs.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from bench.shapes import diamond, edges, ladder, random_graph
from tests.acceptance.project import Project
from tests.waiting import wait_until
from tinytown.engine.context import Context
from tinytown.engine.start.start import Order, start
from tinytown.missions.records.agent import Event
from tinytown.missions.states import MissionState

SEED = int(os.environ.get("DAG_SEED", "1"))
#: Slots, and agents: nobody waits for anything but its dependencies while one of them is free.
WORKERS = 4
#: Longest time that a free worker and a ready item may not find each other; the tick, which would find them, is slower.
PATIENCE = 2.0
#: Issues from here on take longer than ``PATIENCE``.
SLOW = 90_000

Graph = Mapping[int, Sequence[int]]

#: No tick, and nothing that only a tick would repair, within a test.
TIMING = {"tick_secs": 300, "unclaimed_secs": 120}

_AGENT = """#!/bin/sh
number=${{TINYTOWN_ITEM##*#}}
echo "$number $TINYTOWN_ATTEMPT $(date +%s%N)" >>{journal}
[ "$number" -lt {slow} ] || sleep {secs}
"""


def lanes() -> Graph:
    """A slow chain beside a quick one that needs nothing of it, and an end that needs both."""
    slow = {SLOW + n: [SLOW + n - 1] if n else [] for n in range(2)}
    quick = {n: [n - 1] if n > 1 else [] for n in range(1, 16)}
    return {**slow, **quick, 16: [15, SLOW + 1]}


def moved(graph: Graph, by: int) -> Graph:
    """The same graph of other issues."""
    return {n + by: [need + by for need in needs] for n, needs in graph.items()}


GRAPHS: dict[str, Graph] = {
    "lanes": lanes(),
    "a random one": moved(random_graph(60, seed=SEED), 1000),
    "a dense one": moved(random_graph(30, seed=SEED + 1, most=9, reach=20), 1500),
    "a ladder": moved(ladder(12), 2000),
    "a wide join": moved(diamond(20), 3000),
    "a larger random one": moved(random_graph(220, seed=SEED), 4000),
}


@dataclass(frozen=True)
class Told:
    """A mission that is over: its history, the lines of its agents, and the bytes that the server read meanwhile."""

    events: list[Event]
    runs: list[tuple[int, int, float]]
    received: int


@pytest.fixture
def town(project: Project) -> Project:
    script = project.root.parent / "agent"
    script.write_text(_AGENT.format(journal=project.journal, slow=SLOW, secs=PATIENCE * 1.5), encoding="utf-8")
    script.chmod(0o755)
    project.journal.touch()
    issues = {
        number: f"# Item {number}\n\n" + "".join(f"Depends on #{need}\n" for need in needs)
        for graph in GRAPHS.values()
        for number, needs in graph.items()
    }
    project.found(issues, clis=(), timing=TIMING, extra=f'\n[agent_clis.quick]\ncommand = "{script}"\n')
    project.spawn(*(f"worker{n}" for n in range(WORKERS)), cli="quick")
    return project


def run(project: Project, context: Context, graph: Graph) -> Told:
    """The graph as a mission, to its end."""
    before = len(project.journal.read_text().splitlines())
    received = context.store.client.info("stats")["total_net_input_bytes"]
    order = Order(issues=[str(n) for n in graph], max_parallel=WORKERS, no_reviewer=True, workspace="none", again=True)
    mission = start(context, order).mission.id
    wait_until(lambda: context.store.mission(mission).record.state.ended, timeout=60,
               description=f"a mission of {len(graph)} items is over", pause=0.1)  # fmt: skip
    assert context.store.mission(mission).record.state is MissionState.COMPLETED
    received = context.store.client.info("stats")["total_net_input_bytes"] - received
    lines = [line.split() for line in project.journal.read_text().splitlines()[before:]]
    runs = [(int(number), int(attempt), int(nanos) / 1e9) for number, attempt, nanos in lines]
    return Told([e for _, e in context.store.events(mission, count=100_000)], runs, received)


def number(event: Event) -> int:
    return int(event.item.rpartition("#")[2])


def starts_once_and_not_too_early(graph: Graph, told: Told) -> None:
    """By the agents' own word, and in the order of the commits."""
    assert sorted(n for n, _, _ in told.runs) == sorted(graph), "every item ran once"
    assert {attempt for _, attempt, _ in told.runs} == {1}
    counts = Counter((e.kind, number(e)) for e in told.events if e.item)
    for kind in ("item_ready", "attempt_sent", "attempt_started", "attempt_ended", "item_done"):
        assert {n: counts[kind, n] for n in graph} == dict.fromkeys(graph, 1), kind
    done: dict[int, float] = {}
    for event in told.events:
        if event.kind == "item_done":
            done[number(event)] = event.at
        elif event.kind in ("item_ready", "attempt_sent", "attempt_started"):
            early = [need for need in graph[number(event)] if need not in done]
            assert not early, f"{event.kind} of {number(event)} before the end of {early}"
    for n, _, began in told.runs:
        assert all(began >= done[need] for need in graph[n]), f"{n} ran before one of {graph[n]} was done"
    kinds = Counter(e.kind for e in told.events)
    assert kinds["mission_completed"] == 1
    assert told.events[-1].kind == "mission_completed"


def nobody_waits_in_vain(graph: Graph, told: Told) -> None:
    """Whenever a slot and a worker are free, every item that waits is one with a dependency that is not done."""
    done: set[int] = set()
    sent: set[int] = set()
    live = 0
    idle_since: float | None = None
    for event in told.events:
        if idle_since is not None:
            ready = [n for n, needs in graph.items() if n not in sent and done.issuperset(needs)]
            waited = event.at - idle_since
            assert waited < PATIENCE, f"{ready} waited {waited:.1f} s beside {WORKERS - live} free workers"
        match event.kind:
            case "attempt_sent":
                sent.add(number(event))
                live += 1
            case "attempt_ended":
                live -= 1
            case "item_done":
                done.add(number(event))
        could = live < WORKERS and any(n not in sent and done.issuperset(needs) for n, needs in graph.items())
        if not could:
            idle_since = None
        elif idle_since is None:
            idle_since = event.at


def test_any_graph_runs_exactly_and_costs_what_its_size_says(town: Project) -> None:
    context = town.context()
    cost: dict[str, float] = {}
    for name, graph in GRAPHS.items():
        told = run(town, context, graph)
        try:
            starts_once_and_not_too_early(graph, told)
            nobody_waits_in_vain(graph, told)
        except AssertionError as error:
            raise AssertionError(f"{name}, seed {SEED}: {error}") from error
        cost[name] = told.received / (len(graph) + edges(graph))
    growth = cost["a larger random one"] / cost["a random one"]
    # With nested canvases, or whole graphs in messages, three times the graph would cost three times as much an item.
    assert growth < 1.5, f"bytes per item and edge grow by {growth:.2f}: {cost}"
