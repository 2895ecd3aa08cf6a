"""What is known of one exact commit: verdicts of gates, and what whoever reviews it must know."""

from __future__ import annotations

from typing import Literal

from tinytown.missions.records.record import Record


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


class Looks(Record):
    """What whoever reviews the commit ``sha`` must know first."""

    sha: str
    remarks: tuple[Remark, ...] = ()
    #: Remarks that are not kept.
    more: int = 0
    #: Protected paths that it touches.
    protected: tuple[str, ...] = ()
