"""The words with which an issue is said to come first: "#3 must land first", "finish #3 before this"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

#: "#3 must be VERB first".
FINISHING: Final = frozenset(
    "merged done completed finished implemented fixed closed resolved land landed merge ship shipped go happen "
    "exist deployed released complete finish in".split()
)
FINISHES: Final = frozenset("lands merges ships closes completes finishes land merge".split())
#: "Finish #3 first": what is to be done with an issue that comes first.
FINISH: Final = frozenset(
    "need needs do get have finish complete merge land implement fix resolve close ship deploy release solve".split()
)
#: May stand before that verb.
BEFORE_FINISH: Final = frozenset(
    "pls we i you one to must should need needs have has had let's lets let us please necessary it is first will first "
    "so then and better important also really definitely someone somebody this for".split()
)
#: Before a sentence about an issue that comes first.
LEAD_INS: Final = frozenset("because but as since and so also currently unfortunately right now note that then".split())


def is_preparing(said: Sequence[str]) -> bool:
    """Whether these words say "first", or "before this"."""
    return "first" in said[:4] or any(
        said[i] == "before" and (said[i + 1] in _THIS or said[i + 1].endswith("ing")) for i in range(len(said) - 1)
    )


def comes_first(said: Sequence[str]) -> bool:
    """Whether these words behind an issue say that it comes before this one."""
    plain = [word for word in said if word not in _PADDING]
    if plain[:1] in (["blocks"], ["block"], ["blocking"]):
        return plain[1:2] in (["this"], ["us"], ["me"])
    if plain[:1] in (["prerequisite"], ["precondition"], ["dependency"], ["blocker"], ["required"], ["needed"]):
        return plain[1:3] in ([link, this] for link in ("for", "of", "to") for this in ("this", "it", "us")) or (
            plain[0] in {"required", "needed"} and (plain[1:2] in (["first"], ["here"]) or is_preparing(plain))
        )
    if plain[:1] == ["first"] or plain[:2] in (["comes", "first"], ["goes", "first"]):
        return plain[-1] in {"first", "then", "please"}
    if plain[:1] not in (["must"], ["needs"], ["need"], ["has"], ["have"], ["should"]):
        return False
    return ("first" in plain or is_preparing(plain)) and bool(FINISHING.intersection(plain))


#: Behind "before": this issue, or those who work on it.
_THIS: Final = frozenset({"this", "we", "i", "it", "you"})
_PADDING: Final = frozenset({"is", "are", "currently", "still", "also", "a", "an", "the", "hard", "strict", "really"})
