"""Graphs to run: for each item, numbered from 1, the items it depends on."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

Graph = Mapping[int, Sequence[int]]


def chain(size: int) -> Graph:
    """Each item after the one before it."""
    return {n: [n - 1] if n > 1 else [] for n in range(1, size + 1)}


def fan(size: int) -> Graph:
    """One item, then all the others at once."""
    return {n: [1] if n > 1 else [] for n in range(1, size + 1)}


def diamond(width: int) -> Graph:
    """One item, then ``width`` at once, then one after all of them."""
    last = width + 2
    return {1: [], **{n: [1] for n in range(2, last)}, last: list(range(2, last))}


def ladder(rungs: int) -> Graph:
    """Two items a rung, each after both items of the rung before."""
    # Rung r holds the items 2r + 1 and 2r + 2.
    return {
        number: [2 * rung - 1, 2 * rung] if rung else []
        for rung in range(rungs)
        for number in (2 * rung + 1, 2 * rung + 2)
    }


def random_graph(size: int, *, seed: int, most: int = 3, reach: int = 40) -> Graph:
    """Each item after up to ``most`` of the ``reach`` items before it; the same graph for the same seed."""
    chance = random.Random(seed)
    graph: dict[int, list[int]] = {}
    for number in range(1, size + 1):
        before = range(max(1, number - reach), number)
        graph[number] = sorted(chance.sample(before, min(len(before), chance.randint(0, most))))
    return graph


def edges(graph: Graph) -> int:
    """How many dependencies it has."""
    return sum(map(len, graph.values()))
