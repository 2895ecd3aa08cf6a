"""Random plans, and what people do to their files."""

from __future__ import annotations

import json
import random
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

from tinytown.engine.plan.sync import File
from tinytown.errors import ConfigurationError

#: Ids of tasks: few, so that a removed one comes back.
IDS = "abcdefghij"
#: Roles and agents that tasks are for; some are there, some are not, and nobody is meant by ``None``.
WANTED = (
    None, None, None, "worker", "worker", "backend", "reviewer", "reviewer", "reviewer1", "worker0", "tester1", "zoe",
)  # fmt: skip

_Plan = dict[str, Any]


def parse(text: str) -> _Plan:
    plan = tomllib.loads(text)
    return {"meta": plan.get("meta", {}), "tasks": plan.get("tasks", [])}


def render(plan: _Plan) -> str:
    """The text of a plan."""
    lines = ["[meta]", *(f"{key} = {json.dumps(value)}" for key, value in plan["meta"].items())]
    for task in plan["tasks"]:
        lines += ["", "[[tasks]]", *(f"{key} = {json.dumps(value)}" for key, value in task.items())]
    return "\n".join(lines) + "\n"


def is_sound(text: str) -> bool:
    """Whether it can be pushed."""
    try:
        return bool(File(text.encode(), "tasks.toml").read().stages)
    except ConfigurationError:
        return False


def written(rng: random.Random) -> str:
    """A plan that somebody wrote."""
    plan: _Plan = {"meta": {}, "tasks": []}
    if rng.random() < 0.4:
        plan["meta"]["default_agent"] = rng.choice(["worker", "worker", "backend", "reviewer"])
    if rng.random() < 0.4:
        plan["meta"]["reviewer_required"] = rng.random() < 0.5
    if rng.random() < 0.2:
        plan["meta"]["budget_usd"] = rng.choice([0.3, 1.0])
    for id_ in IDS[: rng.randint(1, 6)]:
        grown = {**plan, "tasks": [*plan["tasks"], _task(rng, id_, plan["tasks"])]}
        if is_sound(render(grown)):
            plan = grown
    if not plan["tasks"]:
        plan["tasks"] = [{"id": "a", "description": "Do a"}]
    return render(plan)


def edited(rng: random.Random, text: str) -> str:
    """The same plan after somebody's edits; most of them leave it sound."""
    for _ in range(5):
        plan = parse(text)
        for _ in range(rng.choice([1, 1, 2, 3])):
            rng.choice(_EDITS)(rng, plan)
        new = render(plan)
        if is_sound(new) or rng.random() < 0.05:
            return new
    return text


def _task(rng: random.Random, id_: str, others: Sequence[dict[str, Any]]) -> dict[str, Any]:
    task: dict[str, Any] = {"id": id_, "description": f"Do {id_}, take {rng.randrange(100)}"}
    ids = [one["id"] for one in others]
    if (agent := rng.choice(WANTED)) is not None:
        task["agent"] = agent
    if ids and rng.random() < 0.4:
        task["parent"] = rng.choice(ids)
    if ids and rng.random() < 0.5:
        task["depends_on"] = sorted(rng.sample(ids, min(len(ids), rng.choice([0, 1, 1, 2, 3]))))
    if rng.random() < 0.25:
        task["tags"] = ["epic"]
        task["parallel"] = rng.random() < 0.5
    return task


# -- edits -----------------------------------------------------------------------------------------


def _any(rng: random.Random, plan: _Plan) -> dict[str, Any]:
    found: dict[str, Any] = rng.choice(plan["tasks"]) if plan["tasks"] else {"id": "a"}
    return found


def _add(rng: random.Random, plan: _Plan) -> None:
    free = [id_ for id_ in IDS if all(id_ != task["id"] for task in plan["tasks"])]
    if free:
        plan["tasks"].insert(rng.randint(0, len(plan["tasks"])), _task(rng, free[0], plan["tasks"]))


def without(text: str, id_: str) -> str:
    """The plan without a task, if it can do without."""
    plan = parse(text)
    _take_out(plan, id_)
    return _if_sound(plan, text)


def otherwise(rng: random.Random, text: str, id_: str) -> str:
    """The plan with another description of a task."""
    plan = parse(text)
    for task in plan["tasks"]:
        if task["id"] == id_:
            task["description"] = f"Do {id_} otherwise, take {rng.randrange(100)}"
    return _if_sound(plan, text)


def with_more(text: str) -> str:
    """The plan with one more task, that waits for none."""
    plan = parse(text)
    known = {task["id"] for task in plan["tasks"]}
    plan["tasks"].append({"id": next(id_ for id_ in (*IDS, "more") if id_ not in known), "description": "Do more"})
    return _if_sound(plan, text)


def _if_sound(plan: _Plan, text: str) -> str:
    new = render(plan)
    return new if is_sound(new) else text


def _remove(rng: random.Random, plan: _Plan) -> None:
    _take_out(plan, _any(rng, plan)["id"])


def _take_out(plan: _Plan, gone: str) -> None:
    plan["tasks"] = [task for task in plan["tasks"] if task["id"] != gone]
    for task in plan["tasks"]:
        if task.get("parent") == gone:
            del task["parent"]
        if gone in task.get("depends_on", ()):
            task["depends_on"] = [on for on in task["depends_on"] if on != gone]


def _describe(rng: random.Random, plan: _Plan) -> None:
    task = _any(rng, plan)
    task["description"] = f"Do {task['id']} otherwise, take {rng.randrange(100)}"


def _hand_over(rng: random.Random, plan: _Plan) -> None:
    task, agent = _any(rng, plan), rng.choice(WANTED)
    task.pop("agent", None)
    if agent is not None:
        task["agent"] = agent


def _group(rng: random.Random, plan: _Plan) -> None:
    task = _any(rng, plan)
    if task.pop("tags", None) is None:
        task["tags"] = ["epic"]
    task["parallel"] = rng.random() < 0.5


def _depend(rng: random.Random, plan: _Plan) -> None:
    task = _any(rng, plan)
    ids = [one["id"] for one in plan["tasks"] if one is not task]
    task["depends_on"] = sorted(rng.sample(ids, min(len(ids), rng.choice([0, 1, 2]))))
    if rng.random() < 0.3:
        del task["depends_on"]


def _move_under(rng: random.Random, plan: _Plan) -> None:
    task, other = _any(rng, plan), _any(rng, plan)
    task.pop("parent", None)
    if other is not task:
        task["parent"] = other["id"]


def _wish(rng: random.Random, plan: _Plan) -> None:
    words = ["done", "completed", "pending", "pending", "ready", "failed", "cancelled", "skipped", "skipped", "running"]
    task = _any(rng, plan)
    task["status"] = rng.choice(words)
    left_out = [one for one in plan["tasks"] if one.get("status") == "skipped"]
    if left_out and rng.random() < 0.4:
        rng.choice(left_out)["status"] = "pending"
    if rng.random() < 0.3:
        task["result"] = "as the file says"


def _swap(rng: random.Random, plan: _Plan) -> None:
    rng.shuffle(plan["tasks"])


def _rule(rng: random.Random, plan: _Plan) -> None:
    key, values = rng.choice(
        [("reviewer_required", [True, False]), ("budget_usd", [0.3, 1.0, 5.0]),
         ("default_agent", ["worker", "backend"]), ("checks", [[], ["make test"]])]
    )  # fmt: skip
    plan["meta"].pop(key, None)
    if rng.random() < 0.7:
        plan["meta"][key] = rng.choice(values)


_EDITS: Sequence[Callable[[random.Random, _Plan], None]] = (
    _add, _add, _add, _remove, _remove, _describe, _hand_over, _group, _depend, _depend, _move_under, _wish, _wish,
    _swap, _rule,
)  # fmt: skip
