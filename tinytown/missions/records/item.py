"""One issue's way through a mission."""

from __future__ import annotations

from pydantic import Field

from tinytown import keys
from tinytown.missions.records.agent import MessageHead
from tinytown.missions.records.attempt import Attempt, FixReason
from tinytown.missions.records.evidence import REVIEW_WARNINGS, ForgeVerdict, ReviewWarnings, Verdict
from tinytown.missions.records.issue import Edge
from tinytown.missions.records.record import Record, Waiting
from tinytown.missions.states import ItemState


class Item(Record):
    """One issue's way through the mission."""

    key: str
    #: Number of its issue; 0 for a task.
    number: int = 0
    title: str
    url: str = ""
    labels: tuple[str, ...] = ()
    role: str = "worker"
    #: The role was named by a person (manifest, label), so nobody else may take it.
    role_named: bool = False
    kind: str = "implement"
    #: The kind follows from what a person said (manifest, label), not from a mere word of the issue.
    kind_named: bool = True
    priority: int = 0
    #: Edges to items of this mission.
    edges: tuple[Edge, ...] = ()
    #: Edges to issues outside it.
    external: tuple[Edge, ...] = ()
    #: Keys of the external issues that were still open when last looked up.
    blockers: tuple[str, ...] = ()
    #: Items on the longest way from here to the end, itself included.
    critical_path: int = 1

    state: ItemState = ItemState.PENDING
    waiting: Waiting | None = None
    attempt: Attempt | None = None
    #: Number of the last attempt that was sent.
    fence: int = 0
    #: Claimed runs of work and fix.
    attempts: int = 0
    #: Consuming failures by purpose, since its last success.
    failures: dict[str, int] = {}
    #: Faults from outside in a row, except those whose end is known.
    faults: int = 0
    #: Usage limits in a row whose end was known.
    limits: int = 0
    #: The account that reached the last of them.
    limited_by: str = ""
    fix_rounds: int = 0
    #: Reviews in a row that ended without a verdict.
    mute_reviews: int = 0
    #: Offers in a row that no worker took.
    untaken: int = 0
    fix: FixReason | None = None
    #: Agent at work on it now, or the last one.
    agent: str | None = None
    #: Agents that wrote its commits; none of them may review it.
    authors: tuple[str, ...] = ()
    #: An operator directed it to this agent.
    directed_to: str | None = None
    #: The task of a plan that judges it, and the very agent that must, if one is named.
    judge: str = ""
    judge_agent: str | None = None
    #: The messages that it answers; empty for any other work.
    messages: tuple[MessageHead, ...] = ()
    #: Ids of those whose senders its agent has written to, after it had read them.
    answered: tuple[str, ...] = ()
    #: The entry of the backlog that it was.
    entry: str = ""
    #: How often in a row agents had passed work on, each at work on what was passed on before, until it came to this.
    depth: int = 0
    #: Not before this time.
    not_before: float | None = None

    branch: str = ""
    #: Newest commit of its change.
    head: str | None = None
    #: Head that the forge has; differs from ``head`` while a mission is paused.
    published: str | None = None
    #: The change at the forge: a branch name, or a pull request's number.
    change: str | None = None
    #: The forge's own name for it, which no renaming changes, and its page; empty where a branch is all there is.
    change_id: str = ""
    change_url: str = ""
    #: Head that passed the checks.
    checked: str | None = None
    #: Head that a reviewer approved, and who.
    approved: str | None = None
    approved_by: str | None = None
    #: Tree of ``checked``: a merge that leads to the same tree needs no further proof.
    checked_tree: str | None = None
    #: Which checks that tree passed.
    checked_with: str = ""
    #: What its change does to what judges it, seen when its head was collected.
    review_warnings: ReviewWarnings | None = Field(default=None, validation_alias=REVIEW_WARNINGS)
    #: Why the checks as the base defines them fail on a head that defines them differently.
    doubt: Verdict | None = None
    #: What its forge's evidence came to, where the mission's policy goes by that.
    forge_verdict: ForgeVerdict | None = None
    #: Head whose approval was told at a remote forge.
    told: str | None = None
    #: Head that the required people approved.
    human_approved: str | None = None
    #: Commit of the base that holds the change, and the head it was merged from.
    merged: str | None = None
    merged_head: str | None = None
    #: An operator asked for its merge by hand.
    merge_wanted: bool = False
    #: Commit in the mirror with the work of attempts that failed; the next one continues on it.
    salvage: str | None = None
    #: It was begun anew after the attempt of this number: nothing goes on from what that and earlier ones left.
    begun_after: int = 0
    #: CLI session of the last work or fix, to be resumed by the next fix round.
    session: str | None = None
    session_agent: str | None = None
    #: The CLI that it belongs to; empty in a record of an older release.
    session_cli: str = ""
    cost_usd: float = 0.0
    #: Fingerprint of its issue when a change of that was last noticed, and the sentence that was said.
    noticed: str = ""
    news: str = ""
    #: Why nothing more is done for it until a person says so: its issue is gone. Empty where that is not so.
    held: str = ""
    ready_at: float | None = None
    started_at: float | None = None
    settled_at: float | None = None

    @property
    def name(self) -> str:
        """What people call it in its own mission: ``#2``, or the id of a task."""
        return keys.short(self.key)

    @property
    def noun(self) -> str:
        """What it is, for people: ``Issue`` or ``Task``."""
        return keys.noun(self.key)

    @property
    def typed(self) -> str:
        """What they type for it: ``2``, or the id of a task."""
        return keys.typed(self.key)

    @property
    def subject(self) -> str:
        """What a review is about: the head, or the result of the last run where there is no change."""
        return self.head or f"result/{self.attempts}"
