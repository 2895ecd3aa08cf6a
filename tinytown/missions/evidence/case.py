"""What a judgement is made from, and whether a piece of evidence may be used at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tinytown.missions.evidence.judgement import OPERATOR, Ask, Finding, Kind, Wait
from tinytown.missions.fences import line
from tinytown.missions.records.forge_evidence import ChangeEvidence, Evidence, FailureKey, Memory, Protection
from tinytown.missions.records.mission import Policy
from tinytown.missions.states import WaitReason
from tinytown.settings import BotSettings
from tinytown.settings.bots import BUILT_IN

#: Looks at one head after which a person is asked about what never comes.
LOOKS = 3


@dataclass(frozen=True)
class Subject:
    """The change that is judged."""

    #: What people call it: ``PR #42``.
    name: str
    head: str
    #: The branch that it goes into.
    base: str
    #: When the forge got this head.
    pushed_at: float
    #: Why a person has to approve this very head; empty if nobody has to.
    needs_person: str = ""
    #: A fix round is due or under way.
    fixing: bool = False
    #: tinytown's own reviewer has approved it, or none is wanted.
    reviewed: bool = True
    #: A person asked tinytown to merge it.
    merge_wanted: bool = False


@dataclass(frozen=True)
class Case:
    """Everything that a judgement is made from; ``now`` is the database's time."""

    subject: Subject
    evidence: ChangeEvidence
    policy: Policy
    now: float
    memory: Memory = field(default_factory=Memory)
    bots: Mapping[str, BotSettings] = field(default_factory=lambda: BUILT_IN)

    @property
    def head(self) -> str:
        """The head that is judged."""
        return self.subject.head

    @property
    def counts(self) -> Memory:
        """The counts of earlier looks at this very head."""
        known = self.memory.head == self.subject.head
        return self.memory if known else Memory(handled=self.memory.handled, errors=self.memory.errors)

    @property
    def protection(self) -> Protection | None:
        """What the base demands, if that may be used."""
        found = self.evidence.protection
        return found if usable(self, found) else None


def mended(case: Case, key: FailureKey, kind: Kind, why: str, *, until: float) -> Finding | None:
    """What a failure comes to whose fix round is under way; ``None`` if it is over, or was never begun."""
    if key not in case.memory.handled or not case.subject.fixing:
        return None
    return Finding(kind, Wait(f"{why}, and is being fixed", until=until, mending=True))


def usable(case: Case, evidence: Evidence | None) -> bool:
    """Whether it is there, readable, about the present head (or the base) and not too old."""
    return evidence is not None and trouble(case, evidence, "", Kind.CHECK) is None


def trouble(case: Case, evidence: Evidence | None, what: str, kind: Kind) -> Finding | None:
    """Why this evidence says nothing; ``None`` if it may be used. ``what`` names it, in the plural."""
    if evidence is None:
        return _again(case, kind, f"its {what} have not been read yet")
    if evidence.unreadable:
        return _unreadable(case, evidence, what, kind)
    if isinstance(evidence, Protection):
        if evidence.base != case.subject.base:
            return _again(case, kind, f"its {what} were read for another base branch")
    elif evidence.head != case.head:
        return _again(case, kind, f"its {what} were read for an older commit")
    if evidence.good_until < case.now:
        minutes = round((case.now - evidence.seen_at) / 60)
        return _again(case, kind, f"its {what} were last read {minutes} min ago")
    return None


def _again(case: Case, kind: Kind, why: str) -> Finding:
    return Finding(kind, Wait(why, until=case.now, reason=WaitReason.CHECK))


def _unreadable(case: Case, evidence: Evidence, what: str, kind: Kind) -> Finding:
    why = f"its {what} cannot be read: {line(evidence.unreadable)}"
    if evidence.lasting:
        return Finding(kind, Ask(why, OPERATOR, f"make its {what} readable, or merge it by hand"))
    return Finding(kind, Wait(why, until=max(case.now, evidence.due_at), reason=WaitReason.UNREACHABLE))
