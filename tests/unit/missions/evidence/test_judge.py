"""What holds for every judgement, whatever the evidence."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fakes import evidence as seen
from tests.fakes.evidence import BASE, HEAD, NOW, OLD, SEEN, a_case, evidence, judged, run, short
from tinytown.missions.evidence.case import Case
from tinytown.missions.evidence.judge import BEFORE_REVIEW, findings, judge
from tinytown.missions.evidence.judgement import Ask, Fix, Passed, Wait
from tinytown.missions.records.forge_evidence import ChangeEvidence, Evidence, Memory, RequiredContext

#: The kinds that every judgement rests on.
KINDS = ("checks", "statuses", "bots", "reviews", "threads", "mergeability", "protection")
NAMES = {
    "checks": "checks", "statuses": "commit statuses", "bots": "comments by bots", "reviews": "reviews",
    "threads": "review threads", "mergeability": "mergeability and its state", "protection": "rules for merging",
}  # fmt: skip


def changed(kind: str, **changes: Any) -> dict[str, Any]:
    return {kind: getattr(evidence(), kind).evolve(**changes)}


@pytest.mark.parametrize("kind", KINDS)
def test_evidence_that_is_missing_old_or_of_another_head_is_waited_for(kind: str) -> None:
    what = NAMES[kind]
    assert short(judged(**{kind: None})) == f"wait: its {what} have not been read yet"
    old = judged(**changed(kind, good_until=NOW - 1, seen_at=NOW - 1800))
    assert short(old) == f"wait: its {what} were last read 30 min ago"
    assert isinstance(old, Wait)
    assert old.until == NOW
    other = {"base": "develop"} if kind == "protection" else {"head": OLD}
    where = "another base branch" if kind == "protection" else "an older commit"
    assert short(judged(**changed(kind, **other))) == f"wait: its {what} were read for {where}"


@pytest.mark.parametrize("kind", KINDS)
def test_evidence_that_cannot_be_read_is_waited_for_or_asked_about(kind: str) -> None:
    """It is waited for where it comes back by itself, else whoever runs the town is asked."""
    why = f"its {NAMES[kind]} cannot be read: "
    soon = judged(**changed(kind, unreadable="no answer", due_at=NOW + 60))
    assert short(soon) == f"wait: {why}no answer"
    assert isinstance(soon, Wait)
    assert soon.until == NOW + 60
    never = judged(**changed(kind, unreadable="no permission", lasting=True))
    assert short(never) == f"ask: {why}no permission"
    assert isinstance(never, Ask)
    assert never.whom == "operator"


def test_what_an_agent_mends_comes_before_what_a_person_does_and_before_what_is_waited_for() -> None:
    waiting, asking = run("slow", ""), run("held", "action_required")
    assert isinstance(judged(checks=seen.checks(waiting, asking, run("ci", "failure"))), Fix)
    assert isinstance(judged(checks=seen.checks(waiting, asking)), Ask)
    assert isinstance(judged(checks=seen.checks(waiting)), Wait)


def test_one_sentence_tells_the_first_reason_and_how_many_more_there_are() -> None:
    found = judged(checks=seen.checks(run("a", ""), run("b", ""), run("c", "")))
    assert found.why == "PR #42 is not merging because check `a` has not finished, and for 2 more reasons"


def test_a_name_from_outside_is_no_command_and_no_second_line() -> None:
    found = judged(checks=seen.checks(run("x`tt stop`\n\x1b[31m", "failure")))
    assert "\n" not in found.why
    assert "\x1b" not in found.why
    assert "`tt" not in found.why


def test_a_reviewer_looks_at_what_passes_before_people_and_the_merge_are_waited_for() -> None:
    held = a_case(protection=seen.protection(approvals=2), mergeability=seen.mergeability("blocked"))
    assert isinstance(judge(held), Ask)
    assert isinstance(judge(held, stages=BEFORE_REVIEW), Passed)
    red = a_case(checks=seen.checks(run(conclusion="failure")))
    assert isinstance(judge(red, stages=BEFORE_REVIEW), Fix)


# -- for any evidence ------------------------------------------------------------------------------

CONCLUSIONS = (
    "success",
    "failure",
    "neutral",
    "skipped",
    "cancelled",
    "timed_out",
    "action_required",
    "stale",
    "",
    "odd",
)
TIMES = st.sampled_from((None, 1010.0, 1020.0, 1500.0))

runs = st.builds(
    run,
    st.sampled_from(("ci", "e2e", "finish", "Cursor Bugbot")),
    st.sampled_from(CONCLUSIONS),
    app=st.sampled_from(("github-actions", "other")),
    event=st.sampled_from(("pull_request", "push", "workflow_dispatch")),
    id=st.integers(1, 3),
    workflow_run=st.sampled_from((0, 7, 8)),
    started_at=TIMES,
)
flows = st.builds(
    seen.workflow,
    st.sampled_from(("CI", "Docs")),
    st.sampled_from(CONCLUSIONS),
    id=st.sampled_from((7, 8)),
    started_at=TIMES,
)
contexts = st.builds(
    seen.status,
    st.sampled_from(("ci", "legacy", "CodeRabbit", "tinytown/review")),
    st.sampled_from(("success", "pending", "failure", "error", "odd")),
    created_at=TIMES,
    description=st.sampled_from(("", "Review completed", "Review rate limited")),
)
people = st.sampled_from(("ann", "bob", "tiny", "cursor"))
moments = st.sampled_from((900.0, 1500.0, 1600.0, 1700.0))
comments = st.builds(
    seen.comment,
    st.sampled_from(("Why?", "BUGBOT_BUG_ID")),
    by=people,
    at=moments,
    ours=st.booleans(),
    trusted=st.booleans(),
)
talks = st.builds(
    lambda said, **changes: seen.thread(*said, **changes),
    st.lists(comments, min_size=1, max_size=3, unique_by=lambda one: one.id),
    id=st.sampled_from(("t1", "t2", "t3")),
    resolved=st.booleans(),
    resolved_by_us=st.booleans(),
    outdated=st.booleans(),
)
opinions = st.builds(
    seen.review,
    st.sampled_from(("approved", "changes_requested", "commented", "dismissed", "pending")),
    by=people,
    at=moments,
    head=st.sampled_from((HEAD, OLD)),
    may_write=st.booleans(),
    is_bot=st.booleans(),
    body=st.sampled_from(("", "Rename it.")),
)
demands = st.lists(
    st.builds(
        RequiredContext,
        context=st.sampled_from(("ci", "e2e", "tinytown/review")),
        app_id=st.sampled_from((None, 15368, 9)),
    ),
    max_size=2,
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    found: dict[str, Any] = {
        "checks": seen.checks(
            *draw(st.lists(runs, max_size=5)),
            workflows=tuple(draw(st.lists(flows, max_size=2))),
            source=draw(st.sampled_from(("checks", "actions"))),
            has_ci=draw(st.sampled_from(("yes", "no", "unknown"))),
            seen_at=draw(st.sampled_from((1001.0, SEEN))),
        ),
        "statuses": seen.statuses(
            *draw(st.lists(contexts, max_size=3)), merge_contexts=tuple(draw(st.lists(contexts, max_size=1)))
        ),
        "bots": seen.bots(*draw(st.lists(comments, max_size=1))),
        "reviews": seen.reviews(*draw(st.lists(opinions, max_size=3, unique_by=lambda one: one.id))),
        "threads": seen.threads(*draw(st.lists(talks, max_size=2, unique_by=lambda one: one.id))),
        "mergeability": seen.mergeability(
            draw(st.sampled_from(("clean", "unstable", "blocked", "behind", "dirty", "draft", "unknown"))),
            conflicts=draw(st.sampled_from(("yes", "no", "no", "unknown"))),
            draft_by_us=draw(st.booleans()),
        ),
        "protection": seen.protection(
            required=tuple(draw(demands)),
            approvals=draw(st.integers(0, 1)),
            strict=draw(st.sampled_from(("yes", "no", "unknown"))),
            resolves_threads=draw(st.booleans()),
            dismisses_stale=draw(st.booleans()),
        ),
        "base_checks": draw(st.sampled_from((None, seen.checks(run(conclusion="failure"), head=BASE)))),
    }
    # Most cases are in order but for a few kinds, as otherwise hardly any would pass.
    spoilt = draw(st.sets(st.sampled_from(sorted(found)), max_size=4))
    kept = {kind: value for kind, value in found.items() if kind in spoilt}
    key = ("check", "ci", "github-actions", HEAD)
    memory = Memory(
        head=draw(st.sampled_from((HEAD, OLD))),
        missing={"e2e": draw(st.integers(0, 4))},
        silent=draw(st.integers(0, 4)),
        blocked=draw(st.integers(0, 4)),
        handled=draw(st.sampled_from(((), (key,), (("thread", "t1", "c1500"),)))),
        rerun=draw(st.sampled_from(((), (key,)))),
    )
    rules = {"require_checks": draw(st.booleans()), "required_approvals": draw(st.integers(0, 1))}
    return a_case(memory=memory, policy=rules, **kept)


def without(case: Case, kind: str, how: str) -> Case:
    """The same case with one kind of evidence gone."""
    known: Evidence = getattr(case.evidence, kind)
    gone: Evidence | None = None
    if how == "old":
        gone = known.evolve(good_until=NOW - 1)
    elif how == "unreadable":
        gone = known.evolve(unreadable="no answer")
    elif how == "other head":
        gone = known.evolve(head=OLD, **({"base": "develop"} if kind == "protection" else {}))
    return Case(case.subject, case.evidence.evolve(**{kind: gone}), case.policy, NOW, case.memory, case.bots)


@given(cases(), st.sampled_from(KINDS), st.sampled_from(("missing", "old", "unreadable", "other head")))
@settings(max_examples=examples(40), deadline=None)
def test_nothing_passes_with_a_kind_of_evidence_gone(case: Case, kind: str, how: str) -> None:
    """So taking evidence away never makes anything pass that did not."""
    assert not isinstance(judge(without(case, kind, how)), Passed)


@given(cases())
@settings(max_examples=examples(40), deadline=None)
def test_nothing_passes_with_anything_required_red_or_missing(case: Case) -> None:
    """Told anew from the evidence, in the plainest way: by the names of what is green."""
    if not isinstance(judge(case), Passed):
        return
    found = case.evidence
    assert found.checks is not None
    assert found.statuses is not None
    assert found.protection is not None
    assert found.mergeability is not None
    merging = {one.context for one in found.statuses.merge_contexts}
    stated = [*found.statuses.merge_contexts, *(one for one in found.statuses.contexts if one.context not in merging)]
    green = {one.name for one in found.checks.runs if one.conclusion in ("success", "neutral", "skipped")}
    green |= {one.context for one in stated if one.state == "success"}
    vouched = found.checks.source == "actions" and found.mergeability.state == "clean"
    assert vouched or {one.context for one in found.protection.required} <= green
    for name in {one.name for one in found.checks.runs}:
        mine = [one for one in found.checks.runs if one.name == name and one.event != "workflow_dispatch"]
        assert (
            not mine
            or name == "Cursor Bugbot"
            or any(one.conclusion in ("success", "neutral", "skipped", "failure") for one in mine)
        )
    assert found.mergeability.state in ("clean", "unstable", "behind")
    assert found.mergeability.conflicts != "yes"


@given(cases())
@settings(max_examples=examples(40), deadline=None)
def test_every_judgement_has_one_sentence_and_what_it_needs(case: Case) -> None:
    found = judge(case)
    assert found.why.startswith(("PR #42 is not merging because ", "nothing keeps PR #42 from merging"))
    assert "\n" not in found.why
    assert not found.why.endswith(".")
    match found:
        case Wait():
            assert found.until >= NOW
        case Fix():
            keys = [one.key for one in found.failures]
            assert keys
            assert len(keys) == len(set(keys))
            assert not set(keys) & set(case.memory.handled)
        case Ask():
            assert found.whom
            assert found.what
        case Passed():
            assert findings(case) == []


@given(cases(), st.integers(0, 2**16))
@settings(max_examples=examples(40), deadline=None)
def test_the_order_of_what_was_read_does_not_matter(case: Case, seed: int) -> None:
    chance = random.Random(seed)

    def mixed(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(chance.sample(values, len(values)))

    found = case.evidence
    assert found.checks is not None
    assert found.statuses is not None
    assert found.reviews is not None
    assert found.threads is not None
    assert found.protection is not None
    other = ChangeEvidence(
        checks=found.checks.evolve(runs=mixed(found.checks.runs), workflows=mixed(found.checks.workflows)),
        statuses=found.statuses.evolve(contexts=mixed(found.statuses.contexts)),
        bots=found.bots,
        reviews=found.reviews.evolve(reviews=mixed(found.reviews.reviews)),
        threads=found.threads.evolve(
            threads=mixed([one.evolve(comments=mixed(one.comments)) for one in found.threads.threads])
        ),
        mergeability=found.mergeability,
        protection=found.protection.evolve(required=mixed(found.protection.required)),
        base_checks=found.base_checks,
    )
    assert judge(Case(case.subject, other, case.policy, case.now, case.memory, case.bots)) == judge(case)


def test_the_cases_are_of_every_kind() -> None:
    """Else the properties above would prove little."""
    kinds: set[str] = set()

    @given(cases())
    @settings(max_examples=100, deadline=None, database=None, derandomize=True)
    def collect(case: Case) -> None:
        kinds.add(type(judge(case)).__name__)

    collect()
    assert kinds == {"Passed", "Wait", "Fix", "Ask"}


@pytest.mark.parametrize(
    ("given", "key", "said"),
    [
        (
            {"checks": seen.checks(run(conclusion="failure"))},
            ("check", "ci", "github-actions", HEAD),
            "check `ci` failed, and is being fixed",
        ),
        (
            {"threads": seen.threads(seen.thread())},
            ("thread", "t1", "c1500"),
            "the thread at src/app.py:3 wants an answer, and is being fixed",
        ),
        (
            {"reviews": seen.reviews(seen.review("changes_requested", body="No."))},
            ("review", "r-ann-1500"),
            "ann requested changes, and is being fixed",
        ),
        (
            {"mergeability": seen.mergeability("dirty")},
            ("conflict", HEAD, BASE),
            "it conflicts with `main`, and is being fixed",
        ),
        (
            {"bots": seen.bots(seen.comment("BUGBOT_BUG_ID", by="cursor"))},
            ("comment", "c1500"),
            "the review bot `Cursor Bugbot` found something, and is being fixed",
        ),
    ],
)
def test_a_failure_whose_round_is_under_way_is_waited_for(
    given: dict[str, Any], key: tuple[str, ...], said: str
) -> None:
    """Nobody is asked yet, and no thread is answered before its round is done."""
    memory = Memory(head=HEAD, handled=(key,))
    found = judged(memory=memory, fixing=True, **given)
    assert short(found) == f"wait: {said}"
    assert found.actions == ()
    assert isinstance(judged(fixing=True, **given), Fix)  # It came up during the round for another one.
    assert not isinstance(judged(memory=memory, **given), Fix)
