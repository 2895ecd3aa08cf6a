"""One attempt at an item: sent, claimed under a lease, reported, kept."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from tinytown.missions.records.evidence import REVIEW_WARNINGS, ReviewWarnings, Verdict
from tinytown.missions.records.record import Record, Waiting
from tinytown.missions.states import Outcome, Purpose


def _with_purpose(values: Any) -> Any:
    """Bring a record up to date in which a merge is a check with the target ``merge``."""
    if not isinstance(values, dict) or "target" not in values:
        return values
    purpose = Purpose.MERGE if values["target"] == "merge" else values.get("purpose")
    return {**{name: value for name, value in values.items() if name != "target"}, "purpose": purpose}


class Attempt(Record):
    """The live attempt of an item: sent to a queue, then claimed by a worker under a lease."""

    #: Unique in the town: ``<mission>/<item key>/<number>``.
    id: str
    #: The fence: strictly increasing within an item, never reused.
    number: int
    purpose: Purpose
    queue: str
    #: Role the work was sent for.
    role: str
    #: The commit that it is about, for a review, a check, a publication or a merge.
    sha: str | None = None
    sent_at: float
    #: The agent that claimed it; before that the one it is directed to, if any.
    agent: str | None = None
    #: Proof of the claim; ``None`` until claimed.
    token: str | None = None
    #: The very process that claimed it, if it said so.
    worker: str | None = None
    claimed_at: float | None = None
    #: The CLI that runs it, and the machine.
    cli: str = ""
    host: str = ""

    @model_validator(mode="before")
    @classmethod
    def _migrate(cls, values: Any) -> Any:
        return _with_purpose(values)

    @property
    def claimed(self) -> bool:
        """A worker holds, or held, its lease."""
        return self.token is not None


class FixReason(Record):
    """What a gate refused, for the brief of the fix round."""

    gate: Literal["check", "review", "merge"]
    summary: str
    #: Tail of the log, or the reviewer's words.
    details: str = ""
    sha: str | None = None
    #: Commits of somebody else that are to be taken in; they are in the mirror.
    heads: tuple[str, ...] = ()


class Report(Record):
    """What a worker says at the end of an attempt."""

    outcome: Outcome
    #: One sentence: what happened.
    summary: str = ""
    #: The agent's own result text, capped.
    result: str = ""
    #: Newest commit that was collected, for work and fix.
    head: str | None = None
    #: Head that the forge has already.
    published: str | None = None
    #: What the forge calls the change, for people and for itself, and its page.
    change: str | None = None
    change_id: str = ""
    change_url: str = ""
    #: Head whose approval was told there.
    told: str | None = None
    #: For review and check.
    verdict: Verdict | None = None
    #: For a merge: the commit of the base that now holds the change.
    merged: str | None = None
    #: Tree of the commit that passed the checks.
    tree: str | None = None
    #: Which checks they were.
    checked_with: str = ""
    #: Commit in the mirror that keeps what a failed attempt left.
    salvage: str | None = None
    #: Agents of earlier attempts on whose unfinished work ``head`` is based.
    authors: tuple[str, ...] = ()
    #: For a check or a merge that has to wait, e.g. for a clean base.
    waiting: Waiting | None = None
    #: What the change ``head`` does to what judges it.
    review_warnings: ReviewWarnings | None = Field(default=None, validation_alias=REVIEW_WARNINGS)
    #: For a check: the refusal of the checks as the base defines them.
    doubt: Verdict | None = None
    #: For a failed check: the change is to be mended on the base as it is now.
    take_base: bool = False
    #: For a publication: commits that somebody else brought to the branch, to be taken in before it can be published.
    foreign: tuple[str, ...] = ()
    cost_usd: float | None = None
    tokens: int | None = None
    session: str | None = None
    #: Earliest time for another try, where the CLI named one.
    retry_at: float | None = None
    #: What was not reached comes back by itself: it is tried again however often that takes.
    away: bool = False
    #: Hosts that its sandbox's network refused, and why.
    refused: tuple[str, ...] = ()
    #: Messages, as ``<kind> <id>``, that its brief held or its agent read, besides those that its item answers.
    got: tuple[str, ...] = ()
    log: str = ""


class AttemptRecord(Record):
    """A finished attempt, kept for ``tt work show`` and for briefs."""

    id: str
    item: str
    number: int
    purpose: Purpose
    agent: str | None = None
    role: str = ""
    #: The CLI that ran it.
    cli: str = ""
    #: The host on which it ran.
    host: str = ""
    sent_at: float
    claimed_at: float | None = None
    ended_at: float
    #: Of a review: the task of a plan that is done with it.
    judge: str = ""
    report: Report

    @model_validator(mode="before")
    @classmethod
    def _migrate(cls, values: Any) -> Any:
        return _with_purpose(values)
