"""Hidden marks in what tinytown writes at GitHub, by which it finds again what it wrote.

A mark is made from the town's own id, which is told to nobody: so none but tinytown can have written it first, and
nobody can keep tinytown from saying something by saying it before.
"""

from __future__ import annotations

import hashlib
import re

_ANY = re.compile(r"<!-- tinytown:[0-9a-f]{24} -->")


def mark(town: str, about: str) -> str:
    """The mark of what is said about something, e.g. a review of a commit: the same each time."""
    return f"<!-- tinytown:{hashlib.sha256(f'{town} {about}'.encode()).hexdigest()[:24]} -->"


def marked(text: str, found: str) -> str:
    """A text with its mark, which no text from elsewhere can hold."""
    return f"{text.replace('<!--', '&lt;!--').strip()}\n\n{found}"


def has_one(text: str) -> bool:
    """Whether there is a mark of tinytown in it."""
    return _ANY.search(text) is not None
