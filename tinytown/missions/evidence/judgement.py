"""What a judgement can be, and what one thing in the way of a merge is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from tinytown.missions.records.forge_evidence import FailureKey
from tinytown.missions.states import WaitReason

#: Whom an ``Ask`` is for, where it is nobody by name: whoever runs the town, and anybody who may approve.
OPERATOR = "operator"
APPROVER = "a person with write access"


Gate = Literal["check", "review", "merge"]


@dataclass(frozen=True)
class Failure:
    """One thing in the change that is to be mended, and what goes into the brief."""

    key: FailureKey
    #: As in ``FixReason``.
    gate: Gate
    #: One sentence; and the end of the log, or the words of whoever refused it. Both are outside text.
    summary: str
    details: str = ""
    #: Its normalised error, by which progress is told; empty where there is none.
    error: str = ""
    #: It only follows from another failure of the same run, which is in the brief already.
    derived: bool = False


@dataclass(frozen=True)
class Rerun:
    """A failed check is to be run again, once: nothing in the change can have caused it, or may have."""

    key: FailureKey
    check: int
    workflow_run: int
    why: str
    #: Names this very run and its end, to tell it from the next one.
    run: str = ""


@dataclass(frozen=True)
class AnswerThread:
    """The fix round for a thread is done: say there what was done, and resolve it where that is allowed."""

    thread: str
    #: The comment that the round was about.
    comment: str


@dataclass(frozen=True)
class UpdateBranch:
    """The base is to be merged into the branch: nothing else is missing, and the forge demands it."""


@dataclass(frozen=True)
class MarkReady:
    """The draft is to be marked as ready for review: nothing else is missing, and tinytown made it a draft."""


Action = Rerun | AnswerThread | UpdateBranch | MarkReady


@dataclass(frozen=True)
class Passed:
    """Nothing is in the way of its merge."""

    #: One sentence, as in all of these.
    why: str
    actions: tuple[Action, ...] = ()
    #: What is worth knowing, and held up nothing.
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wait:
    """Something will come by itself, or by the ``actions``; it is looked at again at ``until``."""

    why: str
    until: float
    reason: WaitReason = WaitReason.CHECK
    actions: tuple[Action, ...] = ()
    remarks: tuple[str, ...] = ()
    #: A fix round for it is under way.
    mending: bool = False


@dataclass(frozen=True)
class Fix:
    """An agent has to mend these."""

    why: str
    failures: tuple[Failure, ...]
    actions: tuple[Action, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ask:
    """Only a person can move it: ``whom``, and ``what`` they are asked to do."""

    why: str
    whom: str
    what: str
    reason: WaitReason = WaitReason.NEEDS_HELP
    actions: tuple[Action, ...] = ()
    remarks: tuple[str, ...] = ()


Judgement = Passed | Wait | Fix | Ask


class Kind(StrEnum):
    """What is in the way, in the order in which it is told."""

    CONFLICT = "conflict"
    PROTECTION = "protection"
    CHECK = "check"
    BOT = "bot"
    THREAD = "thread"
    REVIEW = "review"
    APPROVAL = "approval"
    MERGE = "merge"


@dataclass(frozen=True)
class Finding:
    """One thing in the way; the ``why`` of its outcome is a clause that goes on after "because"."""

    kind: Kind
    outcome: Wait | Fix | Ask


@dataclass(frozen=True)
class Found:
    """What one part of the judge found."""

    findings: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = field(default=())
