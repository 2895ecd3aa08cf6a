"""From code to Markdown: the sentences of classes, and tables."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Sequence


def sentences(cls: type) -> dict[str, str]:
    """The ``#:`` comments above the members of a class, by member."""
    found: dict[str, str] = {}
    words: list[str] = []
    for line in textwrap.dedent(inspect.getsource(cls)).splitlines():
        text = line.strip()
        if text.startswith("#:"):
            words.append(text.removeprefix("#:").strip())
        elif match := re.match(r"(\w+)\s*[:=]", text):
            if words:
                found[match[1]] = " ".join(words)
            words = []
        elif text:
            words = []
    return found


def plain(text: str) -> str:
    """A docstring's sentence as Markdown."""
    return " ".join(text.replace("``", "`").split())


def first(text: str | None) -> str:
    """The first paragraph of a docstring."""
    return plain((text or "").strip().partition("\n\n")[0])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
