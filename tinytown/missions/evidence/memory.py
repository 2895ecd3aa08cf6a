"""What is kept of earlier looks and fix rounds, and of evidence when newer evidence comes."""

from __future__ import annotations

from collections.abc import Iterable

from tinytown.missions.evidence import checks, mergeability
from tinytown.missions.evidence.case import Case, usable
from tinytown.missions.evidence.judge import findings
from tinytown.missions.evidence.judgement import Failure, Kind
from tinytown.missions.records.forge_evidence import (
    ChangeEvidence,
    FailureKey,
    Memory,
    Mergeability,
    RerunOrder,
    Review,
    Reviews,
)

#: Looks nearer to each other than this, or than the interval of the watches, are one: news needs time to come.
SPACING_SECS = 60.0
#: Kinds of failures that are about one head.
_OF_A_HEAD = frozenset({"check", "conflict"})


def after_look(case: Case) -> Memory:
    """The memory with what the case's evidence adds to its counts; a look that was counted counts once."""
    memory = _at_head(case)
    return _count_merge(case, _count_checks(case, memory))


def after_round(memory: Memory, failures: Iterable[Failure]) -> Memory:
    """The memory after a fix round for these was begun."""
    done = tuple(failures)
    errors = dict(memory.errors)
    for mark in dict.fromkeys(one.error for one in done if one.error):
        errors[mark] = errors.get(mark, 0) + 1
    handled = tuple(dict.fromkeys((*memory.handled, *(one.key for one in done))))
    return memory.evolve(handled=handled, errors=errors)


def after_rerun(memory: Memory, key: FailureKey, run: str = "") -> Memory:
    """The memory after it was ordered that a failed check is run again; ``run`` is what failed."""
    times = next((one.times for one in memory.orders if (one.key, one.run) == (key, run)), 0)
    others = tuple(one for one in memory.orders if one.key != key)
    orders = (*others, RerunOrder(key=key, run=run, times=times + 1)) if run else others
    return memory.evolve(rerun=tuple(dict.fromkeys((*memory.rerun, key))), orders=orders)


def new_flakes(case: Case) -> list[FailureKey]:
    """Checks that failed once, passed when they were run again, and were not told of yet."""
    memory = _at_head(case)
    return [key for key in checks.passed_again(case) if key not in memory.flaky]


def taken_in(old: ChangeEvidence, new: ChangeEvidence) -> ChangeEvidence:
    """What is known after a look that brought ``new``: what it did not look at stays as it was."""
    changes = {name: value for name in type(new).model_fields if (value := getattr(new, name)) is not None}
    if new.mergeability is not None and old.mergeability is not None:
        changes["mergeability"] = _unless_unknown(old.mergeability, new.mergeability)
    if new.reviews is not None and old.reviews is not None:
        changes["reviews"] = _as_first_seen(old.reviews, new.reviews)
    return old.evolve(**changes)


def _unless_unknown(old: Mergeability, new: Mergeability) -> Mergeability:
    """While the forge computes it anew, the last word on the same two commits counts as long as it would have."""
    same = (old.head, old.base_tip) == (new.head, new.base_tip) and not old.unreadable
    unknown = not new.unreadable and new.state == "unknown"
    return old.evolve(due_at=new.due_at) if same and unknown else new


def _as_first_seen(old: Reviews, new: Reviews) -> Reviews:
    """Each review stays bound to the head at which it was first seen, whatever the forge says of it later."""
    heads = {one.id: one.head for one in old.reviews}

    def kept(review: Review) -> Review:
        return review.evolve(head=heads.get(review.id, review.head))

    # What could not be read has no reviews, and must not make them new.
    return new.evolve(reviews=tuple(map(kept, new.reviews or (old.reviews if new.unreadable else ()))))


def _at_head(case: Case) -> Memory:
    """The memory for the present head: what is about older ones is left out."""
    memory = case.memory
    if memory.head == case.head:
        return memory
    handled = tuple(key for key in memory.handled if key[0] not in _OF_A_HEAD or case.head in key)
    rerun, flaky = (tuple(key for key in kept if case.head in key) for kept in (memory.rerun, memory.flaky))
    orders = tuple(one for one in memory.orders if case.head in one.key)
    return Memory(head=case.head, handled=handled, rerun=rerun, flaky=flaky, orders=orders, errors=memory.errors)


def _count_checks(case: Case, memory: Memory) -> Memory:
    seen, statuses = case.evidence.checks, case.evidence.statuses
    if seen is None or statuses is None or not usable(case, seen) or not usable(case, statuses):
        return memory
    at = min(seen.seen_at, statuses.seen_at)
    if case.protection is None or not _is_new(case, at, memory.checks_seen_at):
        return memory
    known = checks.judged_states(case)
    step = 0 if checks.may_still_come(known) else 1
    missing = {name: memory.missing.get(name, 0) + step for name in checks.missing(case, known)}
    silent = 0 if known else memory.silent + 1
    return memory.evolve(checks_seen_at=at, missing=missing, silent=silent)


def _count_merge(case: Case, memory: Memory) -> Memory:
    seen = case.evidence.mergeability
    if seen is None or not usable(case, seen) or seen.seen_at <= memory.merge_seen_at:
        return memory
    if mergeability.is_unknown(seen):
        return memory.evolve(merge_seen_at=seen.seen_at, unknown=memory.unknown + 1)
    # Only a change that lacks nothing else is held up for no known reason.
    held = mergeability.is_held(case, seen) and not _else_in_the_way(case)
    if held and not _is_new(case, seen.seen_at, memory.merge_seen_at):
        return memory
    return memory.evolve(merge_seen_at=seen.seen_at, unknown=0, blocked=memory.blocked + 1 if held else 0)


def _else_in_the_way(case: Case) -> bool:
    return any(one.kind is not Kind.MERGE for one in findings(case))


def _is_new(case: Case, at: float, before: float) -> bool:
    return not before or at - before >= min(SPACING_SECS, case.policy.watch_interval_secs)
