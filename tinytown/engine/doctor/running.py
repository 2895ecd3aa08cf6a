"""What runs: the town's processes, its clock, and the workers, as they themselves say."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from tinytown import contract
from tinytown.engine.conductor import notices
from tinytown.engine.context import Context
from tinytown.engine.doctor.findings import Finding, Status, ago
from tinytown.engine.operate import conductor as conducting
from tinytown.errors import TinytownError
from tinytown.host import lifecycle as towns
from tinytown.host import seats, unattended
from tinytown.missions.agent_states import ENDED
from tinytown.missions.crew import CONDUCTOR_ROLE, TOWN_ROLES
from tinytown.state import asked, duties
from tinytown.state.notices import Outbox
from tinytown.town import Town

#: Ticks without a sign after which the clock counts as stopped.
LATE_TICKS = 4
#: Seconds that all workers together get to say who they are.
ANSWER_SECS = 1.5
#: A process that was started again within so many seconds may be one that keeps crashing.
RECENT = 600.0
#: Restarts that make one suspicious.
MANY = 3


def processes_of(town: Town) -> Iterator[Finding]:
    """The supervisor and the processes that it keeps alive."""
    found = {status.name: status for status in towns.processes(town) if status.kind != "server"}
    for spec in towns.own_specs(town):
        if spec.name not in found:
            yield Finding(f"process {spec.name}", "fail", "it was never started", "run `tt start`")
    for status in found.values():
        name = f"process {status.name}"
        ended = f", last exit code {status.last_exit}" if status.last_exit is not None else ""
        recent = status.started_at is not None and time.time() - status.started_at < RECENT
        again = f", restarted {status.restarts} {'time' if status.restarts == 1 else 'times'}"
        if status.state != "running":
            remedy = "run `tt start`" if status.state == "stopped" else f"see {status.log}"
            more = again if status.restarts else ""
            yield Finding(name, "fail", f"{status.state}{more}{ended}", remedy)
        elif status.restarts >= MANY and recent:
            last = f", the last time {ago(time.time() - (status.started_at or 0))} ago"
            yield Finding(name, "warn", f"pid {status.pid}{again}{last}{ended}", f"it keeps ending: see {status.log}")
        elif status.restarts:
            yield Finding(name, "ok", f"pid {status.pid}{again}{ended}")
        else:
            yield Finding(name, "ok", f"pid {status.pid}")


def notify(context: Context) -> Iterator[Finding]:
    """The command of ``[notify]``, where there is one: whether it may run, and how it went the last time."""
    if not context.town.settings.notify.command:
        return
    outbox = Outbox(context.store)
    failure = outbox.failure()
    if (error := notices.obstacle(context.town)) is not None:
        yield Finding("notify", "warn", error.message, error.remedy)
    elif failure is not None:
        when = ago(context.store.now() - float(failure["at"]))
        remedy = "try it by hand; `.tt/logs/control.log` has what it said"
        yield Finding("notify", "warn", f"`[notify] command` failed {when} ago: {failure['why']}", remedy)
    else:
        yield Finding("notify", "ok", context.town.settings.notify.command[0])


def conductor(context: Context) -> Iterator[Finding]:
    """The unattended conductor, where it is on: its CLI, and what the runs of a day came to."""
    if not unattended.is_on(context.town):
        return
    runs = [one.record for one in asked.every(context.store).values()]
    left = sum(one.state == "left" for one in runs)
    said = f"{conducting.name_of(context.town)} is asked unattended; of {len(runs)} questions lately it left {left}"
    try:
        conducting.require_headless(context.town)
    except TinytownError as error:
        yield Finding("conductor", "fail", error.message, f"{error.remedy}; or run `tt conductor --attended`")
    else:
        yield Finding("conductor", "ok", said)


def clock(context: Context) -> Iterator[Finding]:
    """The dispatcher ticked recently."""
    ticked = duties.ticks(context.store).get(contract.TASK_DISPATCH.rpartition(".")[2])
    limit = LATE_TICKS * context.town.settings.timing.tick_secs
    remedy = "see .tt/logs/beat.log and .tt/logs/control.log, then run `tt stop` and `tt start`"
    if ticked is not None and (silent := context.store.now() - ticked) <= limit:
        yield Finding("clock", "ok", f"the last tick was {ago(silent)} ago")
        return
    started = [s.started_at for s in towns.processes(context.town) if s.name in ("beat", "control") and s.pid]
    if len(started) == 2 and all(at is not None and time.time() - at < limit for at in started):
        yield Finding("clock", "ok", "no tick yet: it has just started")
    elif ticked is None:
        yield Finding("clock", "fail", "there has never been a tick", remedy)
    else:
        yield Finding("clock", "fail", f"the last tick was {ago(context.store.now() - ticked)} ago", remedy)


class WorkerAnswers:
    """The workers' answers to one call, which the first check that needs them makes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._answers: list[dict[str, Any]] | None = None

    def all(self) -> list[dict[str, Any]]:
        """What each worker said of itself."""
        with self._lock:
            if self._answers is None:
                # All who serve somebody that is present, and control.
                crew, alive = self._context.crew.agents(), self._context.crew.alive()
                most = len({crew[name].worker or name for name in alive if name in crew}) + 1
                self._answers = self._context.ask_workers("tinytown_about", most=most, seconds=ANSWER_SECS)
            return self._answers


def workers(context: Context, answers: WorkerAnswers) -> Iterator[Finding]:
    """Every agent that shall work has a worker which is present, answers, and is of this release."""
    alive = context.crew.alive()
    said = {str(who): answer for answer in answers.all() if "name" in answer for who in _speaks_for(answer)}
    place = seats.processes(context.town)
    local = {status.name: status for status in towns.processes(context.town)}
    mine = contract.SCHEMA, _version()
    for name, agent in context.crew.agents().items():
        ours = agent.role in TOWN_ROLES
        if (agent.state in ENDED and not ours) or (agent.role == CONDUCTOR_ROLE and not unattended.is_on(context.town)):
            continue
        process = local.get(agent.role if ours else place.get(name, ""))
        label = f"worker {name}"
        log = f"see {process.log}" if process else "see its log on the machine it runs on"
        if name not in alive:
            young = process is not None and time.time() - (process.started_at or 0) < _patience(context)
            if process is not None and process.pid and young:
                yield Finding(label, "ok", "it is starting")
            elif process is not None and process.pid:
                yield Finding(
                    label, "fail", f"its process runs (pid {process.pid}), but it has not reported to the town", log
                )
            else:
                remedy = "run `tt start`" if ours else f"run `tt start`, or `tt kill {name}`"
                yield Finding(label, "warn", "no process runs for this agent", remedy)
        elif name not in said:
            yield Finding(label, "warn", "it is registered, but does not answer", log)
    if alive and contract.QUEUE_CONTROL not in said:
        yield Finding("worker control", "warn", "it does not answer", f"see {context.town.logs / 'control.log'}")
    for name, answer in sorted(said.items()):
        theirs = answer.get("schema"), answer.get("version")
        if theirs == mine:
            yield Finding(f"worker {name}", "ok", f"present, {theirs[1]}")
        else:
            remedy = "run `tt stop` and `tt start`; on another machine, install the same release"
            status: Status = "warn" if theirs[0] == mine[0] else "fail"
            detail = f"it is {theirs[1]} (schema {theirs[0]}), this is {mine[1]} (schema {mine[0]})"
            yield Finding(f"worker {name}", status, detail, remedy)


def _speaks_for(answer: dict[str, Any]) -> list[str]:
    """The agents that a worker serves; one of the town's own has none but itself."""
    return list(answer.get("agents") or [answer["name"]])


def consumed(context: Context, answers: WorkerAnswers) -> set[str]:
    """Queues that somebody serves, by the workers' own word or by their presence."""
    alive = context.crew.alive()
    served = {queue for name, agent in context.crew.agents().items() if name in alive for queue in agent.queues}
    for answer in answers.all():
        served |= {str(queue) for queue in answer.get("queues", ())}
    return served


def _patience(context: Context) -> float:
    """Seconds that a worker may take from its start to its first sign of life."""
    return max(15.0, 2 * context.town.settings.timing.heartbeat_secs)


def _version() -> str:
    from importlib.metadata import version

    return version("tinytown")
