"""The items of a plan: what its tasks are for the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinytown import keys
from tinytown.canvases.canvas import compile_canvas
from tinytown.engine.context import Context
from tinytown.keys import branch_name
from tinytown.missions import gates, lifecycle, mission_state
from tinytown.missions.graph import WorkGraph
from tinytown.missions.records.issue import Edge, Issue
from tinytown.missions.records.item import Item
from tinytown.missions.role_names import DEFAULT, REVIEWER
from tinytown.missions.roles import RoleBook, kind_for
from tinytown.missions.states import ItemState, Source
from tinytown.plans.model import Task
from tinytown.plans.stages import Stage, Stages, why


@dataclass(frozen=True)
class Crew:
    """Whom a task can name: the roles there are, and the role of each agent by its name."""

    book: RoleBook
    agents: Mapping[str, str]

    def place(self, issue: Issue, wanted: str | None) -> tuple[str, bool, str | None]:
        """The role for a task, whether it was named, and the very agent that must do it.

        The name of an agent means that agent, also before it is spawned; any other name means the role.
        """
        if wanted is None:
            role, named = self.book.role_for(issue)
            return role, named, None
        if wanted in self.agents:
            return self.agents[wanted], True, wanted
        if (role_called := self.book.find(wanted)) is not None:
            return role_called, True, None
        return DEFAULT, True, wanted


def crew_of(context: Context) -> Crew:
    """Whom a task can name now."""
    agents = {name: agent.role for name, agent in context.crew.agents().items()}
    return Crew(RoleBook(context.town.settings.roles), agents)


def stored(mission: str, items: Mapping[str, Item], *, edition: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The graph and the canvas of a mission of tasks, as they are saved with it."""
    canvas = compile_canvas(mission, {key: [edge.on for edge in item.edges] for key, item in items.items()})
    return {"order": list(items), "edition": edition}, {**canvas.stored(), "edition": edition}


def issue_of(task: Task, *, plan: str = keys.PLAN) -> Issue:
    """What the briefs of a task say of it."""
    title, _, body = task.description.strip().partition("\n")
    return Issue(key=keys.task_key(task.id, plan=plan), title=title.strip(), body=body.strip(), labels=task.tags)


def compile_tasks(
    stages: Stages, crew: Crew, *, mission: str, before: Mapping[str, Item] | None = None, plan: str = keys.PLAN
) -> dict[str, Item]:
    """An item for each task, in an order that respects every edge; all of them ``pending``.

    A task for a reviewer judges the tasks that it waits for: its agent gives the verdict of their review, and it
    settles with them. What has settled ``before`` without it is judged no more; the reviewer is then asked apart.
    """
    edges = {keys.task_key(id_, plan=plan): _edges(stage, plan) for id_, stage in stages.stages.items()}
    order = tuple(keys.task_key(id_, plan=plan) for id_ in stages.order)
    longest = WorkGraph(order=order, edges=edges, external={}).critical_paths()
    items = {
        key: _item(stages.stages[keys.typed(key)], crew, mission, plan).evolve(
            edges=edges[key], critical_path=longest[key]
        )
        for key in order
    }
    for key, item in list(items.items()):
        if item.role == REVIEWER and item.kind != gates.EPIC and item.edges:
            _let_judge(items, key, before or {})
    return items


def _let_judge(items: dict[str, Item], judge: str, before: Mapping[str, Item]) -> None:
    """Have a task for a reviewer judge the work that it waits for."""
    works = [items[edge.on] for edge in items[judge].edges]
    works = [work for work in works if work.kind not in gates.FOLLOWERS and work.role != REVIEWER]
    late = [w for w in works if w.key in before and before[w.key].state.settled and before[w.key].judge != judge]
    if not works or late:
        return
    items[judge] = items[judge].evolve(kind=gates.VERDICT)
    for work in works:
        if not work.judge:
            items[work.key] = work.evolve(judge=judge, judge_agent=items[judge].directed_to)


def _edges(stage: Stage, plan: str) -> tuple[Edge, ...]:
    return tuple(
        Edge(on=keys.task_key(wait.on, plan=plan), source=Source(wait.reason.value), line=wait.line, text=why(wait))
        for wait in stage.waits
    )


def _item(stage: Stage, crew: Crew, mission: str, plan: str) -> Item:
    issue = issue_of(stage.task, plan=plan)
    role, named, agent = (DEFAULT, False, None) if stage.grouping else crew.place(issue, stage.wanted)
    return Item(
        key=issue.key,
        title=issue.title,
        labels=issue.labels,
        role=role,
        role_named=named,
        directed_to=agent,
        kind=gates.EPIC if stage.grouping else kind_for(role),
        branch=branch_name(mission, issue.key),
    )


def begun_as(item: Item, state: ItemState, *, now: float) -> Item:
    """A new item that stands as its file says; what was under way there begins anew."""
    if state.ended:
        return item.evolve(state=state, settled_at=now)
    return item


def settle_waits(items: Mapping[str, Item], *, now: float) -> dict[str, Item]:
    """The items with those ready that wait for nothing any more, those pending again that do, and the reasons."""
    known = dict(items)
    for key, item in items.items():
        if item.state is ItemState.READY and item.attempt is None and not _is_free(item, items):
            known[key] = item.evolve(state=ItemState.PENDING, ready_at=None)
    for key, item in list(known.items()):
        if mission_state.startable(item, known):
            known[key] = lifecycle.make_ready(item, now=now) or item
    return {key: mission_state.explain_pending(item, known, now=now) for key, item in known.items()}


def _is_free(item: Item, items: Mapping[str, Item]) -> bool:
    return all(edge.on in items and items[edge.on].state.settled for edge in item.edges)
