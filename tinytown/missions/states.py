"""The fixed words of the domain: every state, purpose, outcome and reason, each with one sentence."""

from __future__ import annotations

from enum import StrEnum


class MissionState(StrEnum):
    """Where a mission stands."""

    #: Its issues are being read; nothing has been saved that could run.
    PLANNING = "planning"
    #: Items run, or will without anybody's help.
    RUNNING = "running"
    #: An operator or a spend cap froze it: running attempts finish, nothing new starts, nothing is published.
    PAUSED = "paused"
    #: Nothing runs or can run until a person, a worker or an outside issue moves.
    BLOCKED = "blocked"
    #: Every item settled.
    COMPLETED = "completed"
    #: Its record or its base branch is gone.
    FAILED = "failed"
    #: An operator ended it.
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

    #: Some dependency has not settled.
    PENDING = "pending"
    #: Every dependency settled; it waits for a slot and a worker.
    READY = "ready"
    #: An attempt was sent to a queue; nobody took it yet.
    ASSIGNED = "assigned"
    #: A worker holds the lease of an attempt at its work.
    RUNNING = "running"
    #: Its change exists; gates are open: checks, review, approval, merge.
    IN_REVIEW = "in_review"
    #: A gate refused it; a fix round is due or under way.
    FIXING = "fixing"
    #: Through all its gates. Settled: dependents may start.
    DONE = "done"
    #: Its attempts are used up. Not settled; ``retry`` revives it.
    FAILED = "failed"
    #: Ended by an operator. Not settled.
    CANCELLED = "cancelled"
    #: Left out by the manifest. Settled; its predecessors pass to its dependents.
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

    #: Do what the issue says.
    WORK = "work"
    #: Mend what a gate refused.
    FIX = "fix"
    #: Judge a change; writes nothing.
    REVIEW = "review"
    #: Run the checks on an exact commit, or merge it.
    CHECK = "check"


class Outcome(StrEnum):
    """How an attempt ended. Only ``failed``, ``timed_out`` and ``stalled`` use up an item's attempts."""

    #: It did what it was for, and left proof.
    SUCCEEDED = "succeeded"
    #: It ended without proof of success.
    FAILED = "failed"
    #: It ran into its wall-clock limit.
    TIMED_OUT = "timed_out"
    #: A streaming agent said nothing for too long.
    STALLED = "stalled"
    #: An operator ended it.
    CANCELLED = "cancelled"
    #: The CLI has no valid log-in.
    NOT_LOGGED_IN = "not_logged_in"
    #: The CLI's account ran into a limit.
    USAGE_LIMIT = "usage_limit"
    #: The model, the network or the forge did not answer.
    UNREACHABLE = "unreachable"
    #: No room on the worker's disk.
    DISK_FULL = "disk_full"
    #: The repository or a folder on the worker's machine cannot be worked with.
    NO_WORKSPACE = "no_workspace"
    #: A setting keeps it from being begun; only a person can change that.
    MISCONFIGURED = "misconfigured"
    #: Its worker died or went silent beyond the lease.
    LOST = "lost"
    #: Its claim or its lease was refused; nothing of it counts.
    REFUSED = "refused"

    @property
    def consumes(self) -> bool:
        """It counts against ``max_attempts``."""
        return self in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.STALLED)


class WaitReason(StrEnum):
    """For what an item waits."""

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
