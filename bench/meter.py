"""What a run of a graph is measured by, the same for everybody."""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.shapes import Graph


@dataclass(frozen=True)
class Times:
    """One item, in seconds since 1970: its program's first moment, and when it counted as settled."""

    started: float
    settled: float


@dataclass(frozen=True)
class Traffic:
    """Commands that a server has carried out (those inside scripts included) and bytes it has read and written."""

    commands: int
    received: int
    sent: int

    def __sub__(self, other: Traffic) -> Traffic:
        return Traffic(self.commands - other.commands, self.received - other.received, self.sent - other.sent)


def traffic(client: Any) -> Traffic:
    """The server's counters until now, this question left out."""
    info = client.info("everything")
    asked = sum(value["calls"] for name, value in info.items() if name.startswith("cmdstat_info"))
    return Traffic(
        info["total_commands_processed"] - asked, info["total_net_input_bytes"], info["total_net_output_bytes"]
    )


def processor_seconds(pids: Iterable[int]) -> float:
    """Processor time that these processes and all below them have used, their ended children included."""
    # Those of a supervisor may be named, too: each counts once.
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(pid)
            found |= {process.pid: process for process in (root, *root.children(recursive=True))}
    used = 0.0
    for process in found.values():
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            used += times.user + times.system + times.children_user + times.children_system
    return used


def executed(pids: Iterable[int]) -> float:
    """Seconds that the threads of these processes were on a processor, by the scheduler's own count.

    For those who hardly work: `processor_seconds` counts in ticks of 10 ms, of which the idle take few. What ended
    threads and children used is not in it. Where nobody tells, it is the same as `processor_seconds`.
    """
    found, told = list(pids), []
    for file in (file for pid in found for file in Path(f"/proc/{pid}/task").glob("*/schedstat")):
        with contextlib.suppress(OSError):  # it ended just now
            told.append(int(file.read_text(encoding="ascii").split()[0]))
    return sum(told) / 1e9 if told else processor_seconds(found)


@dataclass(frozen=True)
class Run:
    """One graph, run once."""

    graph: Graph
    #: When it was handed in.
    submitted: float
    times: Mapping[int, Times]
    traffic: Traffic
    #: Processor time of all workers and their programs; the server's is not in it.
    processor: float

    @property
    def seconds(self) -> float:
        """From handing it in to the last item's settling."""
        return max(t.settled for t in self.times.values()) - self.submitted

    @property
    def rate(self) -> float:
        """Items a second."""
        return len(self.graph) / self.seconds

    @property
    def handoffs(self) -> list[float]:
        """For each item with dependencies: from the settling of the last one to its program's first moment."""
        return [
            self.times[item].started - max(self.times[d].settled for d in needs)
            for item, needs in self.graph.items()
            if needs
        ]

    @property
    def cycles(self) -> list[float]:
        """For each item with dependencies: from the start of the last one's program to the start of its own."""
        return [
            self.times[item].started - max(self.times[d].started for d in needs)
            for item, needs in self.graph.items()
            if needs
        ]

    def per_item(self, field: str) -> float:
        """Commands or bytes per item."""
        return float(getattr(self.traffic, field)) / len(self.graph)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
