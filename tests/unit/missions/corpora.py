"""The corpora of bodies, and the third of them that is kept aside.

Whoever changes the parser looks at the other two thirds; whether that helped is measured on the part kept aside
(``make bench`` prints precision and recall on it), and a condition that pays for nothing there is not worth having
(``python -m tools.prune`` lists those). What is aside is fixed by the text alone, so nobody can choose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from tests.unit.missions.dependency_bodies import CLEAR, SPECIFIED, UNCLEAR, Body
from tinytown.dependencies.sections import parse_dependencies

#: Repository of the bodies.
REPO: Final = "acme/app"


def kept_aside(body: Body) -> bool:
    """A third of all bodies, told by a hash of the text."""
    return hashlib.sha256(body.text.encode()).digest()[0] % 3 == 0


#: Bodies on which readers agree, by who may look at them.
ASIDE: Final = [body for body in CLEAR if kept_aside(body) and body not in SPECIFIED]
TRAINING: Final = [body for body in CLEAR if not kept_aside(body) and body not in SPECIFIED]
GROUPS: Final[dict[str, list[Body]]] = {"specified": SPECIFIED, "training": TRAINING, "our choice": UNCLEAR}


class Score(NamedTuple):
    """How well bodies are read, from 0 to 1."""

    precision: float
    recall: float


def score(bodies: Iterable[Body]) -> Score:
    """Of the edges that are found how many are right, and how many of the right ones are found."""
    found = right = wanted = 0
    for body in bodies:
        got, want = set(read(body)), set(body.edges)
        found, right, wanted = found + len(got), right + len(got & want), wanted + len(want)
    return Score(right / found, right / wanted)


def read(body: Body) -> tuple[str, ...]:
    """The edges that the parser finds."""
    return tuple(str(one) for one in parse_dependencies(body.text, REPO))
