"""Where a dependency is stated, in words for people; JSON has the name of the source instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tinytown import keys
from tinytown.cli.render import safe
from tinytown.missions.records.issue import Edge
from tinytown.missions.states import Source

_SOURCES: Final[Mapping[Source, str]] = {
    Source.MANIFEST: "manifest",
    Source.SKIPPED: "passed on",
    Source.DEPENDS_ON: "depends_on",
    Source.PARENT: "its parent",
    Source.ORDER: "order of the file",
    Source.EPIC: "its epic waits",
    Source.CHILD: "in this epic",
}
#: Those whose words say all that there is to say.
_WHOLE: Final = frozenset({Source.DEPENDS_ON, Source.PARENT, Source.ORDER, Source.CHILD})


def stated(edge: Edge, *, quoted: bool = False) -> str:
    """Where an edge is stated: ``front matter``, ``text, line 3``, …; ``quoted`` adds what is written there."""
    if edge.source is Source.TEXT:
        return f"text, line {edge.line}" + (f": {safe(edge.text)}" if quoted else "")
    if edge.source is Source.SKIPPED and quoted:
        return safe(edge.text)
    if edge.source in _WHOLE:
        return _SOURCES[edge.source]
    if edge.source is Source.NATIVE:
        words = "front matter" if edge.on.startswith(f"{keys.LOCAL}/") else "linked issue"
    else:
        words = _SOURCES[edge.source]
    return f"{words}, {safe(edge.text)}" if quoted and edge.text else words
