"""Reviews: the last opinion of each person who may write, and the people who have yet to approve."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.evidence import (
    HEAD,
    OLD,
    checks,
    comment,
    judged,
    our_answer,
    protection,
    review,
    reviews,
    run,
    short,
    thread,
    threads,
)
from tinytown.missions.evidence.judgement import Ask, Fix, Passed
from tinytown.missions.records.forge_evidence import Memory
from tinytown.missions.states import WaitReason

PASS = "pass: nothing keeps PR #42 from merging"
NO = review("changes_requested", body="Rename it.", at=1500.0)
#: By a bot that is listened to.
BOTS = NO.evolve(is_bot=True, may_write=False, author="cursor")
DONE = Memory(head=HEAD, handled=(("review", NO.id),))


def with_reviews(*found: Any, **changes: Any) -> dict[str, Any]:
    return {"reviews": reviews(*found, **changes)}


REFUSALS = [
    ("changes are requested", [NO], {}, "fix: ann requested changes: “Rename it.”"),
    ("and approved later", [NO, review(at=1600.0)], {}, PASS),
    (
        "approved, and then changes are requested",
        [review(at=1400.0), NO],
        {},
        "fix: ann requested changes: “Rename it.”",
    ),
    (
        "a comment later is no opinion",
        [NO, review("commented", at=1600.0)],
        {},
        "fix: ann requested changes: “Rename it.”",
    ),
    ("one that is not sent yet is none", [review("pending", at=1600.0)], {}, PASS),
    ("it was dismissed", [NO.evolve(state="dismissed")], {}, PASS),
    (
        "another person's approval changes nothing",
        [NO, review(by="bob", at=1600.0)],
        {},
        "fix: ann requested changes: “Rename it.”",
    ),
    ("its author may not write", [NO.evolve(may_write=False)], {}, PASS),
    ("a name in another case is the same", [NO, review(by="Ann", at=1600.0)], {}, PASS),
    (
        "its round is done, and everything is answered",
        [NO],
        {"memory": DONE},
        "ask: ann requested changes, and has not looked at it again since everything was answered",
    ),
    (
        "requested for an older head, and its round is done",
        [NO.evolve(head=OLD)],
        {"memory": DONE},
        "ask: ann requested changes, and has not looked at it again since everything was answered",
    ),
    (
        "requested for an older head, and never acted on",
        [NO.evolve(head=OLD)],
        {},
        "fix: ann requested changes: “Rename it.”",
    ),
    (
        "a bot's request is a round",
        [BOTS],
        {},
        "fix: cursor requested changes: “Rename it.”",
    ),
    ("and no more than that", [BOTS], {"memory": DONE}, PASS),
    ("nor is it asked what it means", [BOTS.evolve(body="")], {}, PASS),
    (
        "another bot's words are for people: it may repeat anybody's",
        [BOTS.evolve(author="helper")],
        {},
        "ask: the bot helper, which is not listened to, requested changes",
    ),
    ("without a word", [NO.evolve(body="")], {}, "ask: ann requested changes without saying which"),
    (
        "with its words in a thread",
        [NO.evolve(body="")],
        {"threads": threads(thread())},
        "fix: ann wants an answer in the thread at src/app.py:3: “Why?”",
    ),
    (
        "with all its threads resolved",
        [NO.evolve(body="")],
        {"threads": threads(thread(comment(), our_answer(), resolved=True, resolved_by_us=True))},
        "ask: ann requested changes, and has not looked at it again since everything was answered",
    ),
    (
        "while its threads cannot be read",
        [NO.evolve(body="")],
        {"threads": None},
        "wait: its review threads have not been read yet",
    ),
]


@pytest.mark.parametrize(
    ("found", "given", "then"), [(f, g, t) for _, f, g, t in REFUSALS], ids=[s[0] for s in REFUSALS]
)
def test_each_story_of_refusals(found: list[Any], given: dict[str, Any], then: str) -> None:
    assert short(judged(**with_reviews(*found), **given)) == then


def test_whoever_requested_changes_is_asked_for_their_word() -> None:
    found = judged(**with_reviews(NO), memory=DONE)
    assert isinstance(found, Ask)
    assert (found.whom, found.reason) == ("ann", WaitReason.APPROVAL)


def test_a_review_and_its_threads_are_one_round() -> None:
    found = judged(**with_reviews(NO), threads=threads(thread()))
    assert isinstance(found, Fix)
    assert sorted(one.key[0] for one in found.failures) == ["review", "thread"]
    assert all(one.gate == "review" for one in found.failures)


OLD_YES = review(head=OLD)
APPROVALS = [
    ("one is wanted, nobody approved", [], {"approvals": 1}, "ask: 1 person must approve it on `main`, and nobody did"),
    ("one approved", [review()], {"approvals": 1}, PASS),
    (
        "two are wanted, one approved",
        [review()],
        {"approvals": 2},
        "ask: 2 people must approve it on `main`, and 1 did",
    ),
    (
        "one person twice is one",
        [review(), review(at=1600.0)],
        {"approvals": 2},
        "ask: 2 people must approve it on `main`, and 1 did",
    ),
    ("two people", [review(), review(by="bob")], {"approvals": 2}, PASS),
    (
        "a bot is nobody",
        [review(is_bot=True)],
        {"approvals": 1},
        "ask: 1 person must approve it on `main`, and nobody did",
    ),
    (
        "nor is its own author",
        [review(by="Tiny")],
        {"approvals": 1},
        "ask: 1 person must approve it on `main`, and nobody did",
    ),
    (
        "nor who may not write",
        [review(may_write=False)],
        {"approvals": 1},
        "ask: 1 person must approve it on `main`, and nobody did",
    ),
    ("an old approval counts where the rules keep it", [OLD_YES], {"approvals": 1}, PASS),
    (
        "and not where a push voids it",
        [OLD_YES],
        {"approvals": 1, "dismisses_stale": True},
        "ask: 1 person must approve it on `main`, and nobody did",
    ),
    (
        "nor where the last push must be approved",
        [OLD_YES],
        {"approvals": 1, "last_push_approval": True},
        "ask: `main` wants its last push approved",
    ),
]


@pytest.mark.parametrize(
    ("found", "rules", "then"), [(f, r, t) for _, f, r, t in APPROVALS], ids=[s[0] for s in APPROVALS]
)
def test_what_the_rules_demand_of_people(found: list[Any], rules: dict[str, Any], then: str) -> None:
    assert short(judged(**with_reviews(*found), protection=protection(**rules))) == then


@pytest.mark.parametrize(
    ("found", "passes"), [([], False), ([OLD_YES], False), ([review()], True), ([review(is_bot=True)], False)]
)
def test_the_policys_own_approvals_are_of_this_very_commit(found: list[Any], passes: bool) -> None:
    assert isinstance(judged(**with_reviews(*found), policy={"required_approvals": 1}), Passed) is passes


@pytest.mark.parametrize(
    ("found", "passes"), [([], False), ([OLD_YES], False), ([review()], True), ([review(by="tiny")], False)]
)
def test_protected_paths_wait_for_a_persons_approval_of_that_head(found: list[Any], passes: bool) -> None:
    verdict = judged(**with_reviews(*found), needs_person="it touches protected paths: tinytown.toml")
    assert isinstance(verdict, Passed) is passes
    assert passes or "tinytown.toml" in verdict.why


def test_nobody_is_asked_to_approve_what_does_not_pass() -> None:
    found = judged(checks=checks(run(conclusion="")), protection=protection(approvals=1))
    assert short(found) == "wait: check `ci` has not finished"


def test_those_who_are_asked_at_the_forge_already_are_asked() -> None:
    found = judged(**with_reviews(requested=("bob", "ann")), protection=protection(approvals=1))
    assert isinstance(found, Ask)
    assert found.whom == "ann, bob"
    assert judged(protection=protection(approvals=1)).whom == "a person with write access"  # type: ignore[union-attr]
