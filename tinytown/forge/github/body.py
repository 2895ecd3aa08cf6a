"""The body of a pull request: tinytown's part stands between hidden marks, everything around it is people's.

The first mark holds a fingerprint of what tinytown wrote. Where the text between the marks is another one, a person
edited it, and it is theirs from then on. The mark also says that tinytown opened the pull request as a draft.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from tinytown.forge.contract import Change

#: Most characters of tinytown's part: GitHub takes 65,536 in all.
LIMIT: Final = 40_000

_END: Final = "<!-- tinytown:end -->"
_PART = re.compile(
    r"<!-- tinytown:begin (?P<mark>[0-9a-f]{12})(?P<draft> draft)? -->\r?\n(?P<text>.*?)\r?\n?<!-- tinytown:end -->",
    re.DOTALL,
)


def new(change: Change, *, closes: str, draft: bool) -> str:
    """The body of a new pull request, opened as a draft or not; ``closes`` is the issue as its repository calls it."""
    return _part(change, closes, draft=draft)


def updated(body: str, change: Change, *, closes: str, draft: bool) -> str:
    """``body`` with tinytown's part brought up to date, or added where there is none.

    ``draft`` says whether it is still the draft that tinytown opened. Nothing else is changed of a part that a person
    edited.
    """
    found = _PART.search(body)
    if found is None:
        return f"{body.rstrip()}\n\n{_part(change, closes, draft=draft)}".lstrip()
    if _mark(found["text"]) != found["mark"]:
        kept = f"<!-- tinytown:begin {found['mark']}{' draft' if draft else ''} -->\n{found['text']}\n{_END}"
        changed = kept if bool(found["draft"]) != draft else found[0]
    else:
        changed = _part(change, closes, draft=draft)
        if _text(changed) == _text(found[0]) and bool(found["draft"]) == draft:
            return body  # An editor may have changed the ends of its lines.
    return body[: found.start()] + changed + body[found.end() :]


def is_our_draft(body: str) -> bool:
    """Whether tinytown opened it as a draft, and has not taken it out of the drafts since."""
    found = _PART.search(body)
    return found is not None and bool(found["draft"])


def ready(body: str) -> str:
    """``body`` without the word that it is tinytown's own draft."""
    return _PART.sub(lambda found: found[0].replace(" draft -->", " -->", 1), body, count=1)


def _part(change: Change, closes: str, *, draft: bool) -> str:
    text = "\n\n".join(
        filter(None, (f"Closes {closes}" if closes else "", _calm(change.body), _waits(change.waits_for)))
    )
    return f"<!-- tinytown:begin {_mark(text)}{' draft' if draft else ''} -->\n{text}\n{_END}"


def _waits(names: tuple[str, ...]) -> str:
    listed = " and ".join(f"#{name}" for name in names)
    return f"It is merged after {listed}, which it builds on." if names else ""


def _calm(text: str) -> str:
    # No text from elsewhere may end tinytown's part, or hide anything in it.
    calm = text.replace("<!--", "&lt;!--").strip()
    return calm if len(calm) <= LIMIT else f"{calm[:LIMIT].rstrip()}…"


def _mark(text: str) -> str:
    return hashlib.sha256(_text(text).encode()).hexdigest()[:12]


def _text(text: str) -> str:
    """Without what an editor in a browser changes by itself."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
