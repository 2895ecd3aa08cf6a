"""Lists of issues as people write them: ``#1, #2 (why) and\\n#3``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tinytown.dependencies import labels
from tinytown.dependencies import words as w
from tinytown.dependencies.passages import CODE, GAP
from tinytown.dependencies.references import REF
from tinytown.dependencies.tokens import Prose

#: Longest description between a keyword and its issue, and longest title after an issue, in words.
DESCRIPTION: Final = 10
TITLE: Final = 16
#: Most issues that a range like ``#1-#5`` may name.
RANGE: Final = 50

_CLOSERS: Final = frozenset(")]\"'\u201d>")
_OPENERS: Final = frozenset("([\"'\u201c<")


@dataclass(slots=True)
class IssueList:
    """A list of issues: the words that are issues, where it ends, how it began."""

    issues: list[int]
    end: int
    #: It follows a label, so its issues may have titles.
    label: bool = False
    #: Its first issue ends a description, so others may too.
    described: bool = False
    #: Numbers up to which a range goes on, by word.
    ranges: dict[int, int] = field(default_factory=dict)


class ListReader:
    """Reads the lists of one passage."""

    def __init__(self, prose: Prose) -> None:
        self._prose = prose
        self._words = prose.words
        self._word = prose.word

    def after_keyword(self, at: int, manner: w.Manner) -> IssueList | None:
        """The list that follows a keyword."""
        label = False
        while self._word(at) in _CLOSERS:
            at += 1
        if self._word(at) == "(" and (close := self._prose.closing(at)) and self._word(close + 1) in labels.LABEL_SIGNS:
            at = close + 1
        if manner is w.Manner.LABEL and self._word(at) in {"for", "of", "to"} and self._word(at + 1) == "this":
            at += 3 if self._word(at + 2) in w.SELVES else 2  # "Blockers for this issue:"
        if manner is w.Manner.LABEL and (told := self._told_issue(at)):
            return self.begin(told, label=False)
        for _ in range(6):
            word = self._word(at)
            asked = word == "?" and manner is w.Manner.LABEL and self._word(at + 1) == REF
            if asked or word in labels.LABEL_SIGNS:
                label = True
            elif word not in w.DASHES and word not in w.BULLETS and word not in {"\n", ",", "*"}:
                break
            at += 1
        if (manner is w.Manner.LABEL and not label) or (manner is w.Manner.ENCLOSED and self._word(at) != "("):
            return None
        described = manner is w.Manner.DESCRIBED or label
        if manner in {w.Manner.AFTER, w.Manner.UNTIL, w.Manner.BEFORE} and not label:
            if self._words[at : at + 2] == ["we", "have"]:
                at += 2  # "possible once we have #3"
            # "Until the runner (#3) is there", "after the spike in #3", but no more loosely told.
            found = self.begin(at, label=False, described=True)
            told = found is None or not found.described or self._word(found.issues[0] - 1) in w.FROM | {"("}
            return found if told else None
        found = self.begin(at, label=label, described=described)
        if found is None and label and (after := self._after_things(at)):
            found = self.begin(after, label=True, described=True)
        return found

    def _told_issue(self, at: int) -> int:
        """Where the issues begin in "the blocker is #3", "two blockers, #3 and #4", "one blocker (#3)"; else 0."""
        here = next((i for i in range(at, at + 3) if self._word(i) not in w.BEHIND_TOLD), at)
        sign = self._word(here)
        return here + 1 if sign in {"is", "are", ",", "("} and self._word(here + 1) == REF else 0

    def unmarked(self, at: int, end: int) -> IssueList | None:
        """The list that fills a line after a label without a colon: "Dependencies #3 #4", "Dependency - #3"."""
        if at > 0 and self._prose.after_bullet(max(self._line_start(at), 0)) != at:
            return None
        begin = end + 1 if self._word(end) in w.DASHES else end
        found = self.begin(begin, label=False) if self._word(begin) == REF else None
        return found if found is not None and self._word(found.end) in {"", "\n", ".", ";"} else None

    def _line_start(self, at: int) -> int:
        here = at
        while here > max(at - 6, 0) and self._word(here - 1) != "\n":
            here -= 1
        return here

    def _after_things(self, at: int) -> int:
        """Where the things end that precede the first issue of a list: "Dependencies: schema freeze, #3"; else 0."""
        for here in range(at, at + 2 * DESCRIPTION):
            word = self._word(here)
            if word == "," and self._word(here + 1) == REF:
                return here + 1 if here > at else 0
            if word in w.NOT_DESCRIBING or not word[:1].isalnum():
                return 0
        return 0

    def begin(self, at: int, *, label: bool, described: bool = False) -> IssueList | None:
        """The list that begins here."""
        first = self.element(at, described=described)
        if first is None:
            return None
        issue, was_described = first
        found = IssueList([issue], issue + 1, label, was_described)
        depth = sum(self._words[i] == "(" for i in range(at, issue))
        while True:
            end, depth = self._after_issue(found, depth)
            following = self._next_issue(end, found)
            if following is None:
                found.end = max(found.end, end)
                break
            depth += sum(self._words[i] == "(" for i in range(end, following))
            found.issues.append(following)
            found.end = following + 1
        self._give_back_subject(found)
        return found

    def element(self, at: int, *, described: bool) -> tuple[int, bool] | None:
        """The issue that begins here, perhaps after fillers or at the end of a description."""
        here = at
        for _ in range(7):
            apart = self._word(here) == "," and here > at  # "requires both, #3 and #4"
            if self._word(here) not in w.FILLERS and self._word(here) != ":" and not apart:
                break
            here += 1
        if self._word(here) in {"no", "nr"} and self._word(here + 1) == "." and self._word(here + 2) == REF:
            return here + 2, False
        here = self._prose.after_box(here)
        for _ in range(3):
            if self._word(here) not in _OPENERS:
                break
            here += 1
        if self._word(here) == REF:
            return here, False
        return self._described(at) if described else None

    def _described(self, at: int) -> tuple[int, bool] | None:
        for here in range(at, at + DESCRIPTION + 1):
            word = self._word(here)
            if word == REF:
                before = self._word(here - 1)
                if before == "with" and w.SNAPSHOTS.intersection(self._words[at:here]):
                    return here, True  # "waiting for a release with #3"
                if before in {"for", "by"} and self._word(here - 2) in (w.REMEDIES if before == "for" else w.PROVIDED):
                    return here, True
                if before in w.NOT_BEFORE_ISSUE or before in w.ORDINALS:
                    return None
                return here, True
            if word in {":", "\u2192"} or (word == ">" and self._word(here - 1) == "-"):
                if "this" in self._words[max(here - 2, at) : here]:
                    return None  # "Blocked by this issue: #3"
                inner = self.element(here + 1, described=False)
                return (inner[0], True) if inner is not None else None
            if word == "(":
                inner = self.element(here + 1, described=False)
                return (inner[0], True) if inner is not None else None
            if (word in w.NOT_DESCRIBING and not (here > at and self._tells_origin(here))) or not (
                word[:1].isalnum() or word in {"-", "/", "'", '"', "@", CODE}
            ):
                return None
        return None

    def _tells_origin(self, at: int) -> bool:
        """Whether a description says that its subject comes from an issue: "added in #3", "that is built in #3"."""
        following = self._word(at + 1)
        if self._words[at] in {"that", "which"}:
            return following in w.ORIGIN_VERBS
        if self._word(at - 1) in {"that", "which"}:
            return self._words[at] in w.ORIGIN_VERBS
        return self._words[at] in w.PROVIDED and following in {"in", "by", "with", "as"}

    def titled(self, at: int) -> IssueList | None:
        """The list that ends a line, after a title: "Auth API (#3)", "Auth: #3", "Auth - see #3", "API from #3"."""
        for here in range(at, at + DESCRIPTION):
            word = self._word(here)
            if word == "(":
                found = self.begin(here, label=False) if here > at else None
                return found if found is not None and self._word(found.end) in {"", "\n", "."} else None
            if word == REF and here > at + 1:  # "Add the model #3"
                found = self.begin(here, label=False)
                told = self._word(here - 1) in w.NOT_BEFORE_ISSUE or self._word(here - 1) in w.ORDINALS
                return found if found is not None and not told and self._word(found.end) in {"", "\n", "."} else None
            parted = word == ":" or word in w.DASHES
            if parted and here > at:
                found = self.begin(here + 1 + (self._word(here + 1) == "see"), label=False)
                if found is not None:
                    return found if self._word(found.end) in {"", "\n", "."} else None
            if word in w.NOT_DESCRIBING or word in labels.NOT_SECTIONS or word in w.LINKS or word == "by":
                return None
        return None

    def _after_issue(self, found: IssueList, depth: int) -> tuple[int, int]:
        """Skip what belongs to the last issue: closing signs, a range, a remark in parentheses."""
        at = found.end
        last = found.issues[-1]
        while True:
            word = self._word(at)
            if word == ")" and depth > 0:
                depth -= 1
                at += 1
            elif word in _CLOSERS and word != ")" and self._prose.adjacent(at) and self._word(at + 1) != "s":
                at += 1
            elif (upto := self._range(at)) is not None:
                at = self._take_range(found, last, upto)
            elif word == "(" and (close := self._prose.closing(at)) is not None:
                self._read_remark(found, at + 1, close)
                at = close + 1
            elif (close := self._quoted_title(at)) is not None:
                at = close + 1
            else:
                return at, depth

    def _quoted_title(self, at: int) -> int | None:
        """Where a title ends that follows an issue in quotes or brackets."""
        closing = {"[": "]", '"': '"', "'": "'", "\u201c": "\u201d"}.get(self._word(at))
        if closing is None:
            return None
        for here in range(at + 1, at + TITLE):
            if self._word(here) == closing:
                return here if here > at + 1 else None
            if self._word(here) in {"", REF, "\n"}:
                return None
        return None

    def _range(self, at: int) -> int | None:
        """The word that ends a range which begins before ``at``."""
        word = self._word(at)
        if word in w.DASHES or word in {"through", "thru", "\u2026"}:
            here = at + 1
        elif word == "." and self._word(at + 1) == ".":
            here = at + 3 if self._word(at + 2) == "." else at + 2
        else:
            return None
        if self._word(here) == REF:
            return here
        if self._word(here).isdigit() and self._prose.adjacent(at) and self._prose.adjacent(here) and word in w.DASHES:
            return here if self._word(here + 1) not in w.DASHES else None
        return None

    def _take_range(self, found: IssueList, first: int, last: int) -> int:
        if self._words[last] == REF:
            found.issues.append(last)
            one, other = self._prose.reference(first), self._prose.reference(last)
            top = other.number if one.repo == other.repo else one.number
        else:
            one, top = self._prose.reference(first), int(self._words[last][:10])
        if one.number < top <= one.number + RANGE:
            found.ranges[first] = top
        return last + 1

    def _read_remark(self, found: IssueList, begin: int, close: int) -> None:
        inside = self._words[begin:close]
        if labels.has_phrase(inside, labels.ASIDE_PHRASES):
            del found.issues[-1:]
        elif inside and inside[0] in {"and", "also", "plus", "&", "+"}:
            for at in range(begin, close):
                if self._words[at] == REF:
                    found.issues.append(at)

    def _next_issue(self, at: int, found: IssueList) -> int | None:
        """The next issue of the list, if the list goes on."""
        if (following := self._joined(at, found)) is not None:
            return following
        if not found.label:
            return self._after_short_title(at, found)
        # Below a label an issue may carry its title: "#3 Schema, #4 - Tokens".
        here = at
        for _ in range(TITLE):
            word = self._word(here)
            if word in {",", ";", "\n"}:
                return self._joined(here, found)
            if word in {"", REF, GAP, ".", "?", "!", "("} or self._prose.keyword(here) is not None:
                return None
            here += 1
        return None

    def _after_short_title(self, at: int, found: IssueList) -> int | None:
        """The next issue of a list that gives each a title: "#3 - model, #4 - api", "#3 for tokens and #4 for keys"."""
        if self._word(at) not in w.DASHES and self._word(at) not in {":", "for"}:
            return None
        for here in range(at + 1, at + 7):
            if self._word(here) in {",", ";", "and"}:
                following = self._joined(here, found)
                return following if following is not None and self._word(following + 1) == self._word(at) else None
            if not self._word(here).isalnum():
                return None
        return None

    def _joined(self, at: int, found: IssueList) -> int | None:
        here = at
        joints: list[str] = []
        while self._word(here) in w.JOINTS or self._long_joint(here) or (found.label and self._is_bullet(here)):
            joints.append(self._words[here])
            here += self._long_joint(here) or 1
        element = self.element(here, described=found.described and bool(joints))
        if element is None:
            return None
        issue = element[0]
        if (
            joints
            and joints[0] == "\n"
            and set(joints) <= {"\n", *w.DASHES}
            and not self._ends_line(issue + 1, lenient=found.label)
        ):
            return None
        return issue

    def _is_bullet(self, at: int) -> bool:
        """Whether a sign before an issue marks an item: "Blocked by: • #3 • #4"."""
        word = self._word(at)
        return self._word(at + 1) == REF and (word in w.BULLETS or (word in w.DASHES and self._word(at - 1) == "\n"))

    def _long_joint(self, at: int) -> int:
        for joint in w.LONG_JOINTS:
            if tuple(self._words[at : at + len(joint)]) == joint:
                return len(joint)
        return 0

    def _ends_line(self, at: int, *, lenient: bool) -> bool:
        """Whether a line that begins with an issue only lists it, and is no sentence about it."""
        word = self._word(at)
        if word in {"", "\n", "(", ".", REF}:
            return True
        return lenient and not self._is_verb(at)

    def _is_verb(self, at: int) -> bool:
        word = self._word(at)
        return word in {"is", "was", "are", "were", "has", "had", "will", "can", "blocks", "must", "should"} or (
            self._prose.keyword(at) is not None
        )

    def _give_back_subject(self, found: IssueList) -> None:
        """In "after #3 and #4 depends on #5" the last issue begins another statement."""
        if len(found.issues) < 2:
            return
        at = found.end
        while self._word(at) in {"is", "are", "also", "a", "the", "only", "just"}:
            at += 1
        keyword = self._prose.keyword(at)
        begins = keyword is not None and keyword[2] in {w.Manner.DESCRIBED, w.Manner.PLAIN}
        begins = begins and keyword is not None and self._word(keyword[0]) != "to"  # "#3 and #4 need to land first"
        word = self._word(at)
        if begins or word in labels.ASIDES:
            found.end = found.issues.pop()
