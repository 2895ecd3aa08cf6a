"""The work graph: which item of a mission waits for which, who says so, and in what order they can go.

An edge leads from an item to an issue that must settle first. For each item the forge's own "blocked by"
comes first, then what the manifest states or, where it states nothing, the issue's text; an edge that several
sources state keeps the first of them. A manifest's ``depends_on`` *replaces* what the text states (``[]``
removes it); the forge's own edges stay, since only the forge can take them back.

- An edge to the item itself is dropped; an edge to an issue outside the mission is *external*.
- A skipped item is contracted: what it waited for passes to its dependents.
- A circle, also one through a skipped item, is refused with its path and the lines that state it.

Everything is linear in items and edges (but for the logarithm of a heap and the edges that skipping adds), free
of recursion, and the same in whatever order the issues come.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tinytown import keys
from tinytown.errors import ConfigurationError, CycleError
from tinytown.missions.manifest import Manifest, Override, issue_key
from tinytown.missions.mentions import Unread, unread
from tinytown.missions.records.issue import Edge, Issue
from tinytown.missions.records.item import Item
from tinytown.missions.roles import RoleBook, kind_for
from tinytown.missions.states import ItemState, Source

if TYPE_CHECKING:
    from tinytown.dependencies.sections import Dependency, Mention, Reading

# Each edge asks for its key; parsing it each time would be most of the work.
_normalise = functools.lru_cache(maxsize=1 << 16)(keys.normalise)
_order = functools.lru_cache(maxsize=1 << 16)(keys.order)


@dataclass(frozen=True)
class WorkGraph:
    """A directed graph without circles. Make one with ``build`` or ``compile_items``."""

    #: Keys in an order that respects every edge; ties go by repository and number. Skipped ones are left out.
    order: tuple[str, ...]
    #: Edges to items of the mission, by key, skipped items contracted.
    edges: Mapping[str, tuple[Edge, ...]]
    #: Edges to issues outside the mission.
    external: Mapping[str, tuple[Edge, ...]]
    #: Keys that were skipped, in such an order too.
    skipped: tuple[str, ...] = ()
    _items: Mapping[str, Item] = field(default_factory=dict, repr=False)
    #: Mentions between issues that nothing reads as dependencies; only ``compile_items`` fills it.
    unread: tuple[Unread, ...] = ()

    @classmethod
    def build(cls, edges: Mapping[str, Iterable[Edge]], *, skipped: Iterable[str] = ()) -> WorkGraph:
        """The graph of these items; an edge to a key that is no item is external.

        Raises:
            CycleError: they depend on each other in a circle.
        """
        names = {_normalise(key): key for key in edges}
        inner: dict[str, list[Edge]] = {}
        outer: dict[str, list[Edge]] = {}
        for key, stated in edges.items():
            inner[key], outer[key] = _split(key, stated, names)
        order = _topological(inner)
        left_out = {names[_normalise(key)] for key in skipped}
        if left_out:
            inner, outer = _contract(order, inner, outer, left_out)
        kept = tuple(key for key in order if key not in left_out)
        return cls(
            order=kept,
            edges={key: tuple(inner[key]) for key in kept},
            external={key: tuple(outer[key]) for key in kept},
            skipped=tuple(key for key in order if key in left_out),
        )

    def dependents(self) -> dict[str, tuple[str, ...]]:
        """For each item those that wait for it, in order."""
        found: dict[str, list[str]] = {key: [] for key in self.order}
        for key in self.order:
            for edge in self.edges[key]:
                found[edge.on].append(key)
        return {key: tuple(waiting) for key, waiting in found.items()}

    def waves(self) -> tuple[tuple[str, ...], ...]:
        """Items that could run side by side: each in the first wave after all it waits for."""
        wave: dict[str, int] = {}
        waves: list[list[str]] = []
        for key in self.order:
            wave[key] = 1 + max((wave[edge.on] for edge in self.edges[key]), default=-1)
            if wave[key] == len(waves):
                waves.append([])
            waves[wave[key]].append(key)
        return tuple(tuple(one) for one in waves)

    def critical_paths(self) -> dict[str, int]:
        """For each item the number of items on the longest way from it to the end, itself included."""
        longest = dict.fromkeys(self.order, 1)
        for key in reversed(self.order):
            for edge in self.edges[key]:
                longest[edge.on] = max(longest[edge.on], longest[key] + 1)
        return longest

    def critical_path(self) -> tuple[str, ...]:
        """One longest way through the mission, from its first item to its last."""
        longest = self.critical_paths()
        waiting = self.dependents()
        path: list[str] = []
        ahead: Sequence[str] = self.order
        while ahead:
            path.append(max(ahead, key=longest.__getitem__))
            ahead = waiting[path[-1]]
        return tuple(path)

    def items(self) -> tuple[Item, ...]:
        """The items of ``compile_items``, in order and ``pending``; after them the skipped ones."""
        return tuple(self._items[key] for key in (*self.order, *self.skipped))


def compile_items(
    issues: Sequence[Issue],
    *,
    roles: RoleBook,
    repo: str,
    manifest: Manifest | None = None,
) -> WorkGraph:
    """The work graph of these issues, with their items; ``repo`` is the town's own repository.

    Raises:
        CycleError: the issues depend on each other in a circle.
        ConfigurationError: the manifest or a label names an issue, a role or a kind that there is not.
    """
    known = {_normalise(issue.key): issue for issue in issues}
    overrides = (manifest or Manifest()).by_key(known, repo=repo)
    readings = {issue.key: _read(issue, repo=repo) for issue in known.values()}
    stated = {
        issue.key: _stated_edges(issue, overrides.get(key), readings[issue.key].dependencies, repo=repo)
        for key, issue in known.items()
    }
    skip = [known[key].key for key, override in overrides.items() if override.skip]
    graph = WorkGraph.build(stated, skipped=skip)
    longest = graph.critical_paths()
    items: dict[str, Item] = {}
    for key, issue in known.items():
        item = _item(issue, overrides.get(key), roles)
        if issue.key in longest:
            edges, external = graph.edges[issue.key], graph.external[issue.key]
            item = item.evolve(edges=edges, external=external, critical_path=longest[issue.key])
        items[issue.key] = item
    mentioned = {issue.key: _mentions(issue, readings[issue.key], repo=repo) for issue in known.values()}
    found = tuple(unread(mentioned, graph.order, graph.edges))
    return WorkGraph(graph.order, graph.edges, graph.external, graph.skipped, items, found)


def _read(issue: Issue, *, repo: str) -> Reading:
    return _read_text(issue.body, _home(issue, repo))


def _home(issue: Issue, repo: str) -> str:
    """The repository that bare numbers in the issue's text belong to."""
    key = keys.parse(issue.key)
    return repo if key.kind == "task" else key.repo


def _read_text(text: str, home: str) -> Reading:
    # The workers know graphs, and read no issue: to have the reader loaded takes 2 MB of each.
    from tinytown.dependencies.sections import read_body

    return read_body(text, home)


def _mentions(issue: Issue, reading: Reading, *, repo: str) -> list[Mention]:
    """What title (line 0) and text mention, by the lines that people see."""
    titled = [replace(one, line=0) for one in _read_text(issue.title, _home(issue, repo)).mentions]
    return [*titled, *(replace(one, line=issue.line_in_file(one.line)) for one in reading.mentions)]


def _stated_edges(issue: Issue, override: Override | None, text: Iterable[Dependency], *, repo: str) -> list[Edge]:
    edges = [Edge(on=key, source=Source.NATIVE) for key in issue.blocked_by]
    if override is not None and override.depends_on is not None:
        wanted = (issue_key(reference, repo=repo) for reference in override.depends_on)
        return edges + [Edge(on=key, source=Source.MANIFEST, text=override.where) for key in wanted]
    return edges + [_edge(issue, one) for one in text]


def _edge(issue: Issue, stated: Dependency) -> Edge:
    return Edge(on=str(stated), source=Source.TEXT, line=issue.line_in_file(stated.line), text=stated.text)


def _item(issue: Issue, override: Override | None, roles: RoleBook) -> Item:
    wanted = override or Override(issue.key)
    try:
        role, named = roles.role_for(issue, wanted.owner_role)
    except ConfigurationError as error:
        if wanted.owner_role is None:
            raise
        raise ConfigurationError(f"{wanted.where}: {error.message}", remedy=error.remedy) from None
    return Item(
        key=issue.key,
        number=issue.number,
        title=issue.title,
        url=issue.url,
        labels=issue.labels,
        role=role,
        role_named=named,
        kind=wanted.kind or kind_for(role),
        kind_named=named or wanted.kind is not None,
        priority=wanted.priority or 0,
        state=ItemState.SKIPPED if wanted.skip else ItemState.PENDING,
    )


def _split(key: str, stated: Iterable[Edge], names: Mapping[str, str]) -> tuple[list[Edge], list[Edge]]:
    """Edges inside and outside the mission, each key once and spelt as the mission spells it."""
    inner: list[Edge] = []
    outer: list[Edge] = []
    seen = {_normalise(key)}
    for edge in stated:
        known = _normalise(edge.on)
        if known in seen:
            continue
        seen.add(known)
        if known in names:
            inner.append(edge if edge.on == names[known] else edge.evolve(on=names[known]))
        else:
            outer.append(edge)
    inner.sort(key=lambda edge: _order(edge.on))
    outer.sort(key=lambda edge: _order(edge.on))
    return inner, outer


def _topological(edges: Mapping[str, Sequence[Edge]]) -> list[str]:
    """All keys, each after those it depends on, the smallest first wherever there is a choice."""
    rank = {key: (_order(key), key) for key in edges}
    missing = {key: len(depends) for key, depends in edges.items()}
    waiting: dict[str, list[str]] = {key: [] for key in edges}
    for key, depends in edges.items():
        for edge in depends:
            waiting[edge.on].append(key)
    free = [rank[key] for key, count in missing.items() if not count]
    heapq.heapify(free)
    order: list[str] = []
    while free:
        key = heapq.heappop(free)[1]
        order.append(key)
        for dependent in waiting[key]:
            missing[dependent] -= 1
            if not missing[dependent]:
                heapq.heappush(free, rank[dependent])
    if len(order) < len(edges):
        raise _cycle({key: depends for key, depends in edges.items() if missing[key]})
    return order


def _cycle(edges: Mapping[str, Sequence[Edge]]) -> CycleError:
    """The circle that is reached from the smallest key; each of these keys depends on another of them."""
    path: list[str] = []
    taken: list[Edge] = []
    place: dict[str, int] = {}
    key = min(edges, key=_order)
    while key not in place:
        place[key] = len(path)
        path.append(key)
        edge = next(edge for edge in edges[key] if edge.on in edges)
        taken.append(edge)
        key = edge.on
    path, taken = path[place[key] :], taken[place[key] :]
    first = path.index(min(path, key=_order))
    path, taken = path[first:] + path[:first], taken[first:] + taken[:first]
    lines = [f"{key} {_says(edge)}" for key, edge in zip(path, taken, strict=True)]
    return CycleError([*path, path[0]], lines=lines)


def _says(edge: Edge) -> str:
    match edge.source:
        case Source.TEXT:
            return f"line {edge.line}: {edge.text}"
        case Source.MANIFEST:
            return f"by {edge.text}: depends on {edge.on}"
        case _:
            return f"is marked as blocked by {edge.on}"


def _contract(
    order: Sequence[str],
    inner: Mapping[str, Sequence[Edge]],
    outer: Mapping[str, Sequence[Edge]],
    skipped: set[str],
) -> tuple[dict[str, list[Edge]], dict[str, list[Edge]]]:
    """Give every item, instead of a skipped one it depends on, what that one depended on."""
    new_inner: dict[str, list[Edge]] = {}
    new_outer: dict[str, list[Edge]] = {}
    for key in order:
        through = [edge.on for edge in inner[key] if edge.on in skipped]
        kept = [edge for edge in inner[key] if edge.on not in skipped]
        new_inner[key] = _with_passed(kept, through, new_inner)
        new_outer[key] = _with_passed(outer[key], through, new_outer)
    return new_inner, new_outer


def _with_passed(own: Sequence[Edge], through: Sequence[str], done: Mapping[str, Sequence[Edge]]) -> list[Edge]:
    edges = {edge.on: edge for edge in own}
    for skipped in through:
        for edge in done[skipped]:
            edges.setdefault(edge.on, Edge(on=edge.on, source=Source.SKIPPED, text=f"passed on by {skipped}"))
    return sorted(edges.values(), key=lambda edge: _order(edge.on)) if through else list(own)
