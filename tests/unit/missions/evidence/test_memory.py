"""What is kept of earlier looks and rounds, and when the next look is due."""

from __future__ import annotations

import pytest

from tests.fakes.evidence import (
    BASE,
    HEAD,
    OLD,
    SEEN,
    a_case,
    bots,
    checks,
    evidence,
    mergeability,
    review,
    reviews,
    run,
)
from tinytown.missions.evidence import errors, memory, schedule
from tinytown.missions.evidence.judgement import Failure
from tinytown.missions.records import forge_evidence
from tinytown.missions.records.forge_evidence import ChangeEvidence, Checks, Memory
from tinytown.missions.records.record import Record
from tinytown.state.records import decode, encode

CHECK, OLD_CHECK = ("check", "ci", "github-actions", HEAD), ("check", "ci", "github-actions", OLD)
THREAD, CONFLICT = ("thread", "t1", "c1"), ("conflict", OLD, BASE)


def failure(key: tuple[str, ...], error: str = "") -> Failure:
    return Failure(key, "check", "it failed", error=error)


def test_a_round_is_remembered_by_what_it_was_about() -> None:
    first = memory.after_round(Memory(head=HEAD), [failure(CHECK, "e1"), failure(THREAD)])
    again = memory.after_round(first, [failure(CHECK, "e1")])
    assert again.handled == (CHECK, THREAD)
    assert again.errors == {"e1": 2}


def test_a_new_head_forgets_what_was_about_the_old_one_alone() -> None:
    """Threads and reviews stay answered, and errors counted."""
    old = Memory(
        head=OLD, missing={"e2e": 2}, silent=2, unknown=2, blocked=2, errors={"e1": 1},
        handled=(OLD_CHECK, CONFLICT, THREAD, ("review", "r1")), rerun=(OLD_CHECK,),
    )  # fmt: skip
    new = memory.after_look(a_case(memory=old))
    assert (new.head, new.missing, new.silent, new.unknown, new.blocked) == (HEAD, {}, 0, 0, 0)
    assert new.handled == (THREAD, ("review", "r1"))
    assert new.rerun == ()
    assert new.errors == {"e1": 1}


def test_looking_twice_at_the_same_evidence_changes_nothing() -> None:
    case = a_case(memory=Memory(), checks=checks(workflows=()), mergeability=mergeability("unknown"))
    first = memory.after_look(case)
    assert (first.silent, first.unknown) == (1, 1)
    assert (
        memory.after_look(a_case(memory=first, checks=checks(workflows=()), mergeability=mergeability("unknown")))
        == first
    )


@pytest.mark.parametrize("gone", ["checks", "statuses", "protection"])
def test_a_look_that_brought_nothing_is_no_look(gone: str) -> None:
    found = memory.after_look(a_case(memory=Memory(), **{"checks": checks(workflows=()), gone: None}))
    assert found.silent == 0


def test_what_a_look_did_not_bring_stays_as_it_was() -> None:
    old, newer = evidence(), checks(run(conclusion="failure"))
    new = memory.taken_in(old, ChangeEvidence(checks=newer))
    assert new == old.evolve(checks=newer)


def test_unknown_is_no_news_while_the_commits_are_the_same() -> None:
    old = evidence()
    unknown = mergeability("unknown", conflicts="unknown", due_at=SEEN + 5)
    kept = memory.taken_in(old, ChangeEvidence(mergeability=unknown)).mergeability
    assert kept == mergeability(due_at=SEEN + 5)
    for moved in (unknown.evolve(base_tip="d" * 40), unknown.evolve(head=OLD), unknown.evolve(unreadable="gone")):
        assert memory.taken_in(old, ChangeEvidence(mergeability=moved)).mergeability == moved


def test_a_review_stays_bound_to_the_head_at_which_it_was_first_seen() -> None:
    """The forge binds it to another commit after a push that changes nothing."""
    old = evidence(reviews=reviews(review(head=OLD)))
    rebound = ChangeEvidence(reviews=reviews(review(head=HEAD), review(by="bob")))
    found = memory.taken_in(old, rebound).reviews
    assert found is not None
    assert [one.head for one in found.reviews] == [OLD, HEAD]
    # A look that failed must not make it forget.
    failed = memory.taken_in(old, ChangeEvidence(reviews=reviews(unreadable="no answer")))
    again = memory.taken_in(failed, rebound).reviews
    assert again is not None
    assert again.reviews[0].head == OLD


# -- when to look ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pending", "expected_since", "changed_at", "pause"),
    [
        (True, SEEN - 10, SEEN, 20),
        (True, SEEN - 300, SEEN, 180),
        (False, SEEN - 10, SEEN - 10, 180),
        (False, 0, SEEN - 3599, 180),
        (False, 0, SEEN - 3600, 300),
        (True, 0, SEEN - 3600, 180),
    ],
)
def test_the_next_look_is_sooner_while_something_is_expected(
    pending: bool, expected_since: float, changed_at: float, pause: float
) -> None:
    look = schedule.after(SEEN, interval=180, pending=pending, expected_since=expected_since, changed_at=changed_at)
    assert look.due_at == SEEN + pause
    assert look.good_until == SEEN + pause + 180


def test_a_short_interval_is_never_made_longer_by_what_is_expected() -> None:
    assert schedule.after(SEEN, interval=2, pending=True, expected_since=SEEN, changed_at=SEEN).due_at == SEEN + 2


def test_rules_are_read_seldom() -> None:
    look = schedule.after(SEEN, interval=180, pending=True, expected_since=SEEN, changed_at=SEEN, rules=True)
    assert look.due_at == SEEN + 600


@pytest.mark.parametrize(("failures", "pause"), [(0, 60), (1, 60), (2, 120), (3, 300), (9, 300)])
def test_a_forge_that_does_not_answer_is_asked_less_and_less(failures: int, pause: float) -> None:
    assert schedule.after_failure(SEEN, failures=failures).due_at == SEEN + pause


# -- errors ----------------------------------------------------------------------------------------

ALIKE = [
    ("E   assert 1 == 2 in 0.31s", "E   assert 3 == 4 in 1.5s"),
    ("2026-01-01T10:00:00.123Z Error: x", "2027-12-31T23:59:59Z Error: x"),
    ("\x1b[31mError: x\x1b[0m", "Error:   x"),
    ("/tmp/pytest-of-me/a1/test_a.py:3: Error", "/tmp/pytest-of-you/b2/test_a.py:9: Error"),
    ("Error in 3f2a91bc7d", "Error in 0123456789abcdef"),
    ("compiling\nError: x\nError: x", "other\nError: x"),
    ("", "\n\n"),
]
UNLIKE = [
    ("Error: x", "Error: y"),
    ("test_a.py: Error", "test_b.py: Error"),
    ("E   assert a == b", "E   NameError: b"),
    ("", "Error"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_two_runs_that_fail_alike_have_the_same_error(one: str, other: str) -> None:
    assert errors.normalised(one) == errors.normalised(other)
    assert errors.mark("ci", one) == errors.mark("ci", other)


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_two_runs_that_fail_otherwise_have_not(one: str, other: str) -> None:
    assert errors.mark("ci", one) != errors.mark("ci", other)
    assert errors.mark("ci", one) != errors.mark("lint", one)


def test_a_huge_log_is_read_in_no_time() -> None:
    assert (
        len(errors.normalised("Error " + "a" * 2_000_000 + "\n" + "Error: x\n" * 50_000)) < errors.LINES * errors.LINE
    )


# -- as stored -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        evidence(reviews=reviews(review()), bots=bots(), base_checks=checks(run())),
        ChangeEvidence(),
        Memory(head=HEAD, handled=(CHECK, THREAD), errors={"e": 1}),
        Checks(head=HEAD, seen_at=0, due_at=0, good_until=0, source="actions"),
    ],
)
def test_evidence_comes_back_as_it_was(record: Record) -> None:
    assert decode(type(record), "k", "f", encode(1, record)).record == record


def test_what_a_newer_release_knows_is_kept() -> None:
    newer = ChangeEvidence.model_validate({**evidence().model_dump(), "deployments": {"a": [1]}})
    assert decode(ChangeEvidence, "k", "f", encode(1, newer)).record == newer


def test_no_field_means_one_thing_when_it_is_no_and_another_when_it_is_not_known() -> None:
    """What is empty is not stored, so both would come back as the same."""
    kinds = [kind for kind in vars(forge_evidence).values() if isinstance(kind, type) and issubclass(kind, Record)]
    assert len(kinds) > 15
    assert [
        (kind.__name__, name)
        for kind in kinds
        for name, one in kind.model_fields.items()
        if one.annotation == bool | None
    ] == []
