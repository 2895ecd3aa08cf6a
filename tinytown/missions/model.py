"""The records of a mission; the words for what can happen to them are in ``states``.

Records are frozen; a change is a copy (``evolve``). Unknown fields of a newer release are kept.
Times are seconds since the epoch by the database's clock, money is US dollars, durations seconds.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from tinytown import contract
from tinytown.missions.states import AgentState, ItemState, MissionState, Outcome, Purpose, Source, WaitReason


class Record(BaseModel):
    """A frozen value that is stored as JSON."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def evolve(self, **changes: Any) -> Self:
        """A copy with these fields changed."""
        return self.model_copy(update=changes)


class Waiting(Record):
    """Why an item does not move, since when, until when (if known), and what would help."""

    reason: WaitReason
    since: float
    until: float | None = None
    remedy: str = ""
    #: The commit that it is about, if any: with another one it is looked at again.
    about: str = ""


class Edge(Record):
    """One dependency of an item, with the place that states it."""

    #: Key of the issue that must settle first.
    on: str
    source: Source
    #: Line of the text that states it, from 1; 0 where there is none.
    line: int = 0
    #: The words that state it, shortened.
    text: str = ""


class Comment(Record):
    """What somebody who may write to the repository said below an issue."""

    author: str
    body: str
    #: When, as the forge writes it.
    at: str = ""


class Issue(Record):
    """An issue as it was read from its forge."""

    key: str
    number: int
    title: str
    body: str = ""
    labels: tuple[str, ...] = ()
    #: ``open``, ``completed`` or ``not_planned``.
    state: Literal["open", "completed", "not_planned"] = "open"
    url: str = ""
    #: Keys from the forge's own "blocked by".
    blocked_by: tuple[str, ...] = ()
    #: Where the body's lines stand in the file it was read from, if any: from this line on, so many further down.
    shifts: tuple[tuple[int, int], ...] = ()
    #: Comments by people with write access, the oldest first.
    comments: tuple[Comment, ...] = ()
    #: Further comments, which nobody is shown: by others, or too many.
    left_out: int = 0
    #: Only people with write access can have edited its title and body.
    trusted: bool = True

    def line_in_file(self, line: int) -> int:
        """The line that people see for a line of the body."""
        return line + next((more for first, more in reversed(self.shifts) if first <= line), 0)


class Attempt(Record):
    """The live attempt of an item: sent to a queue, then claimed by a worker under a lease."""

    #: Unique in the town: ``<mission>/<item key>/<number>``.
    id: str
    #: The fence: strictly increasing within an item, never reused.
    number: int
    purpose: Purpose
    #: For a check: the commit itself, or its merge into the base.
    target: Literal["head", "merge"] = "head"
    queue: str
    #: Role the work was sent for.
    role: str
    #: The commit that is judged, for a review or a check.
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


class Item(Record):
    """One issue's way through the mission."""

    key: str
    number: int
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
    #: Faults from outside in a row that nobody knows an end of.
    faults: int = 0
    #: Usage limits in a row whose end was known.
    limits: int = 0
    #: The account that the last of them is of.
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
    #: Not before this time.
    not_before: float | None = None

    branch: str = ""
    #: Newest commit of its change.
    head: str | None = None
    #: Head that the forge has; differs from ``head`` while a mission is paused.
    published: str | None = None
    #: The change at the forge: a branch name, or a pull request's number.
    change: str | None = None
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
    looks: Looks | None = None
    #: What the checks as the base defines them say of a head that defines them otherwise, where they fail.
    doubt: Verdict | None = None
    #: Head that the required people approved.
    human_approved: str | None = None
    #: Commit of the base that holds the change, and the head it was merged from.
    merged: str | None = None
    merged_head: str | None = None
    #: An operator asked for its merge by hand.
    merge_wanted: bool = False
    #: Commit in the mirror with the work of attempts that failed; the next one continues on it.
    salvage: str | None = None
    #: CLI session of the last work or fix, to be resumed by the next fix round.
    session: str | None = None
    session_agent: str | None = None
    #: The CLI that it belongs to; empty in a record of an older release.
    session_cli: str = ""
    cost_usd: float = 0.0
    #: Fingerprint of its issue when a change of that was last noticed, and the sentence that was said.
    noticed: str = ""
    news: str = ""
    ready_at: float | None = None
    started_at: float | None = None
    settled_at: float | None = None

    @property
    def subject(self) -> str:
        """What a review is about: the head, or the result of the last run where there is no change."""
        return self.head or f"result/{self.attempts}"


class Policy(Record):
    """A mission's rules, fixed at its start from the town's policy and the flags."""

    max_parallel_items: int = 2
    reviewer_required: bool = True
    auto_merge: bool = True
    #: ``merged`` or ``approved``: when dependents may start.
    settle_on: Literal["merged", "approved"] = "merged"
    watch_interval_secs: float = 180
    max_attempts: int = 3
    max_fix_rounds: int = 3
    require_checks: bool = True
    required_approvals: int = 0
    budget_usd: float | None = None
    #: Whether checks are configured at all; without them merges rest on review alone.
    checks: bool = True
    #: A check that fails on the base as well is the base's fault; off for a mission that is to mend it.
    base_check: bool = False
    #: Patterns of paths that a person has to approve.
    protected: tuple[str, ...] = ()


class Help(Record):
    """A cry for help that stands unanswered."""

    #: What is wrong, one sentence an item.
    reasons: tuple[str, ...]
    since: float
    #: How often it was asked.
    asked: int = 0
    #: Not again before this time.
    next_at: float = 0.0


class Mission(Record):
    """The head of a mission; its items are records of their own."""

    id: str
    #: A record of a newer release is refused, never skipped.
    schema_version: int = contract.SCHEMA
    state: MissionState = MissionState.PLANNING
    #: Keys of the issues asked for, in the order asked.
    objectives: tuple[str, ...]
    forge: str
    repo: str
    base: str
    #: Base branches of further repositories that it works in.
    bases: dict[str, str] = {}
    policy: Policy = Policy()
    #: ``clone``: each attempt works in a private clone; ``none``: in an empty folder, without git.
    workspace: Literal["clone", "none"] = "clone"
    #: Paths of documents that every brief holds, as they were at the start.
    docs: tuple[str, ...] = ()
    #: Remarks of the operator, shown in briefs.
    remarks: tuple[str, ...] = ()
    created_at: float
    finished_at: float | None = None
    #: Why it is paused, failed or cancelled.
    reason: str = ""
    #: What stands in its way as a whole, until it is seen to be gone.
    trouble: str = ""
    #: When that began.
    troubled_at: float = 0.0
    help: Help | None = None
    spent_usd: float = 0.0
    #: Runs whose cost is in ``spent_usd``: their mean is the estimate for a run in flight.
    costed_runs: int = 0

    @property
    def short(self) -> str:
        """The first eight characters of the id, as in branch names."""
        return self.id[:8]

    def base_of(self, repo: str) -> str:
        """The branch that changes in this repository are merged into."""
        return self.bases.get(repo, self.base)


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
    change: str | None = None
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
    #: Agents of earlier attempts whose unfinished work ``head`` went on from.
    authors: tuple[str, ...] = ()
    #: For a check or a merge that has to wait, e.g. for a clean base.
    waiting: Waiting | None = None
    #: What the change ``head`` does to what judges it.
    looks: Looks | None = None
    #: For a check: the refusal of the checks as the base defines them.
    doubt: Verdict | None = None
    #: For a failed check: the change is to be mended on the base as it is now.
    take_base: bool = False
    cost_usd: float | None = None
    tokens: int | None = None
    session: str | None = None
    #: Earliest time for another try, where the CLI named one.
    retry_at: float | None = None
    #: Hosts that its sandbox's network refused, and why.
    refused: tuple[str, ...] = ()
    log: str = ""


class AttemptRecord(Record):
    """A finished attempt, kept for ``tt work show`` and for briefs."""

    id: str
    item: str
    number: int
    purpose: Purpose
    target: str = "head"
    agent: str | None = None
    role: str = ""
    #: The CLI that ran it.
    cli: str = ""
    sent_at: float
    claimed_at: float | None = None
    ended_at: float
    report: Report


class Agent(Record):
    """A spawned worker as its town knows it."""

    name: str
    role: str
    cli: str
    nickname: str = ""
    #: Wish of the operator; the present state is told from liveness and attempts.
    state: AgentState = AgentState.STARTING
    host: str = ""
    spawned_at: float
    #: Queues it consumes.
    queues: tuple[str, ...] = ()


class Event(Record):
    """One line of a mission's history: fixed words plus fields."""

    at: float
    #: A fixed word, e.g. ``item_ready``.
    kind: str
    mission: str = ""
    item: str = ""
    #: Further fields by name.
    data: dict[str, Any] = {}


class Message(Record):
    """A message in a mailbox."""

    id: str = ""
    at: float
    sender: str
    to: str
    kind: Literal["message", "query", "info", "ack"] = "message"
    text: str
    urgent: bool = False
    mission: str = ""
