"""Whether a sentence means what its keyword says: of this issue, now, in earnest.

"#4 depends on #3" speaks of another issue, "not blocked by #3" takes it back, "does it depend on #3?" asks, "might
need #3" guesses, "broke after #3" tells a story. Where the words leave it open, nothing is stated.
"""

from __future__ import annotations

from tinytown.dependencies import labels
from tinytown.dependencies import words as w
from tinytown.dependencies.issue_lists import IssueList, ListReader
from tinytown.dependencies.references import REF
from tinytown.dependencies.timing import Timing
from tinytown.dependencies.tokens import REACH, Prose


class Judge:
    """Judges the statements of one passage, from left to right."""

    def __init__(self, prose: Prose, lists: ListReader) -> None:
        self._prose = prose
        self._lists = lists
        self._words = prose.words
        self._word = prose.word
        self._timing = Timing(prose)
        #: Issues that belong to an earlier keyword of the passage, so they are objects and not subjects.
        self._taken: set[int] = set()

    def take(self, listed: IssueList) -> None:
        """Remember that these issues belong to a keyword."""
        self._taken.update(listed.issues)

    def is_stated(self, at: int, name: str, manner: w.Manner, listed: IssueList) -> bool:
        """Whether the keyword at ``at`` and its list say what this issue waits for."""
        start = self._prose.sentence_start(at)
        clause = self._prose.clause_start(start, at)
        if not self._is_meant(at, clause, manner, listed) or self._is_guessed(start, clause, at):
            return False
        asked = self.is_taken_back(listed.end) and "you" not in self._words[clause:at]
        if self._is_mentioned(clause, at, manner, listed.end) or asked:
            return False
        before = self._words[clause:at]
        if "who" in before or (self._word(at - 1) in w.RELATIVES and {"an", "any"}.intersection(before)):
            return False  # "an issue that depends on #3"
        if self._is_about_another(start, clause, at) or self._is_about_the_last(start, clause):
            return False
        if w.COLOURS.intersection(self._words[start : listed.end]):
            return False
        if not self._is_fitting(at, name, clause, listed):
            return False
        return manner is not w.Manner.AFTER or self._timing.orders_work(clause, at, listed)

    def _is_meant(self, at: int, clause: int, manner: w.Manner, listed: IssueList) -> bool:
        """Whether it is neither negated (unless the keyword needs that) nor said of the past."""
        before = self._words[clause:at]
        if manner in {w.Manner.BEFORE, w.Manner.UNTIL}:
            return self._timing.waits(at, clause, manner, listed)
        if self._word(clause - 1) == "as" and w.MARKING.intersection(self._words[max(clause - 5, 0) : clause]):
            before = self._words[self._prose.sentence_start(at) : at]  # "don't mark this as blocked by #3"
        if self._word(clause - 1) == "since" and "this" in before:
            before = before[before.index("this") :]  # "since the client isn't ready this has to wait for #3"
        negated = w.is_negated(before)
        if negated and self._word(at - 1) not in {"until", "till"}:
            return False
        if (self._word(at - 1) in w.SOFT and manner is not w.Manner.AFTER) or before[-3:-1] == ["used", "to"]:
            return False
        return not any(word in w.PAST for word in self._words[max(clause, at - 2) : at])

    def _is_guessed(self, start: int, clause: int, at: int) -> bool:
        """Whether it is a guess, a condition, or a sentence about something else that waits for the issue."""
        before = self._words[clause:at]
        hedged = any(
            word in w.HEDGES and not (word == "would" and w.WISHES.intersection(before[i + 1 : i + 3]))
            for i, word in enumerate(before)
        )
        asked = self._prose.after_name(clause)
        if self._word(asked) in w.ASKING and self._word(asked + 1) in {"this", "it", "we"}:
            return True
        if hedged or w.CONDITIONS.intersection(self._words[start:at]):
            return True
        return bool(w.OTHERS.intersection(before)) and not {"this", "we", "here"}.intersection(before)

    def _is_mentioned(self, clause: int, at: int, manner: w.Manner, end: int) -> bool:
        quoted = self._word(at - 1) in w.QUOTES and (self._word(end) in w.QUOTES or self._word(end - 1) in w.QUOTES)
        near = self._words[max(clause - 2, at - 2, 0) : at]
        quoted = quoted or self._is_in_quotes(at)
        # "We can only write this once #3 is merged" tells of work.
        spoken = manner is not w.Manner.UNTIL and bool(w.MENTIONS.intersection(near))
        return quoted or spoken or tuple(near[-2:]) in w.CONTRASTS

    def _is_in_quotes(self, at: int) -> bool:
        """Whether quotation marks open before the keyword and close after it."""
        before = self._words[self._prose.sentence_start(at) : at]
        if before.count('"') % 2:
            return '"' in self._words[at : at + REACH]
        return before.count("\u201c") > before.count("\u201d") and "\u201d" in self._words[at : at + REACH]

    def is_taken_back(self, end: int) -> bool:
        """Whether a question mark, a condition or a "no longer" follows."""
        if self._word(end) == "if" and w.POLITE.intersection(self._words[end + 1 : end + 4]):
            return False
        if self._word(end) in {"if", "unless", "anymore"} or tuple(self._words[end : end + 2]) == ("no", "longer"):
            return True
        if self._is_denied(end):
            return True
        here = end
        for _ in range(REACH):
            word = self._word(here)
            if word == "?" and self._word(here + 1) != "?":
                return self._word(here + 1) != "yes"
            if not word or self._prose.ends_sentence(here):
                return False
            here += 1
        return False

    def _is_denied(self, end: int) -> bool:
        """Whether it is said to be wrong, or not to matter: "…, which is wrong", "…, but not necessarily"."""
        said = [word for word in self._words[end : end + 7] if word.isalpha() or "'" in word]
        if said[:2] == ["but", "not"]:
            return bool(labels.OPTIONAL.intersection(said[2:3]))
        if said[:1] == ["but"]:
            del said[0]
        if said[:1] not in (["which"], ["that"], ["this"]):
            return False
        negated = w.is_negated(said[1:3])
        return bool((labels.TRUE if negated else labels.UNTRUE).intersection(said[1:4]))

    def _is_fitting(self, at: int, name: str, clause: int, listed: IssueList) -> bool:
        """Whether the conditions hold that only some keywords have."""
        if name == "depending on":  # "depending on #3 we may …" is a condition
            return self._word(listed.end) in {"", ".", "\n"}
        if name.startswith(("wait", "await")) and self._word(clause - 1) == "while":
            return False  # "while we wait for #3, do this"
        if not self._is_of_issues(at, name, clause, listed):
            return False
        if name in {"need", "pending", "blocked", "builds on"} and not self._is_of_ours(at, name, clause, listed):
            return False
        sign = self._word(listed.issues[0] - 1) if listed.issues else ""
        if name in w.TOLD and not listed.label and sign in {"is", "are", ",", "("}:
            before = self._words[clause:at]
            told = sign in {"is", "are"} or bool({"there", "has", "have"}.intersection(before))
            return told and w.BEFORE_TOLD.issuperset(before)
        if name == "after" and listed.label and listed.described:  # "After: 3 s (#3)"
            return not any(word.isdigit() for word in self._words[at : listed.issues[0]])
        if name == "requirements" and listed.described:  # "Requirements: Docker (#3)"
            return False
        if self._words[at] in {"dependency", "dependencies"}:
            after = self._words[listed.end : listed.end + 3]
            if listed.described and not listed.label and w.ADDING.intersection(self._words[clause:at]):
                return False  # "adds a dependency on lodash (#3)"
            return not w.REMOVALS.intersection([*self._words[clause:at], *(after if name.endswith("on") else ())])
        if listed.described and name not in {"after", "until", "before"}:
            return self._is_described_well(at, name, clause, listed)
        return True

    def _is_of_issues(self, at: int, name: str, clause: int, listed: IssueList) -> bool:
        """Whether issues are meant, and it is an issue that waits for them."""
        following = self._word(listed.end + 1)
        if name != "after" and self._word(listed.end) == "or" and following in w.NEWER:
            return False  # "requires Node #18 or newer"
        if self._word(listed.end) == "for" and following == "my":
            return False  # "I depend on #3 for my demo"
        if name == "is needed":
            return self._word(at + 2) not in {"by", "on", "of", "for"}
        if name in {"required", "start condition"}:
            return listed.label and not any(word[:1].isalpha() for word in self._words[clause:at])
        return True

    def _is_of_ours(self, at: int, name: str, clause: int, listed: IssueList) -> bool:
        """Whether a weak keyword speaks of this issue: "tests pending #3" is no sentence about it."""
        before = self._words[clause:at]
        plain = all(word in w.OURSELVES or word in w.ADVERBS for word in before)
        if name == "need":
            ours = bool({"this", "we", "it"}.intersection(before))
            ours = ours or self._words[listed.end : listed.end + 2] == ["for", "this"]
            # "We need #3 to be merged", but not "to be triaged".
            told = self._words[listed.end : listed.end + 2] != ["to", "be"]
            told = told or bool(w.FINISHING.intersection(self._words[listed.end + 2 : listed.end + 5]))
            return plain and ours and told and self._word(listed.end) in w.BEHIND_NEED
        return plain

    def _is_described_well(self, at: int, name: str, clause: int, listed: IssueList) -> bool:
        """Whether a description that ends with an issue is of something that this issue waits for."""
        known = w.OURSELVES | w.ADVERBS | w.SELVES
        if not listed.label and any(word[:1].isalpha() and word not in known for word in self._words[clause:at]):
            return False  # "the output depends on the locale (#3)" is about the program
        begin, end = at, listed.issues[0] if listed.issues else at
        if name in {"need", "needs"} and not listed.label:
            # "Needs the token store (#3)", but not "needs documentation (#3)".
            begin = at + 2 if self._words[at] == "will" else at + 1
            return self._word(begin) in {"the", "that", "our"}
        if name == "requires":  # "requires Node 18 (#3)" names the change, not a dependency
            return not any(self._words[i].isdigit() and self._words[i - 1] not in w.STEPS for i in range(begin, end))
        return True

    def _is_about_another(self, start: int, clause: int, at: int) -> bool:
        """Whether another issue is the subject: "#4 depends on #3"."""
        others = [i for i in range(start, at) if self._names_issue(i)]
        if not others or self._is_about_this(start, at) or self._words[clause] in {"this", "we"}:
            return False
        last = others[-1]
        if w.RELATIVES.intersection(self._words[last + 1 : at]):
            return True
        linked = clause > last + 1 and self._is_linked(last)  # "Epic #3 / depends on #4"
        if last not in self._taken and not linked and self._begins_sentence(start, others[0]):
            return True
        apart = clause > last + 1 or self._prose.capital[at]
        if self._word(at - 1) == "\n" and last in self._taken:
            return False  # a separate line below another statement
        if self._word(clause - 1) == "(" and clause - 1 == last + 1:
            # "(depends on #3)" right after an issue is a remark about that one.
            return not self._is_linked(last)
        return not apart

    def _is_about_the_last(self, start: int, clause: int) -> bool:
        """Whether "it" is an issue named before: "I looked at #3. It depends on #4"."""
        if self._words[clause : clause + 1] not in (["it"], ["they"]):
            return False
        before = self._prose.sentence_start(start - 1) if clause == start else start
        said = self._words[before : clause - 1]
        if REF not in said:
            return False
        first = before + said.index(REF)
        return self._begins_sentence(before, first) or self._word(before) in w.PEOPLE

    def meant_by_pronoun(self, at: int, end: int, manner: w.Manner) -> IssueList | None:
        """The issue named before that a keyword takes: "Uses the helper of #3, so blocked on that"."""
        if manner is w.Manner.ENCLOSED:  # "#3 is still open, so this is blocked"
            return self._named_as_reason(at, end)
        then = self._word(end) == "then" and self._words[at] in {"until", "till"}
        if (self._word(end) not in w.PRONOUNS and not then) or self._word(end + 1) not in w.BEHIND_PRONOUNS:
            return None
        start = self._prose.sentence_start(at)
        clause = self._prose.clause_start(start, at)
        duty = {"must", "should", "can", "only"}.intersection(self._words[clause:at])
        if manner is w.Manner.LABEL or (manner is w.Manner.AFTER and not duty):
            return None
        known = (w.OURSELVES, w.ADVERBS, w.SELVES, w.CLAUSE_WORDS, w.STARTING, w.WAITING, w.NEGATIONS, w.ORDER_SIGNS)
        if not all(not word[:1].isalpha() or any(word in words for words in known) for word in self._words[clause:at]):
            return None
        ours = bool({"this", "we", "i", "let's"}.intersection(self._words[clause:at]))
        subjectless = clause == start and self._words[clause] in {"needs", "must", "should", "has"}
        ours = (
            ours
            or (subjectless and manner is not w.Manner.UNTIL)
            or (manner is w.Manner.UNTIL and clause == start == at)
        )  # "Once that's in, we can start"
        ours = ours or (manner is w.Manner.UNTIL and clause == start and self._words[clause] in w.TO_WAIT)
        if ours and start > 0:  # "The token comes with #3. This issue depends on that."
            start = self._prose.sentence_start(start - 1)
        found = self.last_named(at, start)
        if found is None or (self._begins_sentence(start, found.issues[0]) and not ours):
            return None
        found.end = end + 1
        return found

    def _named_as_reason(self, at: int, end: int) -> IssueList | None:
        start = self._prose.sentence_start(at)
        clause = self._prose.clause_start(start, at)
        ours = all(word in w.OURSELVES or word in w.ADVERBS for word in self._words[clause:at])
        if not ours or self._word(clause - 1) not in {"so", "therefore", "hence", "thus"}:
            return None
        found = self.last_named(at, start)
        if found is not None:
            found.end = end
        return found

    def last_named(self, at: int, start: int) -> IssueList | None:
        """The last issue before a place that no keyword has taken."""
        for here in range(at - 1, max(start, at - REACH) - 1, -1):
            if self._words[here] == REF:
                return None if here in self._taken else IssueList([here], at + 1)
        return None

    def _names_issue(self, at: int) -> bool:
        word = self._words[at]
        return word == REF or (word.isdigit() and self._word(at - 1) in {"issue", "issues", "pr", "ticket", "request"})

    def _is_about_this(self, start: int, at: int) -> bool:
        here = at - 1
        while here >= start and self._words[here] in w.ADVERBS:
            here -= 1
        return here >= start and self._words[here] in {"this", "we"}

    def _begins_sentence(self, start: int, at: int) -> bool:
        return all(word in w.LEADS or not word[:1].isalpha() or word == "x" for word in self._words[start:at])

    def _is_linked(self, at: int) -> bool:
        here = at - 1
        while here > 0 and self._words[here] in {":", "epic", "issue", "the", "#"}:
            here -= 1
        word = self._word(here)
        return word in w.LINKS

    def is_aside(self, listed: IssueList) -> bool:
        """Whether a listed issue turns out to be something else: its parent, or one that waits for this."""
        here = listed.end
        while self._word(here) in {":", ","}:
            here += 1
        said: list[str] = []
        dependent = False
        while (word := self._word(here)) not in {"", "\n"} and len(said) < 12:
            dependent = dependent or (len(said) < 4 and self._is_dependent(here, remark="(" in said))
            said.append(word)
            here += 1
        remark = self._remark_before(listed.end)
        return dependent or labels.is_aside(said) or labels.is_aside(remark)

    def _is_dependent(self, at: int, *, remark: bool) -> bool:
        """ "#5 depends on this": a keyword behind a listed issue, with that issue as its subject."""
        keyword = self._prose.keyword(at)
        if keyword is None:
            return False
        following = self._word(keyword[0])
        # "#5 (depends on #4)" tells what a listed issue waits for itself.
        return following in {"this", "it", "us", "the", "these", "our"} or (following == REF and not remark)

    def _remark_before(self, end: int) -> list[str]:
        """The words in the parentheses that close right before ``end``."""
        if self._word(end - 1) != ")":
            return []
        for here in range(end - 2, max(end - 14, -1), -1):
            if self._words[here] == "(":
                return self._words[here + 1 : end - 1]
        return []
