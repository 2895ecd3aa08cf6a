"""The newest word of each check, status and workflow on one head.

A check is known by its name, its app and what started it. The newest of its runs is the one that began last: ids tell
nothing, since a job of an older run can be ended late and get a higher one. Where it cannot be told which is newer, the
worse one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import inf

from tinytown.missions.fences import calm
from tinytown.missions.records.forge_evidence import CheckRun, Checks, Status, Statuses, WorkflowRun

#: Events whose runs are not about a pull request: GitHub does not count them for one.
_APART = frozenset({"workflow_dispatch", "repository_dispatch", "schedule"})
_GREEN = frozenset({"success", "neutral", "skipped"})
_RED = frozenset({"failure", "timed_out", "startup_failure", "stale", "error"})
_SAID = {
    "failure": "failed",
    "timed_out": "timed out",
    "startup_failure": "could not start",
    "stale": "never ended",
    "error": "ended with an error",
    "cancelled": "was cancelled",
    "action_required": "waits for a person's approval",
}


class Result(IntEnum):
    """What a word means, the worst first."""

    RED = 0
    #: A person has to let it run.
    HELD = 1
    #: It ended and says nothing: it was cancelled, or its word is unknown.
    NONE = 2
    PENDING = 3
    GREEN = 4


@dataclass(frozen=True)
class State:
    """The newest word under one name, from one app."""

    name: str
    app: str
    app_id: int | None
    result: Result
    #: What it did, in a clause: ``failed in the step “Run tests”``.
    said: str
    #: ``check``, ``status`` or ``workflow``.
    noun: str
    run: CheckRun | None = None
    status: Status | None = None
    url: str = ""
    #: It failed only because another job of its run did.
    derived: bool = False

    @property
    def title(self) -> str:
        """Its name in a sentence."""
        return f"{self.noun} `{calm(self.name)}`"


def of_checks(checks: Checks) -> list[State]:
    """The newest word of each check and each workflow."""
    runs = _without_superseded([run for run in checks.runs if run.event not in _APART], checks.workflows)
    groups: dict[tuple[str, str, str], list[CheckRun]] = {}
    for run in runs:
        groups.setdefault((run.name, run.app, run.event), []).append(run)
    newest = [one for group in groups.values() for one in _newest_runs(group)]
    judged = [_of_run(run, newest) for run in (_decisive(group, newest) for group in groups.values())]
    return [*judged, *_of_workflows(checks.workflows, runs, judged)]


def _without_superseded(runs: Sequence[CheckRun], workflows: Iterable[WorkflowRun]) -> list[CheckRun]:
    """Without what a newer run of the same workflow made pointless: its jobs may be cancelled after the newer began."""
    names = {one.id: (one.name, one.event) for one in workflows}
    newest: dict[tuple[str, tuple[str, str]], int] = {}
    for run in runs:
        if run.workflow_run in names:
            place = (run.name, names[run.workflow_run])
            newest[place] = max(newest.get(place, 0), run.workflow_run)
    return [
        run
        for run in runs
        if run.conclusion != "cancelled"
        or run.workflow_run not in names
        or newest[run.name, names[run.workflow_run]] == run.workflow_run
    ]


def of_statuses(statuses: Statuses) -> list[State]:
    """The newest word of each status; one on the commit that tests the merge hides that of the head."""
    hidden = {one.context for one in statuses.merge_contexts}
    shown = [*statuses.merge_contexts, *(one for one in statuses.contexts if one.context not in hidden)]
    groups: dict[str, list[Status]] = {}
    for one in shown:
        groups.setdefault(one.context, []).append(one)
    found = []
    for group in groups.values():
        latest = max(inf if one.created_at is None else one.created_at for one in group)
        last = [one for one in group if one.created_at in (None, latest)]
        found.append(_worst(_of_status(one) for one in last))
    return found


def _worst(states: Iterable[State]) -> State:
    """The worst of these, the same one in whichever order they come."""
    known = list(states)
    return known[0] if len(known) == 1 else min(known, key=lambda state: (state.result, state.said, repr(state)))


def _began(run: CheckRun) -> float:
    """When it began; one that has not begun is newer than all that have."""
    if run.started_at is not None:
        return run.started_at
    return inf if run.status != "completed" or run.completed_at is None else run.completed_at


def _newest_runs(group: Sequence[CheckRun]) -> list[CheckRun]:
    """The newest of a check's runs; several where it cannot be told."""
    last = max(_began(run) for run in group)
    return [run for run in group if _began(run) in (last, inf)]


def _decisive(group: Sequence[CheckRun], newest: Sequence[CheckRun]) -> CheckRun:
    """The run of a check that counts.

    A run that was skipped says nothing of a head that another run has judged: a label can start one.
    """
    last = _worst_run(_newest_runs(group), newest)
    if last.conclusion != "skipped" or _needed(last, newest) is not None:
        return last
    judged = [run for run in group if run.conclusion != "skipped"]
    return _worst_run(_newest_runs(judged), newest) if judged else last


def _worst_run(runs: Sequence[CheckRun], newest: Sequence[CheckRun]) -> CheckRun:
    run = _worst(_of_run(run, newest) for run in runs).run
    assert run is not None
    return run


def _result(status: str, conclusion: str) -> Result:
    if "action_required" in (status, conclusion):
        return Result.HELD
    if status != "completed":
        return Result.PENDING
    if conclusion in _GREEN:
        return Result.GREEN
    return Result.RED if conclusion in _RED else Result.NONE


def _of_run(run: CheckRun, newest: Sequence[CheckRun]) -> State:
    result, said = _result(run.status, run.conclusion), _said(run.status, run.conclusion)
    needed = _needed(run, newest) if run.conclusion == "skipped" else None
    if needed is not None:
        result = Result.RED if needed.conclusion in _RED else Result.NONE
        said = f"was skipped because `{calm(needed.name)}` {_said(needed.status, needed.conclusion)}"
    elif result is Result.RED and run.step:
        said = f"{said} in the step “{calm(run.step)}”"
    return State(
        name=run.name, app=run.app, app_id=run.app_id, result=result, said=said, noun="check", run=run, url=run.url,
        derived=needed is not None,
    )  # fmt: skip


def _needed(run: CheckRun, newest: Iterable[CheckRun]) -> CheckRun | None:
    """The job of the same run because of which a job was skipped; where the run is not told, any of the same app."""
    alike = [
        one
        for one in newest
        if one is not run
        and (one.conclusion in _RED or one.conclusion == "cancelled")
        and (one.workflow_run == run.workflow_run if run.workflow_run else bool(run.app) and one.app == run.app)
    ]
    return min(alike, key=lambda one: (one.conclusion == "cancelled", one.name, one.id), default=None)


def _of_status(one: Status) -> State:
    match one.state:
        case "success":
            result = Result.GREEN
        case "pending" | "expected":
            result = Result.PENDING
        case "failure" | "error":
            result = Result.RED
        case _:
            result = Result.NONE
    said = "is pending" if result is Result.PENDING else _said("completed", one.state)
    if result is Result.RED and one.description:
        said = f"{said}: {calm(one.description)}"
    return State(
        name=one.context, app=one.creator, app_id=one.app_id, result=result, said=said, noun="status", status=one,
        url=one.url,
    )  # fmt: skip


def _said(status: str, conclusion: str) -> str:
    if "action_required" in (status, conclusion):
        return _SAID["action_required"]
    if status != "completed":
        return {
            "queued": "has not begun", "requested": "has not begun", "waiting": "waits for its deployment's approval",
        }.get(status, "has not finished")  # fmt: skip
    return _SAID.get(conclusion, f"ended as “{calm(conclusion)}”" if conclusion else "ended without a result")


def _of_workflows(workflows: Iterable[WorkflowRun], runs: Sequence[CheckRun], judged: Sequence[State]) -> list[State]:
    """What the jobs do not tell: runs without jobs as yet, that never get any, or that a person has to approve."""
    groups: dict[tuple[str, str], list[WorkflowRun]] = {}
    for one in workflows:
        if one.event not in _APART:
            groups.setdefault((one.name, one.event), []).append(one)
    found = []
    for group in groups.values():
        number = max(one.id for one in group)
        # One that was cancelled for a newer one says nothing, though its end may come later.
        told = [one for one in group if one.conclusion != "cancelled" or one.id == number]
        last = max(inf if one.started_at is None else one.started_at for one in told)
        newest = [one for one in told if one.started_at in (None, last)]
        states = [state for one in newest if (state := _of_workflow(one, runs, judged)) is not None]
        found += [_worst(states)] if states else []
    return found


def _of_workflow(one: WorkflowRun, runs: Sequence[CheckRun], judged: Sequence[State]) -> State | None:
    result = _result(one.status, one.conclusion)
    jobs = any(run.workflow_run == one.id for run in runs)
    if result is Result.GREEN or (result is Result.NONE and jobs):
        return None
    wanted = result in (Result.RED, Result.PENDING)
    if wanted and any(s.result is result for s in judged if s.run is not None and s.run.workflow_run == one.id):
        return None  # A job of it says so, and more.
    said = _said(one.status, one.conclusion)
    return State(
        name=one.name, app="github-actions", app_id=None, result=result, said=said, noun="workflow", url=one.url
    )
