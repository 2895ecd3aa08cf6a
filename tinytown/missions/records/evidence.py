"""What is known of one exact commit: verdicts of gates, and what whoever reviews it must know."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices

from tinytown.missions.records.record import Record

#: The field that holds them, and its name in records of older releases.
REVIEW_WARNINGS = AliasChoices("review_warnings", "looks")


class Verdict(Record):
    """A gate's answer about one exact commit."""

    passed: bool
    sha: str
    #: Why not, or a remark.
    why: str = ""
    details: str = ""


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
