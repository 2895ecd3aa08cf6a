"""Conflicts, which come first, and the forge's own word on the merge, which comes last."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.evidence import (
    BASE,
    HEAD,
    NOW,
    SEEN,
    a_case,
    checks,
    judged,
    mergeability,
    protection,
    required,
    review,
    reviews,
    run,
    short,
    status,
    statuses,
    thread,
    threads,
)
from tinytown.missions.evidence import memory as memories
from tinytown.missions.evidence.judgement import Ask, Fix, MarkReady, Passed, UpdateBranch, Wait
from tinytown.missions.records.forge_evidence import Memory

PASS = "pass: nothing keeps PR #42 from merging"
DIRTY = mergeability("dirty", conflicts="yes", conflicting_files=("a.py", "b.py"))
STRICT = protection(strict="yes")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"checks": checks(workflows=())},
        {"checks": None, "statuses": None, "reviews": None, "threads": None, "bots": None, "protection": None},
        {"checks": checks(run(conclusion="failure")), "threads": threads(thread())},
        {"mergeability": mergeability("unknown", conflicts="yes", conflicting_files=("a.py", "b.py"))},
    ],
)
def test_a_conflict_is_judged_first(given: dict[str, Any]) -> None:
    """A change that is born with one gets no CI, ever: nothing else is waited for."""
    found = judged(**{"mergeability": DIRTY, **given})
    assert short(found) == "fix: it conflicts with `main` in `a.py`, `b.py`"
    assert isinstance(found, Fix)
    (failure,) = found.failures
    assert (failure.key, failure.gate) == (("conflict", HEAD, BASE), "merge")


def test_a_conflict_that_had_its_round_is_asked_about_unless_the_base_moved() -> None:
    done = Memory(head=HEAD, handled=(("conflict", HEAD, BASE),))
    assert isinstance(judged(mergeability=DIRTY, memory=done), Ask)
    assert isinstance(judged(mergeability=DIRTY.evolve(base_tip="d" * 40), memory=done), Fix)


def test_the_names_of_many_files_are_cut() -> None:
    many = DIRTY.evolve(conflicting_files=tuple(f"{n}.py" for n in range(9)))
    assert "`4.py` and 4 more" in judged(mergeability=many).why


STORIES: list[tuple[str, dict[str, Any], str]] = [
    ("clean", {}, PASS),
    ("with hooks", {"mergeability": mergeability("has_hooks")}, PASS),
    ("unstable by what is judged itself", {"mergeability": mergeability("unstable")}, PASS),
    (
        "not computed yet",
        {"mergeability": mergeability("unknown", conflicts="unknown")},
        "wait: the forge has not told yet whether it can be merged",
    ),
    (
        "a word that nobody knows",
        {"mergeability": mergeability("odd")},
        "wait: the forge has not told yet whether it can be merged",
    ),
    (
        "blocked, not computed",
        {"mergeability": mergeability("blocked", conflicts="unknown")},
        "wait: the forge has not told yet whether it can be merged",
    ),
    ("behind, and nobody minds", {"mergeability": mergeability("behind")}, PASS),
    (
        "behind, and it must not be",
        {"mergeability": mergeability("behind"), "protection": STRICT},
        "wait: `main` has moved, and demands that it is up to date",
    ),
    (
        "behind, by a token that may not see whether it must not be",
        {"mergeability": mergeability("behind"), "protection": protection(strict="unknown")},
        "wait: `main` has moved, and demands that it is up to date",
    ),
    ("a draft of ours", {"mergeability": mergeability("draft", draft=True, draft_by_us=True)}, "wait: it is a draft"),
    ("a draft of a person", {"mergeability": mergeability("draft", draft=True)}, "ask: somebody made it a draft"),
    (
        "blocked for no known reason",
        {"mergeability": mergeability("blocked")},
        "wait: the forge blocks the merge and does not say why",
    ),
    (
        "blocked at three looks",
        {"mergeability": mergeability("blocked"), "memory": Memory(head=HEAD, blocked=3)},
        "ask: the forge blocks the merge and does not say why",
    ),
    (
        "our own status is required and not there",
        {"mergeability": mergeability("blocked"), "protection": protection(**required("ci", "tinytown/review"))},
        "wait: its status `tinytown/review` is not set yet, and for 1 more reason",
    ),
    (
        "our own status is required and there",
        {
            "statuses": statuses(status("tinytown/review")),
            "protection": protection(**required("ci", "tinytown/review")),
        },
        PASS,
    ),
    ("our own status refused it", {"statuses": statuses(status("tinytown/review", "failure"))}, PASS),
]


@pytest.mark.parametrize(("given", "then"), [(g, t) for _, g, t in STORIES], ids=[s[0] for s in STORIES])
def test_each_story_of_merging(given: dict[str, Any], then: str) -> None:
    assert short(judged(**given)) == then


def test_what_is_to_be_done_about_it_comes_along() -> None:
    assert judged(mergeability=mergeability("behind"), protection=STRICT).actions == (UpdateBranch(),)
    assert judged(mergeability=mergeability("draft", draft=True, draft_by_us=True)).actions == (MarkReady(),)


@pytest.mark.parametrize(
    "first",
    [
        {"checks": checks(run(conclusion=""))},
        {"checks": checks(run(conclusion="failure"))},
        {"threads": threads(thread())},
    ],
)
def test_a_branch_is_not_updated_while_its_head_is_of_use(first: dict[str, Any]) -> None:
    """An update throws its checks away, and a fix makes another head anyway."""
    found = judged(mergeability=mergeability("behind"), protection=STRICT, **first)
    assert UpdateBranch() not in found.actions


def test_code_owners_are_named_where_they_may_be_the_reason() -> None:
    given = {"mergeability": mergeability("blocked"), "memory": Memory(head=HEAD, blocked=3)}
    found = judged(protection=protection(code_owners=True, approvals=1), reviews=reviews(review()), **given)
    assert isinstance(found, Ask)
    assert found.what == "have its code owners review it"


def test_unknown_is_asked_again_after_5_10_and_20_seconds() -> None:
    memory, pauses = Memory(), []
    for at in (SEEN, SEEN + 5, SEEN + 15, SEEN + 35):
        case = a_case(memory=memory, now=at, mergeability=mergeability("unknown", conflicts="unknown", seen_at=at))
        memory = memories.after_look(case)
        memory = memories.after_look(
            a_case(memory=memory, now=at, mergeability=case.evidence.mergeability)
        )  # counts once
        found = judged(memory=memory, now=at, mergeability=case.evidence.mergeability)
        assert isinstance(found, Wait)
        pauses.append(found.until - at)
    assert pauses == [5, 10, 20, 20]
    known = memories.after_look(a_case(memory=memory, now=at + 20, mergeability=mergeability(seen_at=at + 20)))
    assert known.unknown == 0


def test_only_a_change_that_lacks_nothing_else_is_counted_as_blocked() -> None:
    blocked = mergeability("blocked")
    assert memories.after_look(a_case(mergeability=blocked, memory=Memory())).blocked == 1
    waiting = a_case(mergeability=blocked, checks=checks(run(conclusion="")), memory=Memory())
    assert memories.after_look(waiting).blocked == 0
    again = Memory(head=HEAD, blocked=2, merge_seen_at=SEEN - 60)
    assert memories.after_look(a_case(mergeability=blocked, memory=again)).blocked == 3
    assert memories.after_look(a_case(mergeability=blocked, memory=again.evolve(merge_seen_at=SEEN - 59))).blocked == 2
    assert memories.after_look(a_case(memory=again)).blocked == 0


def test_a_conflict_is_not_told_from_old_news() -> None:
    assert isinstance(judged(mergeability=DIRTY.evolve(good_until=NOW - 1)), Wait)
    assert isinstance(judged(mergeability=DIRTY.evolve(head="other")), Wait)
    assert isinstance(judged(), Passed)


OUR_DRAFT = mergeability("draft", draft=True, draft_by_us=True)


def test_a_draft_is_marked_as_ready_before_people_are_asked_to_approve_it() -> None:
    found = judged(mergeability=OUR_DRAFT, protection=protection(approvals=1))
    assert found.actions == (MarkReady(),)
    red = judged(mergeability=OUR_DRAFT, checks=checks(run(conclusion="failure")))
    assert MarkReady() not in red.actions
    early = judged(mergeability=OUR_DRAFT, reviewed=False)
    assert short(early) == "wait: it is a draft until its reviewer has approved it"
    assert early.actions == ()


def test_a_branch_is_updated_only_if_tinytown_is_to_merge_it() -> None:
    """Else it would be updated, and checked, each time that the base moves."""
    given = {"mergeability": mergeability("behind"), "protection": STRICT, "policy": {"auto_merge": False}}
    found = judged(**given)
    assert isinstance(found, Passed)
    assert found.remarks == ("`main` has moved: update the branch before you merge it",)
    assert judged(merge_wanted=True, **given).actions == (UpdateBranch(),)
