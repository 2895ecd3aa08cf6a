"""Text from outside as data: between two lines that it cannot contain, with every character visible."""

from __future__ import annotations

from collections.abc import Mapping

from tinytown import characters

#: Bytes of one outside text.
TEXT_LIMIT = 16_000
#: Bytes of one comment, of what a dependency said, and of its list of files.
SHORT_LIMIT = 4_000
#: Bytes of all comments, of all that dependencies said, and of all their lists of files.
KIND_LIMIT = 24_000
#: Kinds of characters that are named for one text.
_KINDS = 12
#: What is said of characters that are not plain.
NOT_PLAIN = (
    "Nobody sees these, or they change what is seen, so they are shown by number and name between `⟨` and `⟩`. Some "
    "languages end a line, and so a comment, at U+000B, U+000C, U+000D, U+0085, U+2028 or U+2029. Ask why."
)
#: The same for letters.
ALIKE = (
    "In each stands a letter of another script that looks like a Latin one, so it is another word than it seems: "
    "another variable, another host. Ask why."
)


def plain(text: str, *, code: bool = False) -> str:
    """``text`` with each character made visible that is invisible, or that moves what is seen.

    In ``code`` that is all of them; in prose, what makes an emoji or joins letters stays.
    """
    return characters.shown(text, prose=not code)


def told(counts: Mapping[str, int]) -> str:
    """Which characters are in a text, and how often."""
    parts = [f"{number} of {name}" for name, number in list(counts.items())[:_KINDS]]
    return ", ".join(parts) + (f" and {len(counts) - _KINDS} more" if len(counts) > _KINDS else "")


def fenced(what: str, text: str, fence: str, *, limit: int = TEXT_LIMIT, code: bool = False) -> str:
    """``text`` between two lines that it cannot contain, cut to ``limit`` with what was cut said."""
    body = plain(text, code=code)
    while fence in body:  # When one is removed, the text around it may form another.
        body = body.replace(fence, "")
    return f"{opening(what, fence)}\n{cut(body, limit).rstrip()}\n{fence} {what}>>>"


def in_bytes(text: str) -> int:
    """Bytes of ``text``, as a file or an argument holds it."""
    return len(text.encode())


def cut(text: str, limit: int) -> str:
    """As many whole characters of ``text`` as ``limit`` bytes hold, with what was cut said."""
    data = text.encode()
    if len(data) <= limit:
        return text
    head = data[:limit].decode(errors="ignore")
    return f"{head}\n[… {len(data) - in_bytes(head)} more bytes were cut here]"


def opening(what: str, fence: str) -> str:
    """The line before a text."""
    return f"<<<{what} {fence}"


def share(number: int) -> int:
    """Bytes that each of so many short texts of a kind gets."""
    return min(SHORT_LIMIT, KIND_LIMIT // max(number, 1))


def line(text: str) -> str:
    """``text`` as one line."""
    return " ".join(plain(text).split())


def calm(text: str) -> str:
    """Words that may be an agent's, in a sentence of the town: one line, and nothing in it looks like our commands."""
    return line(text).replace("`", "'")


def quoted(text: str, *, limit: int = SHORT_LIMIT) -> str:
    """An agent's own words in a sentence of the town: they begin and end where the quotation marks are."""
    words = calm(text).replace("“", "'").replace("”", "'")
    return f"“{words if len(words) <= limit else f'{words[:limit]}…'}”"
