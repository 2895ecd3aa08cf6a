"""A plan as data for scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tinytown.plans.model import Problem
from tinytown.plans.reader import Reading
from tinytown.plans.stages import Stage


def plan_json(reading: Reading) -> dict[str, Any]:
    """Stable keys for scripts. With problems, the tasks are those that could be read."""
    plan = reading.plan
    return {
        "file": reading.source,
        "description": plan.meta.description,
        "default_agent": plan.meta.default_agent,
        "reviewer_required": plan.meta.reviewer_required,
        "base": plan.meta.base,
        "checks": None if plan.meta.checks is None else list(plan.meta.checks),
        "budget_usd": plan.meta.budget_usd,
        "budget_tokens": plan.meta.budget_tokens,
        "order": list(reading.stages.order),
        "tasks": [_stage_json(stage) for stage in reading.stages.stages.values()],
        "problems": [_problem_json(one) for one in reading.problems],
        "remarks": [_problem_json(one) for one in reading.stages.remarks()],
    }


def _stage_json(stage: Stage) -> dict[str, Any]:
    task = stage.task
    return {
        "id": task.id,
        "description": task.description,
        "state": task.status.value,
        "agent": task.agent,
        "wanted": stage.wanted,
        "parent": task.parent,
        "epic": stage.grouping is not None,
        "epic_by": stage.grouping.value if stage.grouping is not None else None,
        "parallel": task.parallel,
        "in_epic": stage.group,
        "tags": list(task.tags),
        "result": task.result,
        "wave": stage.wave,
        "waits": [wait._asdict() | {"reason": wait.reason.value} for wait in stage.waits],
        "line": task.line,
    }


def _problem_json(problem: Problem) -> dict[str, Any]:
    return asdict(problem)
