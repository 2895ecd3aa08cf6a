"""The town's own share of a mission, at any size: every decision and commit of it, with nothing run between them.

One process plays all workers in turn on a server of its own: it starts what is to be started, claims what is sent, and
reports at once that it succeeded. No message is sent and no program run, so that ten thousand items take a minute.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.meter import traffic
from bench.shapes import Graph
from tinytown import contract
from tinytown.canvases.canvas import Canvas
from tinytown.engine.conductor.escalate import escalate_all
from tinytown.engine.context import Context
from tinytown.engine.dispatch import attempts, claiming, reconcile
from tinytown.engine.dispatch.advance import advance
from tinytown.engine.start.order import Order
from tinytown.engine.start.start import start
from tinytown.engine.views.missions import mission_view, summary
from tinytown.engine.watch.outside import watch_all
from tinytown.missions.records.agent import Agent
from tinytown.missions.records.attempt import Attempt, Report
from tinytown.missions.states import AgentState, MissionState, Outcome

_runs = itertools.count(1)


@dataclass(frozen=True)
class Steps:
    """What an item costs of one graph, each figure for one item."""

    size: int
    #: Milliseconds of our processor, and of the server's.
    ours: float
    server: float
    commands: float
    received: float
    sent: float
    #: Bytes that the server keeps.
    kept: float
    #: Milliseconds of the server's processor, and of ours, for one tick of all duties in the middle of the mission.
    tick_server: float
    tick_ours: float
    #: Milliseconds to tell it in a line, and to read all of it, then.
    summary: float
    view: float


class Quiet(Context):
    """A context whose messages wait in a list."""

    messages: deque[tuple[str, tuple[Any, ...]]]
    joins: dict[str, set[str]]

    def _send(self, name: str, args: tuple[object, ...], queue: str, shown: str) -> None:  # noqa: ARG002
        self.messages.append((name, args))

    def attempt_message(self, mission: str, key: str, attempt: Attempt) -> None:
        """It waits in the list."""

    def send_settled(self, mission: str, keys: Iterable[str]) -> None:
        """Celery's part: a chain is followed, a chord counted."""
        canvas = self.canvas(mission)
        for key in keys:
            for target in canvas.targets(key):
                arrived = self.joins.setdefault(target, set())
                arrived.add(key)
                if not canvas.is_counted(target) or len(arrived) == len(canvas.sources[target]):
                    self.messages.append((contract.TASK_START, (mission, target)))

    def begin(self, canvas: Canvas) -> None:
        self.messages.append((contract.TASK_START, (canvas.mission, canvas.roots()[0])))


def measure(context: Context, graph: Graph, *, first: int, agents: int = 4) -> Steps:
    """Run ``graph`` in the town of ``context``, whose issues begin at ``first``; nobody else may work there."""
    quiet = Quiet(context.town, context.url)
    quiet.messages, quiet.joins = deque(), {}
    names = [f"steps{next(_runs)}-{number}" for number in range(agents)]
    now = quiet.store.now()
    for name in names:
        quiet.crew.put(None, Agent(name=name, role="worker", cli="x", spawned_at=now, state=AgentState.IDLE))
        quiet.crew.announce([name], 36_000)
    issues = [str(first + number) for number in graph]
    order = Order(issues=issues, max_parallel=agents, no_reviewer=True, workspace="none", again=True, base_check=False)
    memory = quiet.store.client.info("memory")["used_memory"]
    before, server, began = traffic(quiet.store.client), _server(quiet), time.process_time()
    mission = start(quiet, order).mission.id
    half = len(graph) // 2
    _play(quiet, mission, names, until=half)
    ours, served, used = time.process_time() - began, _server(quiet) - server, traffic(quiet.store.client) - before
    tick_server, tick_ours = _tick(quiet)
    told, read = _shown(quiet, mission)
    before, server, began = traffic(quiet.store.client), _server(quiet), time.process_time()
    _play(quiet, mission, names, until=len(graph))
    ours, served = ours + time.process_time() - began, served + _server(quiet) - server
    after = traffic(quiet.store.client) - before
    state = quiet.store.mission(mission).record.state
    if state is not MissionState.COMPLETED:
        raise RuntimeError(f"the mission of {len(graph)} items is {state}")
    kept = quiet.store.client.info("memory")["used_memory"] - memory
    for name in names:
        quiet.crew.leave(name)
        quiet.crew.remove(name)
    size = len(graph)
    return Steps(
        size=size,
        ours=1e3 * ours / size,
        server=1e3 * served / size,
        commands=(used.commands + after.commands) / size,
        received=(used.received + after.received) / size,
        sent=(used.sent + after.sent) / size,
        kept=kept / size,
        tick_server=1e3 * tick_server,
        tick_ours=1e3 * tick_ours,
        summary=1e3 * told,
        view=1e3 * read,
    )


def _play(quiet: Quiet, mission: str, names: list[str], *, until: int) -> None:
    """Everything that is sent is done, one after the other, until so many items have settled."""
    free = deque(names)
    done = 0
    while quiet.messages and done < until:
        name, args = quiet.messages.popleft()
        match name:
            case contract.TASK_START:
                reconcile.start_item(quiet, *args)
            case contract.TASK_ADVANCE:
                advance(quiet, mission)
            case contract.TASK_ATTEMPT:
                free.rotate()
                claimed = claiming.claim(quiet, *args, agent=free[0], cli="x", host="h")
                if claimed is not None:
                    attempts.report(quiet, claimed, Report(outcome=Outcome.SUCCEEDED, result="done"))
                    done += 1


def _tick(quiet: Quiet) -> tuple[float, float]:
    server, began = _server(quiet), time.process_time()
    for duty in (reconcile.reconcile_all, watch_all, escalate_all):
        duty(quiet)
    return _server(quiet) - server, time.process_time() - began


def _shown(quiet: Quiet, mission: str) -> tuple[float, float]:
    began = time.process_time()
    summary(quiet, mission)
    told = time.process_time()
    mission_view(quiet, mission)
    return told - began, time.process_time() - told


def _server(context: Context) -> float:
    """Processor time of the server's main thread until now."""
    info = context.store.client.info("cpu")
    names = ("used_cpu_user_main_thread", "used_cpu_sys_main_thread")
    return sum(float(info[name]) for name in names)
