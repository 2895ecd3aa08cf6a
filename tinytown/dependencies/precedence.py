"""Issues that are said to come first: "#3 must land first", "finish #3 before this", "#3 blocks this"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tinytown.dependencies import words as w
from tinytown.dependencies.issue_lists import IssueList
from tinytown.dependencies.judgement import Judge
from tinytown.dependencies.references import REF
from tinytown.dependencies.tokens import Prose

#: "Finish #3 first": what is to be done with an issue that comes first.
FINISH: Final = frozenset(
    "need needs do get have finish complete merge land implement fix resolve close ship deploy release solve".split()
)
#: Words that may come before that verb.
BEFORE_FINISH: Final = frozenset(
    "pls we i you one to must should need needs have has had let's lets let us please necessary it is first will first "
    "so then and better important required also really definitely someone somebody this for doing think "
    "believe guess suggest propose prefer makes sense would like".split()
)
#: Before a sentence about an issue that comes first.
LEAD_INS: Final = frozenset("because but as since and so also currently unfortunately right now note that then".split())


def is_preparing(said: Sequence[str]) -> bool:
    """Whether these words say "first", or "before this"."""
    return (
        "first" in said[:4]
        or said[-1:] in (["before"], ["beforehand"], ["upfront"])
        or any(
            said[i] == "before" and (bool(_THIS.intersection(said[i + 1 : i + 5])) or said[i + 1].endswith("ing"))
            for i in range(len(said) - 1)
        )
    )


def comes_first(said: Sequence[str]) -> bool:
    """Whether these words after an issue say that it comes before this one."""
    plain = [word for word in said if word not in _PADDING]
    if plain[:1] in (["blocks"], ["block"], ["blocking"]):
        return plain[1:2] in (["this"], ["us"], ["me"])
    if plain[:1] and plain[0] in _NEEDED:
        if plain[1:] == ["here"] or plain in (["required"], ["needed"], ["necessary"]):
            return True
        return plain[1:3] in ([link, this] for link in ("for", "of", "to") for this in ("this", "it", "us")) or (
            plain[0] in {"required", "needed", "necessary"} and (is_preparing(plain))
        )
    if plain[:2] in (["comes", "first"], ["goes", "first"]):
        return plain[-1] in {"first", "then", "please"}
    return ("first" in plain or is_preparing(plain)) and must_be_finished(plain)


def must_be_finished(said: Sequence[str]) -> bool:
    """Whether these words after an issue say that it must be done."""
    if said[:1] in (["has"], ["have"]) and said[1:2] != ["to"]:
        return False
    return bool(said) and said[0] in _DUTIES and bool(w.FINISHING.intersection(said))


def must_come_first(said: Sequence[str]) -> bool:
    """Whether they say so with a verb, whatever stands before the issue."""
    return comes_first(said) and said[0] in _DUTIES | {"blocks", "is", "are"}


def is_prefaced(said: Sequence[str]) -> bool:
    """Whether these words say "before this …," or "prior to that,"."""
    end = next((i for i, word in enumerate(said) if word in {",", ":"}), 0)
    preface = said[:end]
    if said[:1] not in (["before"], ["prior"]):
        return False
    return any(word in _THIS for word in preface)


#: After "before": this issue, or those who work on it.
_THIS: Final = frozenset({"this", "we", "i", "it", "you"})
_NEEDED: Final = frozenset(
    "prerequisite prerequisites precondition preconditions dependency dependencies blocker blockers required "
    "requirement requirements precursor prereq needed necessary".split()
)
_DUTIES: Final = frozenset({"must", "needs", "need", "has", "have", "should"})
_FIRST_OF_ALL: Final = _DUTIES | {"first", "be", "to", "is", "so", "then"}
_PADDING: Final = frozenset({"is", "are", "currently", "still", "also", "a", "an", "the", "hard", "strict", "really"})


class Precedence:
    """Finds them in one passage."""

    def __init__(self, prose: Prose, judge: Judge) -> None:
        self._prose = prose
        self._judge = judge
        self._words = prose.words
        self._word = prose.word

    def come_first(self, at: int, listed: IssueList) -> bool:
        """Whether the list at ``at`` is said to come first: "#3 blocks this", "#3 must be merged first"."""
        start = self._prose.sentence_start(at)
        before = self._words[start:at]
        clause = self._words[self._prose.clause_start(start, at) : at]
        alone = REF not in before
        # "Step 1 (#3) must be finished first": the issue names what comes before it.
        end = listed.end + 1 if self._word(at - 1) == "(" and self._word(listed.end) == ")" else listed.end
        relative = self._relative(end)
        said = self._said(relative or end)
        remarked = [issue for issue in listed.issues if self._word(issue + 1) == "(" and self._is_remark(issue + 2)]
        if remarked:  # "Related: #3 (must be merged first)"
            listed.issues[:] = remarked
            self._judge.take(listed)
            return True
        if self._word(at - 1) == "with" and "only" in clause and alone and said[:1] in (["merged"], ["done"], ["in"]):
            self._judge.take(listed)  # "It will only work with #3 merged"
            return not w.is_negated(clause)
        if self._word(at - 1) in {"or", "nor"} or "either" in before:
            return False
        if alone and must_come_first(said):
            first = comes_first(said) and alone
        elif alone and is_prefaced(before):  # "Before we start, finish #3"
            first = must_be_finished(said) or self._is_ordered(clause, ["first"])
        elif alone and (must_be_finished(said) or clause == ["do"]) and self._is_followed(end + len(said)):
            first = True
        else:
            if comes_first(said) and (alone and said[0] != "first"):
                before = clause
            first = (comes_first(said) and self._only_leads(before)) or self._is_counted_first(before, said, end)
            # "It consumes tokens (#3 must be done)".
            enclosed = self._word(at - 1) == "(" and said[:1] != ["should"] and must_be_finished(said)
            first = first or (enclosed and self._word(end + len(said)) == ")")
            first = first or self._is_ordered(clause if alone else before, said)
        if not first or not listed.issues or self._judge.is_taken_back(end):
            return False
        if w.is_negated([*(clause if alone else before), *said]):
            return False
        if w.HEDGES.intersection(before) or w.CONDITIONS.intersection(before):
            return False
        if "if" in said and not w.POLITE.intersection(said):  # "merge #3 first if you want"
            return False
        self._judge.take(listed)
        return True

    def named_before(self, at: int) -> IssueList | None:
        """The issue that a pronoun says comes first: "See #3. That must land first", "merge that first"."""
        said = self._said(at + 1)
        if not said or said[0] not in _DUTIES | {"first"}:
            return None
        start = self._prose.sentence_start(at)
        clause = self._words[self._prose.clause_start(start, at) : at]
        subject = self._words[at] != "it" and comes_first(said) and said[0] in _DUTIES
        subject = subject and not any(word[:1].isalpha() and word not in w.CLAUSE_WORDS for word in clause)
        if not subject and not (said[:1] == ["first"] and self._is_ordered(clause, said)):
            return None
        sentence = self._words[start:at]
        if w.is_negated([*clause, *said]) or self._judge.is_taken_back(at + 1):
            return None
        if w.HEDGES.intersection(clause) or w.CONDITIONS.intersection(sentence):
            return None
        return self._judge.last_named(at, self._prose.sentence_start(start - 1) if start else 0)

    def _is_remark(self, at: int) -> bool:
        """Whether the parentheses that open before this say that the issue comes first."""
        said = self._said(at)
        return (
            self._word(at + len(said)) == ")"
            and not w.is_negated(said)
            and (
                (said[:2] == ["must", "be"] and must_be_finished(said[:3]) and not said[3:])
                or (bool(said) and comes_first(said) and said[0] in _DUTIES)
            )
        )

    def _is_followed(self, at: int) -> bool:
        """Whether ", then this" follows."""
        while self._word(at) in {",", ";", "and"}:
            at += 1
        return self._word(at) == "then" and self._word(at + 1) in _THIS

    def _relative(self, at: int) -> int:
        """After ", which": where what is said about the issue before it begins; else 0."""
        here = at + 1 if self._word(at) == "," else at
        told = self._word(at - 2) in {"is", "are", "in"}
        return here + 1 if told and self._word(here) in {"and", "it", "they", "that"} else 0

    def _said(self, at: int) -> list[str]:
        said: list[str] = []
        while self._word(at)[:1].isalpha() and len(said) < 9:
            said.append(self._words[at])
            at += 1
        if self._word(at) == REF:
            said.append(REF)  # "#3 must be done before #4"
        return said

    def _only_leads(self, before: Sequence[str]) -> bool:
        known = (w.LEADS, w.FILLERS, LEAD_INS)
        return all(not word[:1].isalpha() or any(word in words for words in known) for word in before)

    def _is_ordered(self, before: Sequence[str], said: Sequence[str]) -> bool:
        """ "Finish #3 first", "we need #3 before we start", "first do #3"."""
        plain = [word for word in before if word[:1].isalpha()]
        firstly = "first" in plain
        prefaced = plain[:1] in (["to"], ["for"])
        if prefaced and "we" in plain:  # "To do it properly we first have to finish #3"
            plain = plain[plain.index("we") :]
        purpose = plain[:1] == ["to"]
        if purpose and not w.TELLERS.intersection(plain) and "you" not in plain:
            plain = plain[-1:]  # "To avoid conflicts merge #3 first"
        while (
            plain and plain[-1] not in FINISH and any(plain[-1] in words for words in (w.LEADS, w.FILLERS, {"first"}))
        ):
            plain.pop()
        if not plain or plain.pop() not in FINISH or not all(word in BEFORE_FINISH for word in plain):
            return False
        needed = bool({"need", "needs", "must"}.intersection(plain)) and said[:1] in (
            ["done"],
            ["merged"],
            ["finished"],
        )
        return is_preparing(said) or firstly or needed

    def _is_counted_first(self, before: Sequence[str], said: Sequence[str], end: int) -> bool:
        """ "First #3, then this", "Plan: #3, then this", "#3 → this"."""
        plain = [word for word in before if word[:1].isalpha()]
        if "first" in plain and plain[-1] in w.FINISHING and not said and _FIRST_OF_ALL.issuperset(plain[:-1]):
            return "first" in plain[:-1] and bool(_DUTIES.intersection(plain))  # "First must be finished #3"
        if plain == ["first"] and "then" in self._words[end : end + 2]:
            return True
        following = self._words[end + len(said) : end + 5]
        if before[-1:] == [":"] and "this" in following and (said == ["first"] or (not said and "then" in following)):
            return True  # "We have a plan: #3 first, then this"
        here = end + 1 if self._word(end) in w.FINISHES else end  # "#3 lands, then this"
        end = here
        while here < end + 4 and self._word(here) in {",", "then", "and", "\u2192", ">", "-"}:
            here += 1
        arrow = (not plain or before[1:] == [":"]) and bool({"\u2192", ">"}.intersection(self._words[end:here]))
        then = (not plain or before[1:] == [":"]) and "then" in self._words[end:here]
        return here > end and self._word(here) == "this" and (arrow or then)
