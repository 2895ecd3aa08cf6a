"""What is known of one exact commit: verdicts of gates, and what whoever reviews it must know."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices

from tinytown.missions.records.record import Record
from tinytown.missions.states import WaitReason

#: The field that holds them, and its name in records of older releases.
REVIEW_WARNINGS = AliasChoices("review_warnings", "looks")


class Verdict(Record):
    """A gate's answer about one exact commit."""

    passed: bool
    sha: str
    #: Why not, or a remark.
    why: str = ""
    details: str = ""


class Watched(Record):
    """One kind of evidence that keeps a change from merging."""

    #: ``CI check``, ``review``, …
    name: str
    state: Literal["failing", "running", "waiting"]
    #: Why, in a clause.
    why: str
    #: Whom it waits for, if that is a person.
    whom: str = ""
    #: When it is looked at again.
    until: float | None = None


class ForgeVerdict(Record):
    """What the evidence of a forge came to for the commit ``sha``, so that no gate has to read the evidence itself."""

    sha: str
    #: Nothing of checks, bots, threads and conflicts is in the way of tinytown's own review.
    reviewable: bool = False
    #: Nothing is in the way of its merge.
    passed: bool = False
    #: Why it is not merging, in one sentence; for what it waits, what would help, and when it is looked at again.
    why: str = ""
    reason: WaitReason | None = None
    remedy: str = ""
    until: float | None = None
    #: The same, a kind of evidence each.
    watched: tuple[Watched, ...] = ()


class Remark(Record):
    """What a change does to what judges it, at one place."""

    #: A ``protected`` path, the definition of the ``checks``, or the ``tests``.
    kind: Literal["protected", "checks", "tests"]
    path: str
    text: str


class ReviewWarnings(Record):
    """What whoever reviews the commit ``sha`` must know first."""

    sha: str
    remarks: tuple[Remark, ...] = ()
    #: Remarks that are not kept.
    more: int = 0
    #: Protected paths that it touches.
    protected: tuple[str, ...] = ()
