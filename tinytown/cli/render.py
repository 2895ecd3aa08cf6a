"""How things look in a terminal. Standard library only, as every command needs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tinytown import characters

#: A sign for each state of a mission, an item or an agent.
ICONS: Final[Mapping[str, str]] = {
    "assigned": "📨",
    "blocked": "🚧",
    "cancelled": "🚫",
    "cold": "🧊",
    "completed": "✅",
    "done": "✅",
    "draining": "🪫",
    "error": "❌",
    "failed": "❌",
    "fixing": "🔧",
    "idle": "💤",
    "in_review": "🔍",
    "paused": "✋",
    "pending": "⏳",
    "planning": "📝",
    "ready": "🟢",
    "running": "🚀",
    "skipped": "⏩",
    "starting": "⏳",
    "stopped": "⬛",
    "working": "🔨",
}

#: The letter of each kind of message.
LETTERS: Final[Mapping[str, str]] = {"message": "T", "query": "Q", "info": "I", "ack": "C"}


def safe(text: str, *, lines: bool = False) -> str:
    """Outside text (a title, an agent's words) as a terminal may show it.

    What could move the cursor, change colours, hide or reverse text is shown as its escape. Without ``lines``
    the result is one line: breaks become blanks. Markup of ``rich`` is only interpreted in plain strings, so
    give it ``rich.text.Text(safe(...))``.
    """
    if not lines:
        text = re.sub(r"\s*[\r\n]\s*", " ", text.strip()).replace("\t", " ")
    return characters.escaped(text)


def icon(state: str) -> str:
    """The sign of a state."""
    return ICONS.get(state, "•")


def plural(count: int, noun: str) -> str:
    """``1 issue``, ``3 issues``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def money(usd: float) -> str:
    """Dollars and cents; small sums keep two significant digits."""
    return f"${usd:.4f}" if 0 < usd < 0.01 else f"${usd:.2f}"


def size_text(size: int) -> str:
    """A size as people say it."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.0f} kB"


def ago(seconds: float) -> str:
    """A length of time in its largest fitting units: ``8s``, ``3m 20s``, ``2h 5m``, ``4d 1h``."""
    left = max(int(seconds), 0)
    if left < 60:
        return f"{left}s"
    for unit, size, next_unit, next_size in (("m", 60, "s", 1), ("h", 3600, "m", 60), ("d", 86400, "h", 3600)):
        if unit == "d" or left < size * (60 if unit == "m" else 24):
            rest = left % size // next_size
            return f"{left // size}{unit} {rest}{next_unit}" if rest else f"{left // size}{unit}"
    raise AssertionError("days have no limit")


def due(until: float | None, now: float) -> str:
    """``; next try in 12s``, where the time of the next try is known and still to come."""
    return f"; next try in {ago(max(until - now, 1))}" if until is not None and until > now else ""


def kind_letter(kind: str) -> str:
    """The letter of a kind of message."""
    return LETTERS.get(kind, "?")


def mail_counts(numbers: Mapping[str, int], word: str) -> str:
    """How many messages there are, and of each kind: ``3 pending (T:1 Q:0 I:2 C:0)``."""
    return f"{sum(numbers.values())} {word} ({by_kind(numbers)})"


def by_kind(numbers: Mapping[str, int]) -> str:
    """How many messages of each kind there are: ``T:1 Q:0 I:2 C:0``."""
    return " ".join(f"{letter}:{numbers.get(kind, 0)}" for kind, letter in LETTERS.items())
