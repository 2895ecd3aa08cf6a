"""Which of the words that are known somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable

#: How alike two words must be, from 0 to 1, unless somebody says otherwise: the standard library's own measure.
ALIKE = 0.6


def nearest(word: str, known: Iterable[str], *, count: int = 1, alike: float = ALIKE) -> list[str]:
    """The known words that are most like ``word``, the most alike first; at most so many, none that is less alike."""
    # Only here: half a megabyte of each process, for something that is only said when somebody mistyped.
    import difflib

    return difflib.get_close_matches(word, list(known), n=count, cutoff=alike)
