"""The text of one block of a body, and the special characters in it for what is not text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tinytown.dependencies.references import Reference

#: For something that ends every list of references: code with a reference in it.
GAP: Final = "\ue001"
#: For other code: a word without a meaning here.
CODE: Final = "\ue002"
#: A line break in the text that is not one of the body.
BREAK: Final = "\u2028"


@dataclass(frozen=True, slots=True)
class Passage:
    """The text of one block."""

    #: Plain text, a ``REF`` for each reference.
    text: str
    references: tuple[Reference, ...] = ()
    #: First line of it in the body, from 1.
    line: int = 1
    #: Depth of the block among lists; a list below a label is deeper than the label.
    level: int = 0
    #: 1 to 6 for a heading, else 0.
    heading: int = 0
    #: It is an item of a list.
    item: bool = False
    #: All of it is emphasised, as a label often is.
    strong: bool = False
    #: It is a horizontal rule.
    rule: bool = False
    #: Somebody else said it: it states nothing.
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first row is its head."""

    rows: tuple[tuple[Passage, ...], ...]
    level: int = 0
    quoted: bool = False
