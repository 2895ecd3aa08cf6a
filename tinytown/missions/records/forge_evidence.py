"""What was seen of a change at its forge: a record a kind. ``missions.evidence`` judges them.

Each is about one exact head and counts for a limited time. What could not be read says so, in a record without facts:
nothing is ever told from a record that is missing, old, unreadable or about another head. Words of states and
conclusions are the forge's own, in small letters, kept as they came: a word that nobody here knows is no good news.
Texts are outside text, cut by whoever read them.
"""

from __future__ import annotations

from typing import Literal

from tinytown.missions.records.record import Record

#: Not ``bool | None``: a record is stored without what is empty, so "no" would come back as "not known".
Known = Literal["yes", "no", "unknown"]


class Evidence(Record):
    """What every kind says of itself."""

    #: The head of the change that it is about.
    head: str
    #: When it was read; when it is to be read again; until when it counts. Seconds since the epoch.
    seen_at: float
    due_at: float
    good_until: float
    #: Why it could not be read; then nothing else in it says anything.
    unreadable: str = ""
    #: Of something unreadable: it stays so until a person acts, e.g. on a missing permission.
    lasting: bool = False


class CheckRun(Record):
    """One run of a check, or of a job where only those can be read."""

    name: str
    #: The app that ran it, by its short name and number; empty where it is not told.
    app: str = ""
    app_id: int | None = None
    id: int = 0
    #: ``queued``, ``in_progress``, ``completed``, ``waiting``, ``requested``, ``pending``.
    status: str
    #: ``success``, ``failure``, ``neutral``, ``cancelled``, ``skipped``, ``timed_out``, ``action_required``,
    #: ``stale``, ``startup_failure``; empty before its end.
    conclusion: str = ""
    #: What started it, e.g. ``pull_request``; empty where it is not told.
    event: str = ""
    #: The run of a workflow that it is a job of; 0 if it is none.
    workflow_run: int = 0
    started_at: float | None = None
    completed_at: float | None = None
    url: str = ""
    #: Its own words.
    title: str = ""
    summary: str = ""
    #: Of a failed one: the step that failed, the end of its log, and its annotations, a line each.
    step: str = ""
    log: str = ""
    annotations: tuple[str, ...] = ()


class WorkflowRun(Record):
    """One run of a workflow, which may have no jobs yet, or never get any."""

    id: int
    name: str
    event: str = ""
    status: str
    conclusion: str = ""
    started_at: float | None = None
    url: str = ""


class Checks(Evidence):
    """The check runs and workflow runs of a head."""

    #: ``actions``: the token cannot read check runs, so these are jobs, and checks of other apps are missing.
    source: Literal["checks", "actions"] = "checks"
    runs: tuple[CheckRun, ...] = ()
    workflows: tuple[WorkflowRun, ...] = ()
    #: Whether the repository has workflows, or its base any results.
    has_ci: Known = "unknown"


class Status(Record):
    """What a service said of a commit under one name."""

    context: str
    #: ``success``, ``pending``, ``failure``, ``error``.
    state: str
    description: str = ""
    url: str = ""
    creator: str = ""
    app_id: int | None = None
    created_at: float | None = None


class Statuses(Evidence):
    """The commit statuses of a head, and of the commit that the forge made to test its merge."""

    contexts: tuple[Status, ...] = ()
    merge_contexts: tuple[Status, ...] = ()


class Comment(Record):
    """One comment."""

    id: str
    author: str
    body: str = ""
    at: float = 0.0
    #: tinytown wrote it; its mark is in it.
    ours: bool = False
    #: Its author may write to the repository, is a bot that is listened to, or is trusted by the mission.
    trusted: bool = False


class Bots(Evidence):
    """What review bots said in comments on the change, and which of them are asked for a review."""

    comments: tuple[Comment, ...] = ()
    requested: tuple[str, ...] = ()


class Review(Record):
    """One review."""

    id: str
    author: str
    is_bot: bool = False
    #: Its author may write to the repository.
    may_write: bool = False
    #: ``approved``, ``changes_requested``, ``commented``, ``dismissed``, ``pending``.
    state: str
    #: The head when this review was first seen. The forge's own word may be bound to another commit later.
    head: str
    at: float
    body: str = ""
    url: str = ""


class Reviews(Evidence):
    """The reviews of a change."""

    reviews: tuple[Review, ...] = ()
    #: Whose pull request it is: nobody approves their own.
    author: str = ""
    #: People and teams that are asked for a review.
    requested: tuple[str, ...] = ()


class Thread(Record):
    """A conversation at a place in the change."""

    id: str
    path: str
    line: int | None = None
    resolved: bool = False
    #: tinytown resolved it.
    resolved_by_us: bool = False
    #: The lines that it is about have changed since.
    outdated: bool = False
    comments: tuple[Comment, ...] = ()
    url: str = ""


class Threads(Evidence):
    """The conversations in a change's code."""

    threads: tuple[Thread, ...] = ()
    #: Threads that exist and were not read.
    unread: int = 0


class Mergeability(Evidence):
    """Whether the forge would merge the change now."""

    #: ``clean``, ``has_hooks``, ``unstable``, ``blocked``, ``behind``, ``dirty``, ``draft``, ``unknown``.
    state: str = "unknown"
    #: Whether it conflicts with its base; ``unknown`` while that is being computed.
    conflicts: Known = "unknown"
    #: The files that conflict, by git.
    conflicting_files: tuple[str, ...] = ()
    #: Tip of the base at that moment.
    base_tip: str = ""
    draft: bool = False
    #: tinytown opened it as a draft, and nobody touched that since.
    draft_by_us: bool = False


class RequiredContext(Record):
    """A check or status that must succeed before a merge."""

    context: str
    #: The app that it must come from; ``None`` for any.
    app_id: int | None = None
    #: What demands it, for people: the branch protection, or a ruleset by name.
    stated_by: str = ""


class Protection(Evidence):
    """What the forge demands of a change before it goes into ``base``, by branch protection and rulesets."""

    base: str
    required: tuple[RequiredContext, ...] = ()
    #: The branch must be up to date with its base; not every token may see that.
    strict: Known = "no"
    #: How many people must approve, as far as the token may see it.
    approvals: int = 0
    #: A push voids the approvals before it; the last push must be approved by somebody else; owners must approve.
    dismisses_stale: bool = False
    last_push_approval: bool = False
    code_owners: bool = False
    #: Every thread must be resolved.
    resolves_threads: bool = False


class ChangeEvidence(Record):
    """All that is known of one change; ``None`` for what was never read."""

    checks: Checks | None = None
    statuses: Statuses | None = None
    bots: Bots | None = None
    reviews: Reviews | None = None
    threads: Threads | None = None
    mergeability: Mergeability | None = None
    protection: Protection | None = None
    #: What the newest commit of the base says that has any results; their ``head`` is that commit.
    base_checks: Checks | None = None
    base_statuses: Statuses | None = None


#: What a failure is recognised by: ``("check", name, app, head)``, ``("thread", id, id of the last comment)``,
#: ``("conflict", head, tip of the base)``, ``("review", id)`` or ``("comment", id)``.
FailureKey = tuple[str, ...]


class RerunOrder(Record):
    """A failed check that was to be run again, as it was then: while it is still so, that may not have been done."""

    key: FailureKey
    #: The run, and its end.
    run: str
    #: How often it was ordered.
    times: int = 1


class Memory(Record):
    """What is left of earlier looks at a change, and of the fix rounds for it."""

    #: The head that the counts below are about; with another one they begin anew.
    head: str = ""
    #: When the last look at checks, and at whether it can be merged, was counted.
    checks_seen_at: float = 0.0
    merge_seen_at: float = 0.0
    #: Looks in a row at which a required or cancelled check had no result, by its name.
    missing: dict[str, int] = {}
    #: Looks in a row at which there was no result at all, at which it was unknown whether the change can be merged,
    #: and at which a change that lacks nothing known was not to be merged.
    silent: int = 0
    unknown: int = 0
    blocked: int = 0
    #: Failures that had their fix round, and failed checks that were run again.
    handled: tuple[FailureKey, ...] = ()
    rerun: tuple[FailureKey, ...] = ()
    #: Those of ``rerun`` that passed then, which was told.
    flaky: tuple[FailureKey, ...] = ()
    #: What was ordered for ``rerun``: an order is on record before it is carried out.
    orders: tuple[RerunOrder, ...] = ()
    #: Fix rounds by normalised error.
    errors: dict[str, int] = {}


class ChangeWatch(Record):
    """What a town knows of a change that it brought to a remote forge."""

    #: The head that was published last, and when.
    head: str = ""
    pushed_at: float = 0.0
    #: When it is looked at again, and when a look last brought news.
    due_at: float = 0.0
    changed_at: float = 0.0
    evidence: ChangeEvidence = ChangeEvidence()
    memory: Memory = Memory()
