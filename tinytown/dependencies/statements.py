"""What a passage states about the order of work: ``keyword [:] issues``, and lists below labels.

A keyword counts when a list of issues follows. The list ends at the first thing that is no issue, joint, remark in
parentheses or, after a label, title; then the sentence is judged. Every look back or ahead is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinytown.dependencies import labels
from tinytown.dependencies import words as w
from tinytown.dependencies.issue_lists import IssueList, ListReader
from tinytown.dependencies.judgement import Judge
from tinytown.dependencies.passages import Passage
from tinytown.dependencies.precedence import Precedence
from tinytown.dependencies.references import REF, Reference
from tinytown.dependencies.tokens import Prose

#: A longer passage is no label, in words.
LABEL: int = 14
#: A question that asks for what blocks this issue: "Is this issue blocked?"
_ASKED = frozenset("is this it the currently issue task ticket story still blocked".split())


@dataclass(frozen=True, slots=True)
class Statement:
    """This issue comes after these."""

    keyword: str
    #: Where the keyword begins in the passage.
    at: int
    #: The issues, each with its place in the passage.
    references: tuple[tuple[Reference, int], ...]


class Sentences:
    """The statements and the labels of one passage."""

    def __init__(self, passage: Passage) -> None:
        self._prose = Prose(passage)
        self._item = passage.item
        #: It looks like a label, whether or not it ends with a colon.
        self._is_title = bool(passage.heading) or passage.strong
        self._words = self._prose.words
        self._word = self._prose.word
        self._lists = ListReader(self._prose)
        self._judge = Judge(self._prose, self._lists)
        self._precedence = Precedence(self._prose, self._judge)

    @property
    def has_issue(self) -> bool:
        """Whether any issue is referred to."""
        return self._prose.has_issue

    def statements(self) -> Iterator[Statement]:
        """Every statement of an order, from left to right."""
        at = 0
        while at < len(self._words):
            found, at = self._read(at)
            if found is not None:
                yield found

    def _read(self, at: int) -> tuple[Statement | None, int]:
        """What is stated here, if anything, and where to read on."""
        word = self._words[at]
        if word == REF:
            return self._read_issue(at)
        if word in {":", "is", "are", "?"} and (listed := self._labelled(at)) is not None and listed.issues:
            return self._taken("comes first", at, listed), listed.issues[-1] + 1
        if word in w.PRONOUNS and (listed := self._precedence.named_before(at)) is not None:
            return self._taken("comes first", at, listed), at + 1
        if word == "yes" and (listed := self._answer(at)) is not None:
            return self._taken("blocked by", at, listed), listed.issues[-1] + 1
        if (keyword := self._prose.keyword(at)) is not None:
            return self._read_keyword(at, keyword)
        return None, at + 1

    def _read_issue(self, at: int) -> tuple[Statement | None, int]:
        subjects = self._lists.begin(at, label=False)
        first = subjects is not None and self._precedence.come_first(at, subjects)
        # From the end of the whole list, or a long one would be read from each of its issues.
        end = max([at, *(subjects.issues if subjects is not None else ())]) + 1
        return (self._statement("comes first", at, subjects) if first and subjects is not None else None), end

    def _read_keyword(self, at: int, keyword: tuple[int, str, w.Manner]) -> tuple[Statement | None, int]:
        end, name, manner = keyword
        listed = self._lists.after_keyword(end, manner) or self._judge.meant_by_pronoun(at, end, manner)
        if listed is None and manner is w.Manner.LABEL:
            listed = self._lists.unmarked(at, end)
        if listed is None:
            return None, end
        found: Statement | None = None
        if name != "need" and manner not in {w.Manner.BEFORE, w.Manner.UNTIL}:
            self._judge.take(listed)
        if self._judge.is_stated(at, name, manner, listed):
            found = self._taken(name, at, listed) if listed.issues else None
        elif name == "need":
            return None, end  # "we need first that #3 is done" is read from the issue
        elif (other := self._contrast(at, listed)) is not None:
            listed = other
            found = self._taken(name, at, listed)
        # A remark after the last issue may state another one: "(and after #4)".
        return found, max([end, *(issue + 1 for issue in listed.issues)])

    def _taken(self, keyword: str, at: int, listed: IssueList) -> Statement:
        self._judge.take(listed)
        return self._statement(keyword, at, listed)

    def _contrast(self, at: int, listed: IssueList) -> IssueList | None:
        """The issues after "but": "It doesn't depend on #3 but on #4"."""
        here = listed.end + 1 if self._word(listed.end) == "," else listed.end
        if self._word(here) != "but":
            return None
        start = self._prose.sentence_start(at)
        if not w.is_negated(self._words[self._prose.clause_start(start, at) : at]):
            return None
        other = self._lists.begin(here + 1, label=False)
        if other is None or (self._word(here + 1) == REF and self._word(other.end)[:1].isalpha()):
            return None  # "but #4 is affected"
        return other

    def _answer(self, at: int) -> IssueList | None:
        """The issues that answer a question: "Is this blocked by another issue? Yes, by #3"."""
        if self._word(at - 1) != "?":
            return None
        asked = range(self._prose.sentence_start(at - 1), at - 1)
        keywords = [found for i in asked if (found := self._prose.keyword(i)) is not None]
        asking = {w.Manner.DESCRIBED, w.Manner.ENCLOSED}
        if not any(manner in asking for _, _, manner in keywords):
            return None
        listed = self._lists.begin(self._prose.after_bullet(at), label=False)
        return listed if listed is not None and listed.issues else None

    def entry(self, keyword: str) -> list[Statement]:
        """What a list item or a paragraph below a label states: the lines that begin with an issue."""
        found: list[Statement] = []
        at = 0
        while at < len(self._words):
            begin = self._prose.after_bullet(at)
            listed = self._lists.begin(begin, label=True) or self._lists.titled(begin)
            if listed is not None:
                if listed.issues and not self._judge.is_aside(listed):
                    found.append(self._statement(keyword, at, listed))
                at = listed.end
            while at < len(self._words) and self._words[at] != "\n":
                at += 1
            at += 1
        return found

    def begins_with_issue(self) -> bool:
        """Whether the first words are an issue."""
        return self._lists.element(self._prose.after_bullet(0), described=False) is not None

    def heads_section(self) -> str | None:
        """The keyword, if the passage is a label below which issues are dependencies."""
        plain = [word for word in self._words if word[:1].isalpha()]
        if not plain or len(plain) > 14 or self._prose.has_issue:
            return None
        shown = [word for word in self._words if word not in {"\n", ")"}]
        if ":" in shown and shown.index(":") != len(shown) - 1:
            return None  # "Depends on: n/a"
        if self._is_first_label(plain):
            return "comes first"
        denied = any(word.endswith("n't") or word in w.NEGATIONS or word in w.HEDGES for word in plain)
        if denied or any(word in labels.NOT_SECTIONS for word in plain):
            return None
        if self._is_title and self._words[-1] == "?" and plain[-1] == "blocked" and _ASKED.issuperset(plain):
            return "blocked by"
        for at in range(len(self._words)):
            if (name := self._heading_keyword(at)) is not None:
                before = [word for word in self._words[:at] if word[:1].isalpha()]
                known = labels.BEFORE_SECTION | (labels.BEFORE_AFTER if name == "after" else frozenset())
                return name if all(word in known for word in before) else None
        return None

    def denies(self) -> bool:
        """Whether it says that there are none: "None", "n/a", "Depends on: -"."""
        at = self._prose.after_bullet(0)
        for here in range(at, min(at + 5, len(self._words))):
            if self._words[here] == ":":
                at = here + 1
        words = self._words[at : at + 3]
        return (
            words[:1] in ([word] for word in labels.DENIALS)
            or words == ["n", "/", "a"]
            or (bool(words) and all(word in w.DASHES for word in self._words[at:]))
        )

    def is_label(self) -> bool:
        """Whether the passage only announces what follows."""
        shown = [word for word in self._words if word != "\n"]
        return bool(shown) and len(shown) <= 14 and shown[-1] in labels.LABEL_SIGNS

    def is_other_section(self) -> bool:
        """Whether this heading, below one of dependencies, leads to something else."""
        return any(word in labels.NOT_SECTIONS for word in self._words)

    def is_aside(self) -> bool:
        """Whether it only says what else an issue is: "parent", "blocks"."""
        return labels.is_aside(self._words)

    def is_mute(self) -> bool:
        """Whether nothing below this heading is said about this issue."""
        plain = tuple(word for word in self._words if word[:1].isalpha())
        return plain in labels.MUTE or any(plain[: len(words)] == words for words in labels.MUTE_BEGINNINGS)

    def is_history(self) -> bool:
        """Whether this head of a column leads to what happened."""
        return len(self._words) == 1 and self._words[0] in labels.HISTORY_HEADS

    def _heading_keyword(self, at: int) -> str | None:
        keyword = self._prose.keyword(at)
        if keyword is None or keyword[2] in {w.Manner.UNTIL, w.Manner.BEFORE}:
            return None
        end, name, manner = keyword
        if self._is_title and self._word(end) == "this":  # "Blocked by this"
            return None
        if name in {"need", "requirements"} or manner is w.Manner.ENCLOSED:
            return None
        if manner is w.Manner.AFTER:
            # Alone or with a colon; "After the release" announces no issues.
            return name if self._word(end) in {"", ":", "\n"} else None
        return name

    def _is_first_label(self, plain: list[str]) -> bool:
        """Whether it announces what comes first: "These must be merged first:", "Before we can start:"."""
        asked = not self._item and self._words[-1] == "?" and plain[0] in {"what", "which"}
        if not asked and not self.is_label() and not (self._is_title and len(plain) > 1):
            return False
        return labels.announces_first(plain, asked=asked)

    def _labelled(self, at: int) -> IssueList | None:
        """The issues after such a label in the same line: "These must be merged first: #3"."""
        asked = self._words[at] == "?" and self._word(at + 1) == "\n"  # "What blocks this?", and below: "#3"
        start = self._prose.sentence_start(at)
        plain = [word for word in self._words[start:at] if word[:1].isalpha()]
        if not 1 < len(plain) <= LABEL or not labels.announces_first(plain, asked=asked):
            return None
        return self._lists.begin(at + 1 + asked, label=self._words[at] == ":")

    def _statement(self, keyword: str, at: int, listed: IssueList) -> Statement:
        found: list[tuple[Reference, int]] = []
        for issue in listed.issues:
            reference, place = self._prose.reference(issue), self._prose.starts[issue]
            found.append((reference, place))
            top = listed.ranges.get(issue, 0)
            found.extend(
                (Reference(reference.repo, number, reference.words), place)
                for number in range(reference.number + 1, top + 1)
            )
        return Statement(keyword, self._prose.starts[at], tuple(found))
