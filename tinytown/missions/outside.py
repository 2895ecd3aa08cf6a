"""Issues outside a mission that its items wait for, and which of them can never settle.

An open one holds its item back until it is completed. One that does not exist, or was closed as not planned, would
hold it back for ever: a start is refused, with the line that states the dependency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tinytown.errors import NotFoundError, StateError, TinytownError
from tinytown.keys import LOCAL
from tinytown.missions.records.issue import Edge, Issue
from tinytown.missions.records.item import Item
from tinytown.missions.states import Source

#: ``missing``: it is proven that there is no such issue; ``unknown``: it cannot be told, so the item waits.
OutsideState = Literal["open", "completed", "not_planned", "missing", "unknown"]


@dataclass(frozen=True)
class _Dead:
    """An edge that can never settle, of the item with this key."""

    key: str
    edge: Edge
    state: OutsideState


def refusals(
    items: Iterable[Item], issues: Mapping[str, Issue], states: Mapping[str, OutsideState]
) -> list[TinytownError]:
    """An error for each dependency that can never settle, in the items' order.

    ``issues`` are those of the mission by key, ``states`` those that were found outside it.
    """
    found = [
        _Dead(item.key, edge, state)
        for item in items
        for edge in item.external
        if (state := states.get(edge.on)) in ("missing", "not_planned")
    ]
    return [_refusal(one, issues.get(one.key)) for one in found]


def first_of(refused: Sequence[TinytownError]) -> TinytownError:
    """The first of these errors, with the number of the others; ``refused`` must not be empty."""
    first, more = refused[0], len(refused) - 1
    if not more:
        return first
    return type(first)(f"{first.message}; {more} more like this: `tt mission plan` lists them", remedy=first.remedy)


def _refusal(dead: _Dead, issue: Issue | None) -> TinytownError:
    edge = dead.edge
    where = _where(edge, issue)
    said = f' says "{edge.text}"' if edge.source is Source.TEXT else ""
    stated = f" ({where}{said})" if where else ""
    if dead.state == "missing":
        remedy = f"correct {where or 'what states it'}{_or_manifest(edge)}{_or_write(edge.on)}"
        return NotFoundError(f"{dead.key} depends on {edge.on}, which does not exist{stated}", remedy=remedy)
    return StateError(
        f"{dead.key} depends on {edge.on}, which was closed as not planned{stated}",
        remedy=f"reopen {edge.on}, or take it out of {where or 'what states it'}{_or_manifest(edge)}",
    )


def _where(edge: Edge, issue: Issue | None) -> str:
    """The place that states an edge, as a person finds it."""
    file = issue.url if issue is not None and issue.key.startswith(f"{LOCAL}/") else ""
    match edge.source:
        case Source.TEXT if file:
            return f"{file}:{edge.line}"
        case Source.TEXT:
            return f"line {edge.line} of its text"
        case Source.MANIFEST:
            return edge.text
        case Source.NATIVE:
            return f"`blocked_by` in {file}" if file else 'what its forge has as "blocked by"'
        case _:
            return f"{edge.text.removeprefix('passed on by ')}, which is skipped"


def _or_manifest(edge: Edge) -> str:
    """Whether a manifest can help: it replaces what the issue's text says, and nothing else."""
    return ", override it with `depends_on` in a manifest" if edge.source is Source.TEXT else ""


def _or_write(key: str) -> str:
    repo, _, number = key.rpartition("#")
    return f", or write issues/{number}.md" if repo.startswith(f"{LOCAL}/") else ""
