"""``make bench``: tinytown next to bare Celery and bare Python, measured in turns on the same machine.

A *hand-off* begins when a dependency counts as settled (in tinytown the time in the event that settles it, in the
baseline just before its counter) and ends with the first moment of the dependent's own program, which tells the
time and does nothing else. Both sides run the same program. What a sandbox costs is told next to the same without one.
What missions on GitHub cost is told next to what it may cost: see ``bench.github``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from bench import baseline, github, growth, hosts, idle, missions, places, singles, steps
from bench.meter import Run, median, quantile
from bench.rows import Row, say, show
from bench.shapes import Graph, chain, fan, random_graph
from tests.unit.missions import corpora
from tinytown.engine.context import Context


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    chain: int = 100
    git: int = 20
    fan: int = 100
    small: int = 100
    large: int = 300
    plan: int = 1000
    rounds: int = 3
    beginnings: int = 15
    parse_secs: float = 1.0
    #: Pull requests that wait, for how many hours, and single ones.
    changes: int = 25
    hours: float = 1.0
    singles: int = 5
    #: Agents with which idling is measured, and for how long.
    crews: tuple[int, ...] = (0, 10, 100)
    idle_secs: float = 60.0
    #: Sizes at which growth is measured.
    growth: tuple[int, ...] = growth.USUAL
    #: Further sizes, of some shapes, at which the town's decisions are measured.
    decided: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: {"random": (10_000,)})


QUICK = Sizes(
    chain=6,
    git=2,
    fan=6,
    small=6,
    large=12,
    plan=50,
    rounds=1,
    beginnings=1,
    parse_secs=0.05,
    growth=(12,),
    decided={},
    crews=(0, 2),
    idle_secs=0.5,
    changes=1,
    hours=0.1,
    singles=1,
)

Measure = Callable[[Run], float]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure tinytown next to bare Celery.")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs, measures nothing")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--large", action="store_true", help="growth at 3,000 and 10,000 items too: many minutes")
    parser.add_argument("--growth", action="store_true", help="measure nothing but growth")
    parser.add_argument("--sizes", help="sizes at which growth is measured, e.g. 100,1000")
    parser.add_argument("--shapes", default=",".join(growth.SHAPES), help="shapes whose growth is measured")
    options = parser.parse_args(argv)
    sizes = QUICK if options.quick else Sizes()
    if options.large:
        sizes = replace(sizes, growth=growth.LARGE)
    if options.sizes:
        sizes = replace(sizes, growth=tuple(map(int, options.sizes.split(","))), decided={})
    shapes = [shape for shape in options.shapes.split(",") if shape]
    began = time.monotonic()
    load = [os.getloadavg()[0]]
    with places.terminable(), places.folders() as folder:
        rows = []
        if not options.growth:
            rows = alone(sizes) + idling(folder / "idle", sizes) + together(folder, sizes)
            rows += at_github(folder / "github", sizes) + across_hosts(folder / "hosts", sizes)
        rows += grown(folder, sizes, shapes)
    load.append(os.getloadavg()[0])
    machine = {
        "processors": os.cpu_count(),
        "load": [round(one, 1) for one in load],
        "python": platform.python_version(),
        "seconds": round(time.monotonic() - began),
    }
    if options.json:
        print(json.dumps({"machine": machine, "rows": [asdict(row) | {"ratio": row.ratio} for row in rows]}, indent=1))
    else:
        show(rows, machine)
        if not (options.large or options.quick):
            print("`python -m bench --growth --large` measures growth up to 10,000 items.")
    return 0


# -- measuring -----------------------------------------------------------------------------------


def alone(sizes: Sizes) -> list[Row]:
    """What needs no server."""
    say("start-up and reading")
    ours, bare = singles.beginnings(sizes.beginnings)
    precision, recall = corpora.score(corpora.ASIDE)
    return [
        Row("tt --help, wall", "ms", *(1e3 * median([s.wall for s in side]) for side in (ours, bare))),
        Row("tt --help, processor", "ms", *(1e3 * median([s.processor for s in side]) for side in (ours, bare))),
        Row("reading dependencies", "MB/s", singles.parsing(sizes.parse_secs)),
        Row("dependencies kept aside: precision", "%", 100 * precision),
        Row("dependencies kept aside: recall", "%", 100 * recall),
        Row(f"planning {sizes.plan} issues", "s", singles.planning(sizes.plan)),
    ]


def idling(folder: Path, sizes: Sizes) -> list[Row]:
    """What it costs to be there. The baseline is the server with as many bare workers as the largest town has."""
    say("a town that has nothing to do")
    crews, bare, shown = idle.measure(folder, sizes.crews, sizes.idle_secs, rounds=sizes.beginnings)
    rows = [Row(f"{words}, {max(crews)} agents: wall", "ms", 1e3 * taken) for words, taken in shown.items()]
    for count, ours in crews.items():
        name = f"idle, {count} agents of {min(count, len(idle.ROLES))} roles" if count else "idle, no agents"
        rows += [
            Row(f"{name}: memory", "MB", ours.memory, bare.memory if count else None),
            Row(f"{name}: processor", "%", ours.processor, bare.processor if count else None),
            Row(f"{name}: commands", "1/s", ours.commands, bare.commands if count else None),
        ]
    return rows


def at_github(folder: Path, sizes: Sizes) -> list[Row]:
    """What missions ask of GitHub, and how soon they use its news. The baseline is what that may be."""
    say(f"missions on GitHub, with {sizes.changes} pull requests")
    told = github.measure(folder, changes=sizes.changes, rounds=sizes.singles, hours=sizes.hours)
    rows = []
    for what, used in told.waiting.items():
        name = f"a pull request that waits for {what}, of {sizes.changes}"
        counted, asked = used.rest + used.graph, used.rest + used.graph + used.unchanged + used.git
        rows += [
            Row(f"{name}: counted requests", "1/h", counted, github.AIM_REQUESTS),
            Row(f"{name}: requests", "1/h", asked),
        ]
    return [
        *rows,
        Row("finished work to its pull request", "ms", told.publish, github.AIM_PUBLISH),
        Row("red check, once looked at, to its fix round", "ms", told.fix, github.AIM_FIX),
    ]


def across_hosts(folder: Path, sizes: Sizes) -> list[Row]:
    """A hand-off to another host of the town; the baseline is the same on one host, with the same server and hub."""

    def p50(run: Run) -> float:
        return quantile(run.handoffs, 0.5) * 1e3

    def p90(run: Run) -> float:
        return quantile(run.handoffs, 0.9) * 1e3

    say(f"chain of {sizes.git} across two hosts")
    rows = []
    for workspace, runs in hosts.measure(folder, size=sizes.git, rounds=sizes.rounds).items():
        turns = Turns(f"chain of {sizes.git}{' with git' if workspace == 'clone' else ''}", runs.across, runs.here)
        rows += [
            turns.row("hand-off across hosts p50", "ms", p50),
            turns.row("hand-off across hosts p90", "ms", p90),
        ]
    return rows


def together(folder: Path, sizes: Sizes) -> list[Row]:
    """Missions and their baselines, in turns."""
    graphs: dict[int, tuple[Graph, str]] = {
        10_000: (chain(sizes.chain), "worker"),
        20_000: (fan(sizes.fan), "worker"),
        30_000: (random_graph(sizes.large, seed=7), "worker"),
        40_000: (random_graph(sizes.small, seed=7), "worker"),
        60_000: (chain(8), "worker"),
    } | _with_git(sizes)
    say("a town and a bare Celery worker")
    with places.town(folder, graphs) as context:
        log = folder / "baseline.log"
        with places.process(baseline.command(context.url), cwd=folder / "home", log=log) as worker:
            pairs = Pairs(context, worker.pid, graphs)
            pairs.run(60_000, rounds=1)  # everybody has imported everything from now on
            chained = pairs.run(10_000, rounds=sizes.rounds)
            fanned = pairs.run(20_000, rounds=sizes.rounds)
            large = pairs.run(30_000, rounds=sizes.rounds)
            small = pairs.run(40_000, rounds=1)
        git = boxes(folder, context, sizes)
        clone = places.cloning(context.town.root, rounds=2 * sizes.rounds + 1)
    return [*_handoffs(chained, git, clone), *_rates(chained, fanned, large), *_traffic(chained, fanned, large, small)]


def grown(folder: Path, sizes: Sizes, shapes: Sequence[str]) -> list[Row]:
    """What an item costs in missions of several sizes, and what a mission costs that stands."""
    rows: list[Row] = []
    if not shapes:
        return rows
    for one in growth.measure(folder / "grown", sizes.growth, shapes=shapes, say=say):
        name = f"a mission alone, {one.shape} of {one.size:,}"
        rows += [
            Row(f"{name}: items", "1/s", one.run.rate),
            Row(f"{name}: processor", "ms/item", 1e3 * one.run.processor / one.size),
            Row(f"{name}: server's processor", "ms/item", 1e3 * one.server / one.size),
            Row(f"{name}: commands", "1/item", one.run.per_item("commands")),
            Row(f"{name}: bytes to the server", "B/item", one.run.per_item("received")),
            Row(f"{name}: bytes from the server", "B/item", one.run.per_item("sent")),
            *_kept(name, one.size, one.memory / one.size),
        ]
    rows += decided(folder / "steps", sizes, shapes)
    stands = growth.stand(folder / "stands", sizes.growth, say=say)
    for stood in stands:
        name = f"{stood.size:,} items that stand"
        rows += [
            Row(f"{name}: a tick, server's processor", "ms", 1e3 * stood.tick_server),
            Row(f"{name}: a tick, processor", "ms", 1e3 * stood.tick_ours),
            # Next to the same of a small mission.
            Row(f"{name}: tt mission status", "ms", 1e3 * stood.status, 1e3 * stands[0].status),
        ]
    return rows


def _kept(name: str, size: int, value: float) -> list[Row]:
    """Of few items it says nothing: the server's own buffers come and go."""
    return [Row(f"{name}: kept by the server", "B/item", value)] if size >= 100 else []


def decided(folder: Path, sizes: Sizes, shapes: Sequence[str]) -> list[Row]:
    """The town's own share of an item, with nothing run between its decisions."""
    wanted = [(shape, size) for shape in shapes for size in {*sizes.growth, *sizes.decided.get(shape, ())}]
    firsts = {one: 100_000 + 20_000 * number for number, one in enumerate(sorted(wanted, key=lambda one: one[1]))}
    graphs = {first: (growth.SHAPES[shape](size), "worker") for (shape, size), first in firsts.items()}
    rows = []
    with places.served(folder, graphs) as context:
        for (shape, size), first in firsts.items():
            say(f"decisions for {shape} of {size}")
            one = steps.measure(context, graphs[first][0], first=first)
            name = f"decisions for {shape} of {size:,}"
            rows += [
                Row(f"{name}: processor", "ms/item", one.ours),
                Row(f"{name}: server's processor", "ms/item", one.server),
                Row(f"{name}: commands", "1/item", one.commands),
                Row(f"{name}: bytes to the server", "B/item", one.received),
                Row(f"{name}: bytes from the server", "B/item", one.sent),
                *_kept(name, size, one.kept),
                Row(f"{name}: a tick, server's processor", "ms", one.tick_server),
                Row(f"{name}: a tick, processor", "ms", one.tick_ours),
                Row(f"{name}: a line about it", "ms", one.summary),
                Row(f"{name}: all of it", "ms", one.view),
            ]
    return rows


def _with_git(sizes: Sizes) -> dict[int, tuple[Graph, str]]:
    return {50_000: (chain(sizes.git), "devops"), 70_000: (chain(2), "devops")}


def boxes(folder: Path, context: Context, sizes: Sizes) -> Turns:
    """The chain with git work in turns: inside bubblewrap, where there is that, and without a sandbox."""
    say(f"chain of {sizes.git} with git work")
    turns = Turns(f"chain of {sizes.git} with git", [], [])
    towns = [(context, turns.bare)]
    with contextlib.ExitStack() as stack:
        if why := places.no_sandbox():
            say(f"nothing in a sandbox, for {why}")
        else:
            inner = folder / "boxed"
            towns.append((stack.enter_context(places.town(inner, _with_git(sizes), sandbox="bwrap")), turns.ours))
        for one, _ in towns:  # everybody has imported everything from now on
            missions.run(one, chain(2), first=70_000, workspace="clone")
        for number in range(sizes.rounds):
            # Whoever comes second finds a warmer machine, or a busier one: nobody always does.
            for one, runs in towns if number % 2 == 0 else towns[::-1]:
                runs.append(missions.run(one, chain(sizes.git), first=50_000, workspace="clone"))
    return turns


@dataclass(frozen=True)
class Turns:
    """Runs of one graph: ours, and the baseline's."""

    name: str
    ours: list[Run]
    bare: list[Run]

    def row(self, what: str, unit: str, measure: Measure) -> Row:
        """The medians over all rounds of what is measured on one run."""
        values = [median([measure(run) for run in side]) for side in (self.ours, self.bare)]
        return Row(f"{self.name}: {what}", unit, *values)


class Pairs:
    """Runs graphs on both sides in turns."""

    def __init__(self, context: Context, worker: int, graphs: dict[int, tuple[Graph, str]]) -> None:
        self._context = context
        self._worker = worker
        self._graphs = graphs
        self._app = baseline.application(context.url)
        self._client = baseline.connect(context.url)

    def run(self, first: int, *, rounds: int) -> Turns:
        """The graph whose issues begin at ``first``."""
        graph = self._graphs[first][0]
        names = {10_000: "chain", 20_000: "fan-out", 30_000: "random", 40_000: "random"}
        turns = Turns(f"{names.get(first, 'warm-up')} of {len(graph)}", [], [])
        say(turns.name)
        for _ in range(rounds):
            turns.bare.append(baseline.run(self._app, self._client, graph, worker=self._worker))
            turns.ours.append(missions.run(self._context, graph, first=first))
        return turns


def _handoffs(chained: Turns, git: Turns, clone: float) -> list[Row]:
    """With git, the baseline is the bare hand-off and one plain clone, though ours does more than to clone.

    In bubblewrap it is the same without a sandbox.
    """

    def p50(run: Run) -> float:
        return quantile(run.handoffs, 0.5) * 1e3

    def p99(run: Run) -> float:
        return quantile(run.handoffs, 0.99) * 1e3

    def start_to_start(run: Run) -> float:
        return quantile(run.cycles, 0.5) * 1e3

    def of_git(what: str, unit: str, measure: Measure, bare: Row | None = None) -> Row:
        least = (bare.baseline or 0) + 1e3 * clone if bare else None
        return Row(f"{git.name}: {what}", unit, median([measure(run) for run in git.bare]), least)

    plain = [chained.row("hand-off p50", "ms", p50), chained.row("hand-off p99", "ms", p99)]
    inside = replace(git, name=f"{git.name} in bubblewrap")
    return [
        *plain,
        of_git("hand-off p50", "ms", p50, plain[0]),
        of_git("hand-off p90", "ms", lambda run: quantile(run.handoffs, 0.9) * 1e3),
        chained.row("start to start p50", "ms", start_to_start),
        of_git("start to start p50", "ms", start_to_start),
        of_git("items", "1/s", lambda run: run.rate),
        *([inside.row("hand-off p50", "ms", p50)] if git.ours else []),
        *([inside.row("start to start p50", "ms", start_to_start)] if git.ours else []),
        *([inside.row("processor", "ms/item", lambda run: run.processor / len(run.graph) * 1e3)] if git.ours else []),
    ]


def _rates(*all_turns: Turns) -> list[Row]:
    rates = [turns.row("items", "1/s", lambda run: run.rate) for turns in all_turns]
    efforts = [
        turns.row("processor", "ms/item", lambda run: run.processor / len(run.graph) * 1e3) for turns in all_turns
    ]
    return rates + efforts


def _traffic(chained: Turns, fanned: Turns, large: Turns, small: Turns) -> list[Row]:
    rows = []
    for turns in (chained, fanned, large):
        rows.append(turns.row("commands", "1/item", lambda run: run.per_item("commands")))
        rows.append(turns.row("bytes to the server", "B/item", lambda run: run.per_item("received")))
    growth = [median([run.per_item("received") for run in turns.ours]) for turns in (large, small)]
    rows.append(
        Row(f"bytes per item: {large.name} by {small.name.removeprefix('random ')}", "x", growth[0] / growth[1])
    )
    return rows


if __name__ == "__main__":
    sys.exit(main())
