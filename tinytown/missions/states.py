"""The fixed words of the domain: every state, purpose, outcome and reason, each with one sentence."""

from __future__ import annotations

from enum import StrEnum


class MissionState(StrEnum):
    """Where a mission stands."""

    #: Its issues are being read; nothing has been saved that could run.
    PLANNING = "planning"
    #: Items are running, or will run without help.
    RUNNING = "running"
    #: An operator or a budget paused it: running attempts finish, nothing new starts, nothing is published.
    PAUSED = "paused"
    #: Nothing is running or can run until a person acts, a worker appears or an outside issue is closed.
    BLOCKED = "blocked"
    #: Every item is settled.
    COMPLETED = "completed"
    #: Its record or its base branch is gone.
    FAILED = "failed"
    #: An operator cancelled it.
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """No way leads out of this state."""
        return self in (MissionState.COMPLETED, MissionState.FAILED, MissionState.CANCELLED)

    @property
    def active(self) -> bool:
        """Work may be started."""
        return self in (MissionState.RUNNING, MissionState.BLOCKED)


class ItemState(StrEnum):
    """Where a work item stands."""

    #: A dependency is not settled yet.
    PENDING = "pending"
    #: Every dependency is settled; it is waiting for a slot and a worker.
    READY = "ready"
    #: An attempt was sent to a queue; no worker has taken it yet.
    ASSIGNED = "assigned"
    #: A worker is working on it.
    RUNNING = "running"
    #: Its change exists; some gates are still to pass: checks, review, approval, merge.
    IN_REVIEW = "in_review"
    #: A gate rejected it; a fix round is due or running.
    FIXING = "fixing"
    #: It passed all its gates. Settled: dependents may start.
    DONE = "done"
    #: Its attempts are used up. Not settled; ``retry`` tries it again.
    FAILED = "failed"
    #: Cancelled by an operator. Not settled.
    CANCELLED = "cancelled"
    #: Left out by the manifest. Settled; its dependents inherit its dependencies.
    SKIPPED = "skipped"

    @property
    def settled(self) -> bool:
        """Dependents may start."""
        return self in (ItemState.DONE, ItemState.SKIPPED)

    @property
    def ended(self) -> bool:
        """Nothing happens to it by itself any more."""
        return self in (ItemState.DONE, ItemState.SKIPPED, ItemState.FAILED, ItemState.CANCELLED)


class Purpose(StrEnum):
    """What an attempt is for."""

    #: Do what the issue asks for.
    WORK = "work"
    #: Fix what a gate rejected.
    FIX = "fix"
    #: Review a change, without changing it.
    REVIEW = "review"
    #: Run the checks on an exact commit.
    CHECK = "check"
    #: Bring a change to a remote forge, and what is known of it.
    PUBLISH = "publish"
    #: Merge a change into the base.
    MERGE = "merge"

    @property
    def runs_agent(self) -> bool:
        """Whether an agent does it, which costs money; the others are done by the town's own workers."""
        return self not in (Purpose.CHECK, Purpose.PUBLISH, Purpose.MERGE)

    @property
    def kind(self) -> Purpose:
        """Its name in events, JSON and the index of attempts, where a merge is a check with another ``target``."""
        return Purpose.CHECK if self is Purpose.MERGE else self

    @property
    def target(self) -> str:
        """What tells a check from a merge where both have the same ``kind``."""
        return "merge" if self is Purpose.MERGE else "head"


class Outcome(StrEnum):
    """How an attempt ended. ``failed``, ``timed_out``, ``stalled`` and ``over_limit`` use up an item's attempts."""

    #: It did its task, and left proof.
    SUCCEEDED = "succeeded"
    #: It ended without proof of success.
    FAILED = "failed"
    #: It reached its time limit.
    TIMED_OUT = "timed_out"
    #: A streaming agent said nothing for too long.
    STALLED = "stalled"
    #: It used more memory, processes or disk than it may.
    OVER_LIMIT = "over_limit"
    #: An operator cancelled it.
    CANCELLED = "cancelled"
    #: The CLI is not logged in.
    NOT_LOGGED_IN = "not_logged_in"
    #: The CLI's account reached a usage limit.
    USAGE_LIMIT = "usage_limit"
    #: The model, the network or the forge did not answer.
    UNREACHABLE = "unreachable"
    #: No space left on the worker's disk.
    DISK_FULL = "disk_full"
    #: The repository or a folder on the worker's machine cannot be used.
    NO_WORKSPACE = "no_workspace"
    #: The forge refused what it was asked for.
    FORGE_REFUSED = "forge_refused"
    #: A setting prevents it from starting; only a person can change that.
    MISCONFIGURED = "misconfigured"
    #: Its worker died or went silent beyond the lease.
    LOST = "lost"
    #: Its claim or its lease was refused; it does not count.
    REFUSED = "refused"

    @property
    def consumes(self) -> bool:
        """It counts against ``max_attempts``."""
        return self in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.STALLED, Outcome.OVER_LIMIT)


class WaitReason(StrEnum):
    """For what an item waits; ``scheduler``, ``lifecycle`` and ``pauses`` say which, with the remedy.

    A new one gets a row in ``docs/concepts/states.md``. Where nothing but a person can end it, it is also one of
    ``escalation.FOR_A_PERSON`` and gets a row in ``docs/how-to/recover-a-stuck-mission.md``; else it is one of those in
    ``test_no_human_wait_is_forgotten`` (``tests/unit/missions/test_escalation.py``), as what a new worker would end is.
    """

    DEPENDENCIES = "dependencies"
    DEPENDENCY_FAILED = "dependency_failed"
    EXTERNAL_BLOCKER = "external_blocker"
    SLOTS = "slots"
    NO_WORKER = "no_worker"
    BACKOFF = "backoff"
    NOT_LOGGED_IN = "not_logged_in"
    USAGE_LIMIT = "usage_limit"
    UNREACHABLE = "unreachable"
    DISK_FULL = "disk_full"
    NO_WORKSPACE = "no_workspace"
    CHECK = "check"
    REVIEW = "review"
    APPROVAL = "approval"
    MERGE = "merge"
    BASE_DIRTY = "base_dirty"
    BASE_FAILING = "base_failing"
    BUDGET = "budget"
    DAY_LIMIT = "day_limit"
    START_RATE = "start_rate"
    PAUSED = "paused"
    NEEDS_HELP = "needs_help"


class Source(StrEnum):
    """Where an edge of the graph was stated."""

    #: GitHub's own "blocked by", or a local issue's ``blocked_by``.
    NATIVE = "native"
    #: A line of the issue's text.
    TEXT = "text"
    #: The mission's manifest.
    MANIFEST = "manifest"
    #: Passed on by a skipped item between the two.
    SKIPPED = "skipped"
    #: A plan says so: ``depends_on`` of a task.
    DEPENDS_ON = "depends_on"
    #: The other one is the ``parent`` of the task, and no epic.
    PARENT = "parent"
    #: Both are in an epic, in this order.
    ORDER = "order"
    #: The epic that the task is in waits for it.
    EPIC = "epic"
    #: It is in the epic.
    CHILD = "child"


class AgentState(StrEnum):
    """What an agent does; ``idle`` and ``working`` are told from its attempts, not stored."""

    STARTING = "starting"
    IDLE = "idle"
    WORKING = "working"
    PAUSED = "paused"
    DRAINING = "draining"
    COLD = "cold"
    STOPPED = "stopped"
    ERROR = "error"
