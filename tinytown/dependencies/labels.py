"""The words of labels and headings, and of remarks that take a listed issue out again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from tinytown.dependencies import words as w
from tinytown.dependencies.references import REF

#: After a keyword these make it a label: what follows belongs to it.
LABEL_SIGNS: Final = frozenset({":", "\uff1a", "=", "\u2192"})
#: Words that say that there are no dependencies.
DENIALS: Final = frozenset({"none", "nothing", "no", "nil", "tbd"})
#: A label that ends with "first", or begins with "before", is made of these: "These have to be merged first:".
FIRST_LABEL: Final = frozenset(
    "the this these they following have has to be need needs should must please do finish finished we you i can "
    "before first can't cannot things happen thing exist changes resolved solved fixed that which block blocks "
    "blocking us anything currently only as soon once until when after at least released deployed go in done merged "
    "completed closed landed land merge complete implemented issues issue tickets ticket tasks task prs pr are is "
    "all start starting started work working begin beginning it on one two three four five some "
    "several checklist there so of other what's what needed required".split()
)
#: May stand before the keyword of such a label.
BEFORE_SECTION: Final = frozenset(
    "the this issue task ticket pr story feature work is are hard upstream external internal known open current "
    "direct technical project github cross repo team blocking we our it and must land merge start do merged "
    "started all any mission has item list of one tracked listed outstanding remaining".split()
)
#: Before "after:" above a list: "Can be started after:".
BEFORE_AFTER: Final = frozenset("can should may come comes go goes started picked up worked only be needs to".split())
#: A label with one of these is about something else.
NOT_SECTIONS: Final = frozenset(
    "related relates blocks unblocks downstream dependents links references resources parent parents epic "
    "children child duplicate "
    "duplicates not no none non without former previous removed see optional soft enables required needed graph "
    "order chain tree map matrix diagram dependabot update updates bump upgrade upgrades package packages npm pip "
    "python runtime dev build new software library libraries party updated isn't aren't doesn't".split()
)
#: Under headings with these words nothing is stated about this issue.
MUTE: Final = (
    ("changelog",), ("change", "log"), ("release", "notes"), ("what's", "changed"), ("what's", "new"), ("history",),
    ("added",), ("changed",), ("fixed",), ("deprecated",), ("removed",),
    ("example",), ("examples",), ("out", "of", "scope"), ("non", "goals"), ("alternatives",),
    ("alternatives", "considered"), ("commits",), ("full", "changelog"),
)  # fmt: skip
#: The same for headings that begin with these words: "Changelog for 1.4".
MUTE_BEGINNINGS: Final = (("changelog",), ("release", "notes"), ("what's", "changed"), ("what's", "new"))
#: A table with one of these in its head tells a history.
HISTORY_HEADS: Final = frozenset({"version", "change", "changes", "changelog"})
#: A remark that takes a listed issue out again, when it is all that is said about it.
ASIDES: Final = frozenset(
    "parent epic umbrella tracking tracker meta related duplicate dup optional reference context informational "
    "follow followup sibling child unrelated obsolete downstream dependent soft fyi".split()
)
#: Words that may stand with such a remark.
ASIDE_COMPANY: Final = frozenset(
    "the our its is a an this of for only up issue epic ticket task story not blocking just but one to".split()
)
#: "Blocked by #3, which is wrong", "after #3, but not necessarily".
UNTRUE: Final = frozenset("wrong incorrect false untrue outdated nonsense".split())
TRUE: Final = frozenset("true correct right".split())
OPTIONAL: Final = frozenset("necessarily required needed necessary mandatory strictly blocking".split())
#: Anywhere in a remark these say that the listed issue is no dependency.
ASIDE_PHRASES: Final = (
    ("not", "blocking"), ("non", "blocking"), ("not", "required"), ("no", "longer"), ("not", "anymore"),
    ("not", "a", "blocker"), ("not", "any", "more"), ("not", "needed"), ("for", "context"), ("not", "a", "dependency"),
    ("nice", "to", "have"),
)  # fmt: skip


def announces_first(plain: Sequence[str], *, asked: bool) -> bool:
    """Whether a label says that what it lists comes first: "These must be merged first", "What blocks this?"."""
    if not plain or not FIRST_LABEL.issuperset(plain):
        return False
    if plain[-1] == "first" or (asked and plain[-1] == "before"):
        return True
    pairs = list(itertools.pairwise(plain))
    if any(one in {"block", "blocks", "blocking"} and other in {"this", "us"} for one, other in pairs):
        return True
    if any(one == "before" and other in {"this", "we", "starting", "beginning"} for one, other in pairs):
        return True
    # "We can start as soon as these are done"
    until = next((i for i, word in enumerate(plain) if word in {"once", "soon", "until", "after", "when"}), 0)
    return bool(w.OPENING.intersection(plain[:until])) and bool(_THESE.intersection(plain[until : until + 4]))


_THESE: Final = frozenset({"these", "those", "following", "the", "issues", "all"})


def has_phrase(said: Sequence[str], phrases: Sequence[tuple[str, ...]]) -> bool:
    """Whether one of the phrases is said."""
    plain = [word for word in said if word[:1].isalpha()]
    return any(
        tuple(plain[i : i + len(phrase)]) == phrase for phrase in phrases for i in range(len(plain) - len(phrase) + 1)
    )


def is_aside(said: Sequence[str]) -> bool:
    """Whether a remark says that the listed issue is none of those that are listed."""
    plain = [word for word in said if word[:1].isalpha()]
    if has_phrase(plain, ASIDE_PHRASES):
        return True
    if [word for word in said if word.isalnum() or word == REF] == ["blocks"]:
        return True
    return bool(plain) and bool(ASIDES.intersection(plain)) and all(
        word in ASIDES or word in ASIDE_COMPANY for word in plain
    )  # fmt: skip
