"""Issues of a mission that are named in the text of another one, though neither waits for the other.

Reading prose goes wrong now and then; what was not read as a dependency is shown, so that people see it before
money is spent. Listed is what prose names: in a title (line 0), a sentence, a list, a table, a quote, and where it is
denied ("doesn't depend on #1"). Code, comments and struck text are left out, and so is each pair whose order is
settled: one waits for the other, be it through others, whoever says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinytown import keys
from tinytown.missions.records.issue import Edge

if TYPE_CHECKING:
    from tinytown.dependencies.sections import Mention


@dataclass(frozen=True)
class Unread:
    """A mention that is not read as a dependency."""

    #: The issue whose text it is.
    key: str
    #: The issue that is named.
    mentions: str
    #: Line of its text or file; 0 for the title.
    line: int
    #: That line, shortened.
    text: str


def unread(
    mentioned: Mapping[str, Iterable[Mention]], order: Sequence[str], edges: Mapping[str, Sequence[Edge]]
) -> list[Unread]:
    """The mentions between issues of ``order`` that no edge stands for, by issue and line."""
    names = {keys.normalise(key): key for key in order}
    found: list[Unread] = []
    for key in order:
        for mention in mentioned.get(key, ()):
            other = names.get(f"{mention.repo.lower()}#{mention.number}")
            if other is not None and other != key:
                found.append(Unread(key, other, mention.line, mention.text))
    if not found:
        return []
    waits = _waits(order, edges)
    place = {key: number for number, key in enumerate(order)}
    return [
        one
        for one in found
        if not waits[one.key] >> place[one.mentions] & 1 and not waits[one.mentions] >> place[one.key] & 1
    ]


def _waits(order: Sequence[str], edges: Mapping[str, Sequence[Edge]]) -> dict[str, int]:
    """For each item all that it waits for, also through others, as a bit set by their places in ``order``."""
    place = {key: number for number, key in enumerate(order)}
    waits: dict[str, int] = {}
    for key in order:
        bits = 0
        for edge in edges[key]:
            bits |= waits[edge.on] | 1 << place[edge.on]
        waits[key] = bits
    return waits


def sentences(found: Sequence[Unread], names: Mapping[str, str]) -> list[str]:
    """A sentence for each pair of issues, with all lines; ``names`` are what people call them."""
    lines: dict[tuple[str, str], list[int]] = {}
    for one in found:
        lines.setdefault((one.key, one.mentions), []).append(one.line)
    return [
        f"{names[key]} mentions {names[other]} ({_places(at)}), which is not read as a dependency"
        for (key, other), at in lines.items()
    ]


def _places(lines: Sequence[int]) -> str:
    numbered = [str(line) for line in sorted(set(lines)) if line]
    parts = ["title"] if 0 in lines else []
    if numbered:
        parts.append(f"{'line' if len(numbered) == 1 else 'lines'} {', '.join(numbered)}")
    return ", ".join(parts)
