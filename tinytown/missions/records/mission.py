"""A mission as a whole: its rules, its state, and its open request for help."""

from __future__ import annotations

from typing import Literal

from tinytown import contract
from tinytown.missions.records.record import Record
from tinytown.missions.states import MissionState
from tinytown.settings import PolicySettings

#: The defaults of `[policy]`, which are given only there. A mission stores all of its policy, so it keeps its own.
_TOWN = PolicySettings()


class Policy(Record):
    """A mission's rules, fixed at its start from the town's policy and the flags."""

    max_parallel_items: int = _TOWN.max_parallel_items
    reviewer_required: bool = _TOWN.reviewer_required
    auto_merge: bool = True
    #: ``merged`` or ``approved``: when dependents may start.
    settle_on: Literal["merged", "approved"] = "merged"
    watch_interval_secs: float = _TOWN.watch_interval_secs
    max_attempts: int = _TOWN.max_attempts
    max_fix_rounds: int = _TOWN.max_fix_rounds
    require_checks: bool = _TOWN.require_checks
    checks_appear_secs: float = _TOWN.checks_appear_secs
    drafts: bool = _TOWN.drafts
    required_approvals: int = _TOWN.required_approvals
    budget_usd: float | None = None
    budget_tokens: int | None = None
    #: Whether checks are configured at all; without them merges rest on review alone.
    checks: bool = True
    #: A check that fails on the base as well is the base's fault; off for a mission that is to mend it.
    base_check: bool = False
    #: What the forge says of a change is judged, instead of checks that the town runs itself.
    forge_judges: bool = False
    #: Patterns of paths that a person has to approve.
    protected: tuple[str, ...] = ()
    #: How a remote forge is to merge; empty for the first way that the repository allows.
    merge_method: Literal["", "merge", "squash", "rebase"] = ""


class Help(Record):
    """A request for help that nobody has answered yet."""

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
    #: Keys of the issues asked for, in the order asked. Empty in a head that was read from the store: they are stored
    #: apart, because the head is read at every step of every item.
    objectives: tuple[str, ...] = ()
    forge: str
    repo: str
    base: str
    #: Base branches of further repositories that it works in.
    bases: dict[str, str] = {}
    policy: Policy = Policy()
    #: ``clone``: each attempt works in a private clone; ``none``: in an empty folder, without git.
    workspace: Literal["clone", "none"] = "clone"
    #: What its items are where they are no issues: the tasks of the town's ``plan``, tasks given by ``hand``, or
    #: ``questions`` to the unattended conductor.
    tasks: Literal["", "plan", "hand", "questions"] = ""
    #: Commands that each change must pass, instead of the town's.
    checks: tuple[str, ...] | None = None
    #: Paths of documents that every brief holds, as they were at the start.
    docs: tuple[str, ...] = ()
    #: Remarks of the operator, shown in briefs.
    remarks: tuple[str, ...] = ()
    created_at: float
    finished_at: float | None = None
    #: Why it is paused, failed or cancelled.
    reason: str = ""
    #: What holds up the whole mission, until it is seen to be gone.
    trouble: str = ""
    #: When that began.
    troubled_at: float = 0.0
    help: Help | None = None
    spent_usd: float = 0.0
    #: Runs whose cost is in ``spent_usd``: their mean is the estimate for a run in flight.
    costed_runs: int = 0
    spent_tokens: int = 0
    #: Runs whose tokens are in ``spent_tokens``.
    counted_runs: int = 0

    @property
    def short(self) -> str:
        """The first eight characters of the id, as in branch names."""
        return self.id[:8]

    def base_of(self, repo: str) -> str:
        """The branch that changes in this repository are merged into."""
        return self.bases.get(repo, self.base)
