"""Raw HTML in the bodies of issues: its tags, and what lies between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

TAG: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*)([^<>]*)>")
HREF: Final = re.compile(r"\bhref\s*=\s*[\"']?([^\s\"'>]+)", re.IGNORECASE)
#: Text inside these is quoted, struck or code; those that may stay open across blocks come first.
SPANNING: Final = frozenset({"blockquote", "del", "s", "strike", "pre"})
HIDING: Final = SPANNING | {"code", "samp", "script", "style"}
BREAKING: Final = frozenset({"br", "li", "p", "div", "tr", "td", "th", "summary", "h1", "h2", "h3", "h4", "h5", "h6"})


def parts(content: str) -> Iterator[tuple[str, str]]:
    """Cut raw HTML into ``text``, ``tag`` and ``comment``; each character is read once."""
    at = 0
    while at < len(content):
        if content.startswith("<!--", at):
            end = content.find("-->", at + 4)
            end = len(content) if end < 0 else end + 3
            yield "comment", content[at:end]
        elif (found := TAG.match(content, at)) is not None:
            end = found.end()
            yield "tag", found[0]
        else:
            following = content.find("<", at + 1)
            end = len(content) if following < 0 else following
            yield "text", content[at:end]
        at = end
