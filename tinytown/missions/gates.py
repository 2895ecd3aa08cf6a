"""What a change must pass, in order: checks, review, approvals, merge. Fails closed.

Every proof is bound to one commit: a check or an approval of another head than the present one counts
for nothing, so a new commit passes all gates again.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinytown import keys
from tinytown.keys import mission_of_branch
from tinytown.missions.fences import calm
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.missions.states import ItemState, Purpose, WaitReason

#: Kinds of items without attempts, which settle when all that they wait for has: a group of tasks, and a task that
#: judges others, in whose reviews it is done.
EPIC = "epic"
VERDICT = "verdict"
FOLLOWERS = frozenset({EPIC, VERDICT})
#: Kind of an item that is a question to the unattended conductor: one run, which leaves no change.
QUESTION = "question"
#: Paths that a reason names.
NAMES = 5


@dataclass(frozen=True)
class Run:
    """An attempt is due."""

    purpose: Purpose


@dataclass(frozen=True)
class Publish:
    """The forge does not have the present head yet."""


@dataclass(frozen=True)
class Hold:
    """It waits for somebody outside."""

    reason: WaitReason
    remedy: str = ""


@dataclass(frozen=True)
class Settle:
    """It passed all its gates."""


@dataclass(frozen=True)
class Nothing:
    """Nothing to do for now."""


Step = Run | Publish | Hold | Settle | Nothing

_NOTHING = Nothing()
#: States in which something would be done for an item by itself.
_GOES_ON = frozenset({ItemState.READY, ItemState.FIXING, ItemState.IN_REVIEW})


def next_step(item: Item, policy: Policy) -> Step:
    """What ``item`` needs next, as if slots and workers were free and the mission not paused."""
    if item.attempt is not None or needs_help(item):
        return _NOTHING
    if item.held and item.merged is None and item.state in _GOES_ON:
        return Hold(WaitReason.NEEDS_HELP, item.held)
    match item.state:
        case ItemState.READY:
            return Settle() if item.kind in FOLLOWERS else Run(Purpose.WORK)
        case ItemState.FIXING:
            return Run(Purpose.FIX)
        case ItemState.IN_REVIEW:
            return _next_gate(item, policy)
        case ItemState.DONE:
            # Dependents were released by the approval; the merge follows.
            held = _held_outside(item) if policy.forge_judges else None
            free = held is None and not item.held
            return Run(Purpose.MERGE) if merge_due(item, policy) and free else _NOTHING
        case _:
            return _NOTHING


def needs_help(item: Item) -> bool:
    """Whether it stays as it is until a person answers; what the forge's evidence asks for ends when that changes."""
    if item.waiting is None or item.waiting.reason is not WaitReason.NEEDS_HELP:
        return False
    known = item.forge_verdict
    return known is None or known.remedy != item.waiting.remedy


def _next_gate(item: Item, policy: Policy) -> Step:
    if item.merged is not None and item.merged_head == item.head:
        return Settle()
    if item.head is not None:
        if item.published != item.head:
            return Run(Purpose.PUBLISH) if policy.forge_judges else Publish()
        if (unchecked := _unchecked(item, policy)) is not None:
            return unchecked
    if is_judged(item, policy) and item.approved != item.subject:
        return Run(Purpose.REVIEW)
    if item.head is None:
        return Settle()
    if policy.forge_judges and item.told != item.approved:
        return Run(Purpose.PUBLISH)  # People who look at the change see who approved it, and what it cost.
    if (unapproved := _unapproved(item, policy)) is not None:
        return unapproved
    if policy.settle_on == "approved" and not item.merge_wanted:
        return Settle()
    if policy.auto_merge or item.merge_wanted:
        return Run(Purpose.MERGE)
    command = f"tt mission merge {mission_of_branch(item.branch)} {item.typed}"
    return Hold(WaitReason.MERGE, f"merge {item.change or item.branch}, or `{command}`")


def is_watched(item: Item, policy: Policy) -> bool:
    """Whether what happens to its change at a remote forge matters."""
    if not policy.forge_judges or not item.published or item.merged is not None:
        return False
    return item.state in (ItemState.IN_REVIEW, ItemState.FIXING, ItemState.DONE)


def goes_by_forge(item: Item, policy: Policy) -> bool:
    """Whether its next step depends on what its remote forge says of the change."""
    waits = item.state is ItemState.IN_REVIEW or merge_due(item, policy)
    return waits and is_watched(item, policy)


def at_forge(item: Item, purpose: Purpose) -> bool:
    """Whether a remote forge is asked to do it, and not this machine's git."""
    return purpose is Purpose.PUBLISH or (purpose is Purpose.MERGE and bool(item.change_id))


def _unchecked(item: Item, policy: Policy) -> Step | None:
    """What is still to come before a reviewer looks at the head."""
    if policy.forge_judges:
        return _held_outside(item, for_review=True)
    return Run(Purpose.CHECK) if policy.checks and item.checked != item.head else None


def _unapproved(item: Item, policy: Policy) -> Hold | None:
    """For whom a head waits that its reviewer approved."""
    if policy.forge_judges:
        return _held_outside(item)
    if not (why := wants_person(item, policy)):
        return None
    run, _, _ = item.branch.removeprefix("tt/").partition("/")
    show = f"look at `tt work show {item.typed} --run {run}`"
    return Hold(WaitReason.APPROVAL, f"{why}; {show}, then `tt mission approve {run} {item.typed}`")


def _held_outside(item: Item, *, for_review: bool = False) -> Hold | None:
    """What the forge's evidence holds it up for; nothing if it is known to be in order."""
    known = item.forge_verdict
    if known is None or known.sha != item.head:
        return Hold(WaitReason.CHECK, "its newest commit is still to be looked at")
    if known.passed or (for_review and known.reviewable):
        return None
    return Hold(known.reason or WaitReason.CHECK, known.remedy)


def is_judged(item: Item, policy: Policy) -> bool:
    """Whether a reviewer looks at it: at every change, and at a result unless that is all that was asked for."""
    if item.judge or not policy.reviewer_required:
        return bool(item.judge)
    if item.head is not None:
        return True
    # Of an issue that is a review only by a mere word a reviewer says whether it should have been a change.
    return not keys.is_task(item.key) and (item.kind != "review" or not item.kind_named)


def wants_person(item: Item, policy: Policy) -> str:
    """Why the present head needs a person's approval; empty if it does not, or has it."""
    if item.head is None or item.human_approved == item.head:
        return ""
    found = why_person(item)
    if policy.required_approvals > 0:
        found.append("every change needs a person's approval (`[policy] required_approvals`)")
    return "; ".join(found)


def why_person(item: Item) -> list[str]:
    """What the present head itself does that a person has to approve."""
    found: list[str] = []
    warnings, doubt = item.review_warnings, item.doubt
    if warnings is not None and warnings.sha == item.head and warnings.protected:
        names = ", ".join(map(calm, warnings.protected[:NAMES]))
        more = f" and {len(warnings.protected) - NAMES} more" if len(warnings.protected) > NAMES else ""
        found.append(f"it touches protected paths: {names}{more}")
    if doubt is not None and doubt.sha == item.head:
        found.append(f"it changes the checks, and the base's own checks fail: {doubt.why}")
    return found


def may_only_answer(item: Item, policy: Policy) -> bool:
    """Whether the work on it may end without a change: that on a task may, and its result counts.

    An issue that only mentions a review may well want a change, so somebody has to judge that it does not.
    """
    if keys.is_task(item.key):
        return True
    return item.kind in ("review", "research") and (item.kind_named or policy.reviewer_required)


def awaits_merge(item: Item) -> bool:
    """Whether nothing is missing but its merge by hand."""
    waits = item.waiting is not None and item.waiting.reason is WaitReason.MERGE
    return waits and item.head is not None and item.state is ItemState.IN_REVIEW


def merged_elsewhere_counts(item: Item, policy: Policy) -> bool:
    """Whether a merge by hand would count: it waits for one or for a person, or it was settled by its approval."""
    if item.head is None or item.merged is not None or item.attempt is not None:
        return False
    if item.state is ItemState.DONE:
        return not merge_due(item, policy)
    asked = item.waiting is not None and item.waiting.reason in (WaitReason.NEEDS_HELP, WaitReason.APPROVAL)
    return awaits_merge(item) or (item.state is ItemState.IN_REVIEW and asked)


def merge_due(item: Item, policy: Policy) -> bool:
    """Whether the item is settled and its merge is still to come."""
    wanted = policy.auto_merge or item.merge_wanted
    return item.state is ItemState.DONE and wanted and item.head is not None and item.merged is None


def loses_proof(item: Item, before: Policy, after: Policy) -> bool:
    """Whether an item that is settled, and not merged yet, would not have settled by other rules."""
    return merge_due(item, after) and _is_proven(item, before) and not _is_proven(item, after)


def _is_proven(item: Item, policy: Policy) -> bool:
    """Whether all gates before the merge are passed."""
    match _next_gate(item.evolve(state=ItemState.IN_REVIEW, attempt=None), policy):
        case Settle() | Run(Purpose.MERGE) | Hold(WaitReason.MERGE):
            return True
        case _:
            return False


def is_left_to_people(item: Item, policy: Policy) -> bool:
    """Whether the item is settled with a change at a remote forge that people merge, if they want it."""
    open_there = bool(item.change_url) and item.head is not None and item.merged is None
    return item.state is ItemState.DONE and open_there and not merge_due(item, policy)


def wants_attempt(item: Item, policy: Policy) -> bool:
    """Whether the item is due: it would run something, be published or settle, if it could."""
    return not isinstance(next_step(item, policy), Nothing | Hold)
