"""The words of a passage: split once, then read from any place; every search from there is bounded."""

from __future__ import annotations

import re
from typing import Final

from tinytown.dependencies import words as w
from tinytown.dependencies.passages import BREAK, CODE, GAP, Passage
from tinytown.dependencies.references import REF, Reference

#: How far a sentence is followed, in words.
REACH: Final = 60

_TOKEN = re.compile(rf"[{REF}{GAP}{CODE}]|[\n{BREAK}]|[^\W\d_]+(?:'[^\W\d_]+)?|[0-9]+|\S")


def _by_first_word() -> dict[str, list[w.Keyword]]:
    found: dict[str, list[w.Keyword]] = {}
    for keyword in sorted(w.KEYWORDS, key=lambda one: -len(one[0])):
        found.setdefault(keyword[0][0], []).append(keyword)
    return found


_KEYWORDS: Final = _by_first_word()
#: Last words of keywords, which an adverb may precede.
_LINKS: Final = frozenset({"on", "upon", "by", "because"})


class Prose:
    """The words of one passage, in lower case; each sign is a word, too."""

    def __init__(self, passage: Passage) -> None:
        self._references = passage.references
        self.words: list[str] = []
        #: Where each word begins in the passage.
        self.starts: list[int] = []
        self._ends: list[int] = []
        #: Whether it begins with a capital.
        self.capital: list[bool] = []
        self._ordinal: dict[int, int] = {}
        for found in _TOKEN.finditer(passage.text):
            word = found[0]
            if word == REF:
                self._ordinal[len(self.words)] = len(self._ordinal)
            self.starts.append(found.start())
            self.capital.append(word[:1].isupper())
            self._ends.append(found.end())
            word = word.lower()
            self.words.append("\n" if word == BREAK else w.SHORTENED.get(word, word))

    @property
    def has_issue(self) -> bool:
        """Whether any issue is referred to."""
        return bool(self._ordinal)

    def word(self, at: int) -> str:
        """The word at a place, empty beyond the ends."""
        return self.words[at] if 0 <= at < len(self.words) else ""

    def keyword(self, at: int) -> tuple[int, str, w.Manner] | None:
        """The keyword that begins here: where it ends, its name, its manner."""
        for parts, name, manner in _KEYWORDS.get(self.word(at), ()):
            end = at + 1
            for part in parts[1:]:
                if self.word(end) == "not" and self.word(end + 1) in w.NOT_NEGATING:
                    end += 2
                if self.word(end) in {"-", "_", "(", "\n"} or (part in _LINKS and self.word(end) in w.WITHIN):
                    end += 1
                if self.word(end) != part:
                    break
                end += 1
            else:
                return end, name, manner
        return None

    def adjacent(self, at: int) -> bool:
        """Whether no space stands before this word."""
        return at > 0 and self.starts[at] == self._ends[at - 1]

    def closing(self, at: int) -> int | None:
        """Where the parentheses that open here close."""
        depth = 0
        for here in range(at, min(at + REACH, len(self.words))):
            if self.words[here] == "(":
                depth += 1
            elif self.words[here] == ")":
                depth -= 1
                if not depth:
                    return here
        return None

    def after_bullet(self, at: int) -> int:
        """Skip a tick box, a bullet or a number in front of a line."""
        while self.word(at) in {"[", "]", "x", "-", "*", "\u2022", "\n", "and", "&", "+", "!", "/", "\u2190"}:
            at += 1
        if self.word(at) == "yes" and self.word(at + 1) in {",", ":", "-", "("}:  # the answer to a form
            at += 3 if self.word(at + 2) in _LINKS else 2
        return at

    def after_name(self, at: int) -> int:
        """Skip the name of whoever is addressed: "@bob does …"."""
        return at + 2 if self.word(at) == "@" else at

    def after_box(self, at: int) -> int:
        """Skip a tick box."""
        if self.word(at) != "[":
            return at
        close = at + 2 if self.word(at + 1) == "x" else at + 1
        return close + 1 if self.word(close) == "]" else at

    def ends_sentence(self, at: int) -> bool:
        """Whether a sentence ends with this sign."""
        word = self.words[at]
        if word in w.STATEMENT_SIGNS:
            return True
        if word == "\n":
            following = self.word(at + 1)
            return not (following[:1].isalpha() and not self.capital[at + 1]) and following not in {"(", "?"}
        if word not in {".", "!", "?"}:
            return False
        if at + 1 < len(self.words) and self.adjacent(at + 1) and self.words[at + 1] != "\n":
            return False
        # "e.g. depends on": a point behind one letter or an abbreviation ends nothing.
        before = self.word(at - 1)
        short = (len(before) == 1 and before.isalpha()) or before in {"etc", "vs", "cf", "approx"}
        return word != "." or not short

    def sentence_start(self, at: int) -> int:
        """The first word of the sentence."""
        for here in range(at - 1, max(at - REACH, 0) - 1, -1):
            if self.ends_sentence(here):
                return here + 1
        return max(at - REACH, 0)

    def clause_start(self, start: int, at: int) -> int:
        """The first word of the clause, in a sentence that begins at ``start``."""
        clause = start
        outer: list[int] = []
        for here in range(start, at):
            word = self.words[here]
            if word == "(":
                outer.append(clause)
                clause = here + 1
            elif word == ")" and outer:
                clause = outer.pop()
            elif word in w.CLAUSE_SIGNS or word in w.CLAUSE_WORDS or (word in {"-", "/"} and not self.adjacent(here)):
                clause = here + 1
        return clause

    def reference(self, at: int) -> Reference:
        """The issue at a place."""
        return self._references[self._ordinal[at]]
