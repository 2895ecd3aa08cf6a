"""Whether words of time mean that this issue waits: "not before #3", "until #3 lands we cannot start", "after #3".

They tell stories as often as they give orders: "broke after #3", "keep the flag until #3 is done".
"""

from __future__ import annotations

from collections.abc import Sequence

from tinytown.dependencies import words as w
from tinytown.dependencies.issue_lists import IssueList
from tinytown.dependencies.passages import CODE
from tinytown.dependencies.references import REF
from tinytown.dependencies.tokens import REACH, Prose


class Timing:
    """Judges the words of time of one passage."""

    def __init__(self, prose: Prose) -> None:
        self._prose = prose
        self._words = prose.words
        self._word = prose.word

    def waits(self, at: int, clause: int, manner: w.Manner, listed: IssueList) -> bool:
        """Whether "before #3", "without #3", "until #3", "once #3" say that this issue waits."""
        before = self._words[clause:at]
        if manner is w.Manner.UNTIL and self._word(listed.end) in w.PAST_AFTER | {"'"}:
            return False  # "I was stuck until #3 was fixed", "blocked while #3's dialog is open"
        if manner is w.Manner.UNTIL and not before and self._is_start_date(at, listed.end):
            return True
        negated = w.is_negated([word for word in before if word != "unblocked"])
        keyword = self._words[at]
        if not before and keyword in w.OPEN_ENDED and self._main_clause_waits(listed.end):
            return True
        if manner is w.Manner.BEFORE:
            return _is_forbidden(before)
        if keyword == "behind":
            return not negated and bool((w.WAITING | {"sits", "sit"}).intersection(before))
        if keyword == "while" or (keyword == "as" and self._word(at + 1) == "long"):
            denied = not before and keyword == "as" and self._rest_denies_start(listed.end)
            return denied or bool((w.STARTING if negated else w.TO_WAIT).intersection(before))
        if keyword in {"once", "as", "when"}:
            if not before and (self._opens_work(listed.end) or self._is_all(at, listed.end)):
                return True
            if _may_begin(before) and not negated and (self._finish(listed.end) or self._is_had(listed)):
                return True
        if negated and w.TO_WAIT.intersection(before):
            return False
        return (negated or bool(w.WAITING.intersection(before))) and not w.NOT_WAITING.intersection(before)

    def _is_all(self, at: int, end: int) -> bool:
        """Whether "when #3 is done" is all that the sentence says."""
        finish = self._finish(end)
        ended = finish and (not self._word(finish) or self._prose.ends_sentence(finish)) and self._word(finish) != "?"
        return bool(ended) and self._prose.after_bullet(self._prose.sentence_start(at)) == at

    def _is_had(self, listed: IssueList) -> bool:
        """ "Once we have #3"."""
        return bool(listed.issues) and self._word(listed.issues[0] - 1) == "have"

    def _is_start_date(self, at: int, end: int) -> bool:
        """Whether it follows a label for the start: "Start date: when #3 is done"."""
        label = self._words[self._prose.sentence_start(at) : at]
        known = label[-1:] == [":"] and bool(w.STARTING_LABEL.intersection(label))
        return known and bool(self._finish(end)) and not w.is_negated(label)

    def _main_clause_waits(self, at: int) -> bool:
        """Whether "we cannot continue" follows, or "this is blocked", or "do not merge"."""
        said = [word for word in self._rest(self._finish(at) or at) if word[:1].isalpha()]
        if said[:1] not in (["this"], ["we"], ["i"], ["do"], ["don't"], ["please"], ["nobody"]):
            return False
        if w.is_negated(said[:6]):
            work = w.STARTING | w.BEGINNING | (w.DOING if "this" in said else frozenset())
            return bool(work.intersection(said)) and not w.NOT_WAITING.intersection(said)
        return bool(w.TO_WAIT.intersection(said[:6]))

    def _rest_denies_start(self, at: int) -> bool:
        """Whether ", there is no point in starting" follows."""
        said = self._rest(at)
        main = said[said.index(",") + 1 :] if "," in said else []
        return w.is_negated(main) and bool((w.STARTING | w.BEGINNING).intersection(main))

    def _rest(self, at: int) -> list[str]:
        """The words up to the end of the sentence."""
        said: list[str] = []
        while self._word(at) and len(said) < REACH and not self._prose.ends_sentence(at):
            said.append(self._words[at])
            at += 1
        return said

    def _finish(self, at: int) -> int:
        """Where "is merged" or "lands" ends; 0 if neither is here."""
        if self._word(at) in w.FINISHES:
            return at + 1
        here = at
        while self._word(here) in {"is", "are", "has", "have", "gets", "been", "fully", "s"}:
            here += 1
        told = here > at or self._word(at - 1) in w.PRONOUNS  # "that's in"
        return here + 1 if told and self._word(here) in w.FINISHING else 0

    def _opens_work(self, at: int) -> bool:
        """Whether "is merged, then start" follows: the work on this issue begins then."""
        begin = self._finish(at)
        if not begin:
            return False
        said = self._rest(begin)
        plain = [word for word in said if word[:1].isalpha() and word != "then"]
        if plain[:1] in (["we"], ["i"]):  # "we can drop the shim"
            while plain[:1] and plain[0] in _PERMISSIONS:
                del plain[0]
        if w.is_negated(plain) or w.CLOSING.intersection(plain):
            return False
        if (plain[:1] and plain[0] in w.ORDERS) or plain[:2] in (["this", "becomes"], ["this", "can"]):
            return True
        return bool(w.OPENING.intersection(plain)) and not w.STORY_VERBS.intersection(plain)

    def orders_work(self, clause: int, at: int, listed: IssueList) -> bool:
        """Whether "after #3" tells what to do, rather than what happened."""
        before = self._words[clause:at]
        if self._is_story(clause, at, listed):
            return False
        if _is_state(before) or (not before and self._tells_state(listed.end)):
            return False
        here = listed.end
        for _ in range(REACH):
            word = self._word(here)
            if not word:
                return True
            if word in w.STORY_VERBS or self._is_told(here):
                return False
            here += 1
        return True

    def _is_story(self, clause: int, at: int, listed: IssueList) -> bool:
        """Whether the words before "after #3" tell what happened."""
        before = self._words[clause:at]
        if len(before) < 2 and self._compares(clause, listed):
            return True
        if len(before) == 1 and before[0].endswith("ed") and before[0] not in w.PLANNED:
            return True  # "Released after #3"
        if any(self._tells(i) for i in range(clause, at)) or w.CLOSING.intersection(before):
            return True
        past = len(before) > 1 and before[-1].endswith("ed") and before[-1] not in w.PLANNED
        if past and not _PASSIVES.intersection(before[-5:-1]):
            return True  # "Memory usage doubled after #3"
        if self._word(at - 1) in w.SNAPSHOTS and self._word(at - 2) in w.ARTICLES:
            return True
        # "Needs a rebase after #3"
        return any(word in w.ARTICLES and before[i] in _NEEDS for i, word in enumerate(before[1:]))

    def _compares(self, clause: int, listed: IssueList) -> bool:
        """Whether the sentence tells of the time before too: "before #3 it worked, after #3 it doesn't"."""
        for here in range(self._prose.sentence_start(clause), clause):
            if self._words[here] in w.COMPARING:
                named = self._word(here + 1) == REF and listed.issues and self._prose.reference(here + 1)
                if named and named.number == self._prose.reference(listed.issues[0]).number:
                    return True
        return False

    def _tells_state(self, at: int) -> bool:
        """Whether the words that follow "after #3" only say how things are then: "there are three ways"."""
        here = at + 1 if self._word(at) == "," else at
        if self._word(here) == "there":
            return True
        known = (w.DETERMINERS, w.OTHERS, {"it", "they", CODE})
        others = self._word(here) in w.OTHERS  # "users can't log in any more"
        acts = here > at and self._prose.capital[here : here + 1] == [True] and self._word(here + 1).endswith("s")
        if not acts and not any(self._word(here) in words for words in known):
            return False  # "after #3, CI fails" tells too
        for _ in range(REACH):
            word = self._word(here)
            if not word:
                return True
            if word in w.ORDER_SIGNS and not (others and word in {"can", "can't", "cannot", "to"}):
                return False
            here += 1
        return False

    def _tells(self, at: int) -> bool:
        """Whether this word before "after #3" makes it a story."""
        word = self._words[at]
        if word in w.STORY:
            return not (word in w.PASSIVE and self._word(at - 1) == "be")
        return self._is_told(at)

    def _is_told(self, at: int) -> bool:
        """Whether it is a verb in the past tense with its subject before it: "we enabled"."""
        word = self._words[at]
        told = self._word(at - 2) == "," and self._prose.capital[at - 1]
        return word.endswith("ed") and word not in w.PLANNED and told


def _may_begin(before: Sequence[str]) -> bool:
    """Whether the words before "once #3 is done" say that this is possible then."""
    work = w.DOING | w.ORDERS
    doing = "this" in before and ("can" in before or before[0] in work) and work.intersection(before)
    return bool(doing or (w.BEGINNING | {"only"}).intersection(before))


#: What an article follows in "needs a rebase".
_NEEDS = frozenset({"needs", "need", "requires", "require"})
#: "To be merged after #3", "only unblocked after #3".
_PASSIVES = frozenset("be been being is are get gets only to can will should must".split())
#: "Once #3 lands, we can VERB".
_PERMISSIONS = frozenset(
    "we i you can should will must need have needs to let lets let's please also finally just".split()
)


def _is_forbidden(before: Sequence[str]) -> bool:
    """Whether the words before "before #3" or "without #3" forbid to begin: "do not start", "impossible"."""
    if "impossible" in before:
        return True
    ours = {"this", "we", "i", "do", "don't"}.intersection(before)
    if not w.is_negated(before) or (w.TELLING_NEGATIONS.intersection(before) and "sense" not in before):
        return False
    doing = w.STARTING | w.BEGINNING | {"closed", "fixed", "solved", "resolved"} | (w.ORDERS if ours else frozenset())
    return bool(doing.intersection(before)) or before == ["not"]


def _is_state(before: Sequence[str]) -> bool:
    """Whether the words before "after #3" say how things are since: "docs are out of date"."""
    if before[:1] == ["it"] and before[1:2] and before[1].endswith("s") and before[1] not in w.ORDERING:
        return True
    blocked = "by" in before and "blocked" in before  # "requests are blocked by the firewall after #3"
    if (w.ORDER_SIGNS - ({"blocked"} if blocked else set())).intersection(before):
        return False
    return bool({"is", "are"}.intersection(before[:-1]) or w.DETERMINERS.intersection(before[:1]))
