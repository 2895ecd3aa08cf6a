"""Paths that only a person lets a change touch: `[policy] protected`, patterns as in a `.gitignore`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence


def protected(paths: Iterable[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """Those of ``paths`` that a pattern names; the last pattern that fits decides, and ``!`` takes one out."""
    return tuple(dict.fromkeys(path for path in paths if _named(path, patterns)))


def _named(path: str, patterns: Sequence[str]) -> bool:
    for pattern in reversed(patterns):
        taken_out = pattern.startswith("!")
        if expression(pattern[taken_out:]).fullmatch(path):
            return not taken_out
    return False


@functools.cache
def expression(pattern: str) -> re.Pattern[str]:
    """A pattern as git reads it: without a slash inside it names files in any folder, else from the top.

    Case does not matter, as some file systems ignore it.
    """
    body = pattern.rstrip("/")
    anywhere = "/" not in body
    body = body.removeprefix("/")
    out, at = "", 0
    while at < len(body):
        rest = body[at:]
        if rest.startswith("**/") and (at == 0 or body[at - 1] == "/"):
            out, at = out + "(?:[^/]+/)*", at + 3
        elif rest == "**":
            out, at = out + ".+", at + 2
        elif found := re.match(r"\[[!^]?\]?[^\]/]*\]", rest):
            inner = found[0][1:-1]
            negated = inner[:1] in ("!", "^")
            members = inner[negated:].replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
            out, at = f"{out}(?!/)[{'^' if negated else ''}{members}]", at + len(found[0])
        elif rest[0] == "\\" and len(rest) > 1:
            out, at = out + re.escape(rest[1]), at + 2
        else:
            out, at = out + {"*": "[^/]*", "?": "[^/]"}.get(rest[0], re.escape(rest[0])), at + 1
    # A pattern for a folder also matches everything in it.
    try:
        return re.compile(f"{'(?:.*/)?' if anywhere else ''}{out}(?:/.*)?", re.IGNORECASE | re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern), re.IGNORECASE)
