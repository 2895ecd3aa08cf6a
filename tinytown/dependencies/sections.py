"""The dependencies that the body of an issue states.

``parse_dependencies`` reads "depends on", "blocked by", "requires", "after" and their kin with the issues that
follow, and the lists below headings and labels such as "Dependencies" or "Blocked by". Code, quotes, comments and
struck text state nothing, nor do negations, questions, guesses, stories, sentences about other issues, "blocks #4",
parents and checklists without a label. A ticked box states what an open one states. Precision comes first: a
dependency that was invented can stop a mission, one that was missed can be added by the manifest.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tinytown.dependencies import markdown
from tinytown.dependencies.passages import Passage, Table
from tinytown.dependencies.references import REF, Reference
from tinytown.dependencies.statements import Sentences, Statement
from tinytown.keys import LOCAL

#: Dependencies of one body that are read.
DEPENDENCY_LIMIT: Final = 200
#: Longest quotation of the words that state a dependency.
TEXT_LIMIT: Final = 120

#: Begins the name of a repository whose issues are files.
_LOCAL: Final = f"{LOCAL}/"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


@dataclass(frozen=True)
class Dependency:
    """An issue that a body says comes first; ``str`` gives its key."""

    repo: str
    number: int
    #: Line of the body that names it, from 1.
    line: int
    #: The words that state it, shortened, without control characters.
    text: str
    #: The marker: ``depends on``, ``after``, ``dependencies``, …
    keyword: str

    def __str__(self) -> str:
        return f"{self.repo}#{self.number}"


@dataclass(frozen=True)
class Mention:
    """An issue that a body names, whatever it says of it; ``str`` gives its key."""

    repo: str
    number: int
    #: Line of the body that names it, from 1.
    line: int
    #: That line, shortened, without control characters.
    text: str

    def __str__(self) -> str:
        return f"{self.repo}#{self.number}"


@dataclass(frozen=True)
class Reading:
    """What a body says about other issues."""

    dependencies: list[Dependency]
    #: Every issue that it names in its prose, quotes too, by line; none from code, comments and struck text.
    mentions: list[Mention]


def parse_dependencies(body: str, repo: str) -> list[Dependency]:
    """What ``body``, an issue of ``repo``, says it depends on: in order, each once, 200 at most.

    ``#3`` is an issue of ``repo``; ``owner/repo#3`` and URLs keep their own. Takes time linear in the body, of
    which the first 256 KB are read, and raises nothing whatever it is.
    """
    return read_body(body, repo).dependencies


def read_body(body: str, repo: str) -> Reading:
    """``parse_dependencies``, and what else ``body`` names: each issue once a line, 2,000 at most."""
    lines = markdown.source_lines(body)
    if not lines:
        return Reading([], [])
    passages = list(markdown.passages(lines))
    stated = (passage for passage in passages if not passage.quoted)
    return Reading(_dependencies(lines, stated, repo), _mentions(lines, passages, repo))


def _dependencies(lines: Sequence[str], passages: Iterator[Passage | Table], repo: str) -> list[Dependency]:
    found: dict[str, Dependency] = {}
    for passage, statement in _Sections().read(passages):
        for reference, place in statement.references:
            home = _home(reference, repo)
            key = f"{home}#{reference.number}".lower()
            if home and key not in found:
                line, text = _where(lines, passage, statement.at, place, reference.words)
                found[key] = Dependency(home, reference.number, line, text, statement.keyword)
            if len(found) >= DEPENDENCY_LIMIT:
                return list(found.values())
    return list(found.values())


def _mentions(lines: Sequence[str], passages: Iterable[Passage | Table], repo: str) -> list[Mention]:
    cells = (one.rows if isinstance(one, Table) else ((one,),) for one in passages)
    found: dict[tuple[str, int], Mention] = {}
    for passage in itertools.chain.from_iterable(itertools.chain.from_iterable(cells)):
        places = (sign.start() for sign in re.finditer(REF, passage.text))
        for reference, place in zip(passage.references, places, strict=False):
            home = _home(reference, repo)
            if home:
                line, text = _where(lines, passage, place, place, reference.words)
                mention = Mention(home, reference.number, line, text)
                found.setdefault((str(mention).lower(), line), mention)
    return list(found.values())


def _home(reference: Reference, repo: str) -> str:
    """The repository of an issue that a body of ``repo`` names; empty where its words mean no issue."""
    if reference.file and not repo.startswith(_LOCAL):
        return ""
    return reference.repo if reference.repo and reference.repo.lower() != repo.lower() else repo


def _where(lines: Sequence[str], passage: Passage, at: int, place: int, words: str) -> tuple[int, str]:
    """The line of an issue, and what is said there and where the statement begins at ``at``."""
    first, counted = (min(passage.line + passage.text.count("\n", 0, offset), len(lines)) for offset in (at, place))
    wanted = words.strip().partition("\n")[0]
    # Code that goes over lines hides line breaks, so the words are looked for.
    later = range(counted, min(counted + 20, len(lines)) + 1)
    line = next((number for number in later if wanted in lines[number - 1]), counted)
    first += line - counted
    said = _quoted(lines[line - 1], wanted)
    return line, said if line <= first else _shortened(f"{_quoted(lines[first - 1])} … {said}")


def _quoted(line: str, words: str = "") -> str:
    """A line without control characters; of a long one what stands around the words."""
    begin = 0
    if len(line) > 2 * TEXT_LIMIT:
        begin = max(line.find(words) - TEXT_LIMIT // 2, 0)
        line = line[begin : begin + 2 * TEXT_LIMIT]
    return _shortened(("…" if begin else "") + " ".join(_CONTROLS.sub(" ", line).split()))


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1].rstrip() + "…"


def _parts(passage: Passage | Table) -> list[Passage | Table]:
    """The passage without its last line, and that line, if it is a label of what follows.

    Markdown makes "Blocks:" a part of the item above it where no blank line stands between.
    """
    if isinstance(passage, Table) or passage.heading:
        return [passage]
    text = passage.text.rstrip()
    above, line_break, last = text.rpartition("\n")
    if not line_break or REF in last or len(last) > markdown.LABEL_LIMIT:
        return [passage]
    line = passage.line + text.count("\n")
    label = Passage(last, line=line, level=max(passage.level - 2 * passage.item, 0))
    sentences = Sentences(label)
    alone = passage.item and len(last.split()) < 4 and (sentences.is_other_section() or sentences.heads_section())
    if not sentences.is_label() and not alone:
        return [passage]
    return [replace(passage, text=above), replace(label, strong=True)]


@dataclass(slots=True)
class _Scope:
    """What a label or a heading says about the passages below it."""

    #: Depth of the label; -1 for a heading.
    level: int
    #: Keyword under which issues are listed; ``None`` where they are something else.
    keyword: str | None
    #: Nothing at all is stated here.
    mute: bool = False


class _Sections:
    """Follows headings and labels through a body."""

    def __init__(self) -> None:
        self._scopes: list[_Scope] = []
        #: Level of the heading that opened the section, 1 to 6.
        self._heading = 0

    def read(self, passages: Iterator[Passage | Table]) -> Iterator[tuple[Passage, Statement]]:
        """Every statement with the passage it stands in."""
        for passage in itertools.chain.from_iterable(map(_parts, passages)):
            if isinstance(passage, Table):
                yield from self._read_table(passage)
                continue
            if passage.rule and not self._mute:
                self._scopes.clear()
            sentences = Sentences(passage)
            if passage.heading:
                self._enter_section(passage, sentences)
            elif not self._enter_label(passage, sentences):
                yield from ((passage, one) for one in self._entries(sentences))
            if sentences.has_issue and not self._mute:
                yield from ((passage, one) for one in sentences.statements())

    @property
    def _mute(self) -> bool:
        return any(scope.mute for scope in self._scopes)

    @property
    def _keyword(self) -> str | None:
        return self._scopes[-1].keyword if self._scopes else None

    def _enter_section(self, passage: Passage, sentences: Sentences) -> None:
        deeper = bool(self._scopes) and passage.heading > self._heading > 0
        keyword = sentences.heads_section()
        mute = sentences.is_mute()
        if deeper and keyword is None and not mute:
            # A part of the section, unless it says otherwise.
            kept = self._scopes[0]
            self._scopes = [kept, _Scope(-1, None if sentences.is_other_section() else kept.keyword)]
            return
        self._scopes = [_Scope(-1, keyword, mute)]
        self._heading = passage.heading

    def _enter_label(self, passage: Passage, sentences: Sentences) -> bool:
        """Open the scope of a label, or close the scopes that this passage ends."""
        while self._scopes and self._scopes[-1].level > passage.level:
            self._scopes.pop()
        if self._scopes and self._scopes[-1].keyword is not None and sentences.denies():
            self._scopes[-1].keyword = None
            return False
        if self._scopes and self._scopes[-1].mute and self._scopes[-1].level == passage.level:
            # Only the list right below a label is mute.
            self._scopes.pop()
        keyword = sentences.heads_section()
        title = passage.strong or (sentences.is_mute() and not passage.item)
        label = sentences.is_label() or (title and not sentences.has_issue)
        if keyword is not None or label:
            if self._scopes and self._scopes[-1].level == passage.level:
                self._scopes.pop()
            self._scopes.append(_Scope(passage.level, keyword, mute=label and sentences.is_mute()))
            return True
        if self._scopes and self._scopes[-1].level == passage.level and not self._goes_on(sentences):
            self._scopes.pop()
        return False

    def _goes_on(self, sentences: Sentences) -> bool:
        return self._keyword is None or sentences.begins_with_issue()

    def _entries(self, sentences: Sentences) -> list[Statement]:
        keyword = self._keyword
        if keyword is None or self._mute or not sentences.has_issue:
            return []
        return sentences.entry(keyword)

    def _read_table(self, table: Table) -> Iterator[tuple[Passage, Statement]]:
        if self._mute or not table.rows:
            return
        heads = [Sentences(cell) for cell in table.rows[0]]
        keywords = [head.heads_section() for head in heads]
        if not any(keywords) and any(head.is_history() for head in heads):
            return
        # In a section of dependencies each row is one, unless a column says what it waits for.
        section = None if any(keywords) or any(head.is_other_section() for head in heads) else self._keyword
        for number, row in enumerate(table.rows):
            cells = [Sentences(cell) for cell in row]
            label = cells[0].heads_section() if cells else None
            # "| #3 | blocked by |"
            relation = next((found for one in cells[1:] if number and (found := one.heads_section())), None)
            listed = False
            for column, (cell, sentences) in enumerate(zip(row, cells, strict=True)):
                if not sentences.has_issue or (listed and not label):
                    # What stands behind an issue of the row is said about that one.
                    continue
                listed = True
                keyword = (label if column else relation) or (keywords[column] if number else None)
                if section and number and not any(one.is_aside() for one in cells):
                    keyword = keyword or section
                if keyword:
                    yield from ((cell, one) for one in sentences.entry(keyword))
                yield from ((cell, one) for one in sentences.statements())
