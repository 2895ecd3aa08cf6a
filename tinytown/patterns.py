"""Patterns that people write into a configuration: small enough to be understood, and never slow.

Python's engine backtracks, so a pattern could take for ever on a line that an agent chose. What is allowed here takes
at most a moment on the short lines that it is tried on: no repetition of a group, few of others, no references.
"""

from __future__ import annotations

import re

#: Longest pattern, in characters.
MAX_CHARS = 300
#: Longest part of a line that a pattern is tried on, in characters.
LINE_CHARS = 300
#: Most ways to try a pattern on a line: two repetitions without a bound, and a few with one.
MAX_WAYS = 100_000_000

_BOUND = re.compile(r"\{(\d*)(,?)(\d*)\}")
_REFERENCE = re.compile(r"\\[1-9]|\(\?P=|\(\?\(")


def fault(text: str) -> str | None:
    """What is wrong with a pattern, in a few words; ``None`` if nothing is."""
    if len(text) > MAX_CHARS:
        return f"it is longer than {MAX_CHARS} characters"
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        return f"it is not a regular expression: {error}"
    if _REFERENCE.search(text):
        return "it refers to one of its groups"
    return _repeats(text)


def compiled(text: str) -> re.Pattern[str]:
    """A pattern without a fault, ready to use; case makes no difference."""
    return re.compile(text, re.IGNORECASE)


def _repeats(text: str) -> str | None:
    """What is wrong with its repetitions."""
    # Without an anchor it is tried at every place of the line.
    ways, at, after_group = 1 if text.startswith("^") else LINE_CHARS, 0, False
    while at < len(text):
        char = text[at]
        more, at = _ways(text, at)
        if more > 1 and after_group and char not in "?|":
            return "it repeats a group"
        ways *= more
        if ways > MAX_WAYS:
            return "it holds too many repetitions or alternatives"
        after_group = char == ")"
    return None


def _ways(text: str, at: int) -> tuple[int, int]:
    """How many ways there are to go on with what stands here, and where the next thing stands."""
    match text[at]:
        case "\\":
            return 1, at + 2
        case "[":
            return 1, _end_of_class(text, at + 1)
        case "*" | "+":
            return LINE_CHARS, at + 1
        case "?" if text[at - 1 : at] not in ("(", "*", "+", "}", "?"):
            return 2, at + 1
        case "|":
            return 2, at + 1
        case "{" if bound := _BOUND.match(text, at):
            low, comma, high = bound.groups()
            most = int(high) if high else LINE_CHARS if comma else int(low or 0)
            # Exactly so many of a single thing is one way; of a group it is not known how many.
            return (most - int(low or 0) + 1 if comma else 1 + (text[at - 1 : at] == ")")), bound.end()
    return 1, at + 1


def _end_of_class(text: str, at: int) -> int:
    at += text[at : at + 1] == "^"
    at += text[at : at + 1] == "]"
    while at < len(text) and text[at] != "]":
        at += 2 if text[at] == "\\" else 1
    return at + 1
