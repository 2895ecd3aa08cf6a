"""A plan on the screen: what is in which epic, in the order in which it can run; and as a graph for Mermaid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import click

from tinytown.cli.mermaid import label
from tinytown.cli.render import icon, money, plural, safe
from tinytown.missions.role_names import DEFAULT
from tinytown.missions.roles import RoleBook
from tinytown.nearest import nearest
from tinytown.plans.model import Meta
from tinytown.plans.reader import Reading
from tinytown.plans.stages import Grouping, Reason, Stage, Stages, Wait

#: Most characters of a title in a list, and in a node of a graph.
_TITLE: Final = 100
_NODE: Final = 60
#: A name that is so similar to a role's (0 to 1) may be a slip.
_ALIKE: Final = 0.8
#: Epics nested more deeply than this are not indented further.
_DEPTH: Final = 8

_BY: Final[Mapping[Grouping, str]] = {
    Grouping.TAG: "by its tag",
    Grouping.NO_AGENT: "it has tasks and no agent",
}
_BECAUSE: Final[Mapping[Reason, str]] = {
    Reason.PARENT: "its parent",
    Reason.ORDER: "order of the file",
    Reason.DEPENDS_ON: "depends_on",
    Reason.EPIC: "as all of {epic}",
}


def show(reading: Reading, roles: RoleBook, agents: Mapping[str, str]) -> None:
    """Print a plan. ``agents``: the role of each agent that is known to be there, by its name."""
    stages = reading.stages
    work = [stage for stage in stages.stages.values() if stage.grouping is None]
    epics = len(stages.stages) - len(work)
    counted = plural(len(work), "task") + (f" in {plural(epics, 'epic')}" if epics else "")
    said = safe(_short(reading.plan.meta.description))
    click.echo(f"📋 {said}: {counted}" if said else f"📋 Plan: {counted}")
    wanted = {name: _wanted(name, roles) for name in {stage.wanted for stage in work}}
    lines = [
        f"{'   ' * min(depth + 1, _DEPTH)}{line}" for depth, stage in _tree(stages) for line in _lines(stage, wanted)
    ]
    if lines:  # At once: each call flushes.
        click.echo("\n".join(lines))
    waves = max((stage.wave for stage in work), default=0)
    if waves < len(work):
        click.echo(f"🌊 Waves: {waves}; tasks with the same number can run at the same time")
    if work:
        click.echo("👷 Roles and agents:")
    for line in _who(work, roles, agents):
        click.echo(f"   {line}")
    if limits := list(_limits(reading.plan.meta)):
        click.echo(f"📏 This plan: {', '.join(limits)}")


def _tree(stages: Stages) -> Iterator[tuple[int, Stage]]:
    """Each task with the number of epics it is in: an epic, then what is in it, all in the order in which they run."""
    place: dict[str | None, int] = {}
    for number, id_ in enumerate(stages.order):
        group: str | None = id_
        # An epic is listed where its first task is.
        while group is not None and group not in place:
            place[group] = number
            group = stages.stages[group].group
    ranked = sorted(stages.stages.values(), key=lambda stage: place[stage.task.id])
    inside: dict[str | None, list[Stage]] = {}
    for stage in ranked:
        inside.setdefault(stage.group, []).append(stage)
    left = [(0, stage) for stage in reversed(inside.get(None, []))]
    while left:
        depth, stage = left.pop()
        yield depth, stage
        if stage.grouping is not None:
            left += [(depth + 1, one) for one in reversed(inside.get(stage.task.id, []))]


def _lines(stage: Stage, wanted: Mapping[str | None, str]) -> Iterator[str]:
    task = stage.task
    head = f"{icon(task.status.value)} {task.id}: {safe(_short(task.title))}"
    if stage.grouping is not None:
        how = "at the same time" if task.parallel else "in the order of the file"
        several = f", {how}" if len(stage.children) > 1 else ""
        yield f"{head} — epic ({_BY[stage.grouping]}): {plural(len(stage.children), 'task')}{several}"
    else:
        yield f"{stage.wave}. {head} — {wanted[stage.wanted]}"
    said = [_after(wait) for wait in stage.waits if wait.reason is not Reason.CHILD]
    if said:
        yield f"      after {', '.join(said)}"
    if task.result:
        yield f"      result: {safe(_short(task.result.strip().split(chr(10), 1)[0]))}"


def _after(wait: Wait) -> str:
    return f"{wait.on} ({_BECAUSE[wait.reason].format(epic=wait.epic)})"


def _wanted(name: str | None, roles: RoleBook) -> str:
    """Who is to do it: a role, by the word that the file has for it, or an agent."""
    if name is None:
        return f"{DEFAULT} (nobody is named)"
    role = roles.find(name)
    return name if role in (None, name) else f"{name} ({role})"


def _who(work: Sequence[Stage], roles: RoleBook, agents: Mapping[str, str]) -> Iterator[str]:
    counts = Counter(stage.wanted or DEFAULT for stage in work)
    for name, count in counts.items():
        # The name of an agent means that agent, even where a role is called so.
        if name in agents:
            yield f"{name}: {plural(count, 'task')}, for the agent {name} ({safe(agents[name])})"
            continue
        known = roles.find(name)
        whose = f", the role {known}" if known else f", for the agent {name}: {_unknown(name, roles)}"
        yield f"{name}: {plural(count, 'task')}{'' if known == name else whose}"


def _unknown(name: str, roles: RoleBook) -> str:
    near = nearest(name, roles.names, alike=_ALIKE)
    return "there is no such role" + (f"; did you mean `{near[0]}`?" if near else "")


def _limits(meta: Meta) -> Iterator[str]:
    if meta.base is not None:
        yield f"merges into {safe(meta.base)}"
    if meta.checks is not None:
        yield f"checks {', '.join(f'`{safe(one)}`' for one in meta.checks)}" if meta.checks else "no checks"
    if meta.reviewer_required is not None:
        yield "a reviewer approves each change" if meta.reviewer_required else "no reviewer is required"
    if meta.budget_usd is not None:
        yield f"pause at {money(meta.budget_usd)}"
    if meta.budget_tokens is not None:
        yield f"pause at {meta.budget_tokens:,} tokens"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _TITLE else f"{text[: _TITLE - 1].rstrip()}…"


# -- Mermaid -------------------------------------------------------------------------------------


def mermaid(stages: Stages) -> str:
    """The graph in Mermaid's language: epics are boxes round their tasks, and each arrow says where it is stated."""
    names = {id_: f"n{number}" for number, id_ in enumerate(stages.stages, start=1)}
    lines = ["graph TD"]
    boxes: list[str | None] = []
    for _, stage in _tree(stages):
        while boxes and boxes[-1] != stage.group:
            boxes.pop()
            lines.append(f"{_indent(boxes)}end")
        text = f'"{label(stage.task.id)} {label(stage.task.title, limit=_NODE)}"'
        # An empty box would not be shown.
        if stage.grouping is not None and stage.children:
            lines.append(f"{_indent(boxes)}subgraph {names[stage.task.id]}[{text}]")
            boxes.append(stage.task.id)
        else:
            lines.append(f"{_indent(boxes)}{names[stage.task.id]}[{text}]")
    while boxes:
        boxes.pop()
        lines.append(f"{_indent(boxes)}end")
    # An epic's own arrows are drawn to its box; those that it passes on would repeat them.
    lines += [
        f'    {names[wait.on]} -->|"{wait.reason.value}"| {names[id_]}'
        for id_, stage in stages.stages.items()
        for wait in stage.waits
        if wait.reason not in (Reason.CHILD, Reason.EPIC)
    ]
    return "\n".join(lines)


def _indent(boxes: Sequence[object]) -> str:
    return "    " * min(len(boxes) + 1, _DEPTH)
