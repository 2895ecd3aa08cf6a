"""Where too little is known of checks, or too early: nothing is green, and a person is asked in time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.evidence import (
    HEAD,
    PUSHED,
    SEEN,
    a_case,
    checks,
    judged,
    mergeability,
    protection,
    required,
    run,
    short,
    statuses,
)
from tinytown.missions.evidence import memory as memories
from tinytown.missions.evidence.judgement import Ask, Fix, Passed, Wait
from tinytown.missions.records.forge_evidence import Known, Memory

PASS = "pass: nothing keeps PR #42 from merging"


def seen(*runs: Any, **changes: Any) -> dict[str, Any]:
    """Evidence with these check runs."""
    return {"checks": checks(*runs, **changes)}


# -- too little, too early -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has_ci", "looks", "require_checks", "then"),
    [
        ("yes", 0, True, "wait: no check has reported yet"),
        ("unknown", 2, True, "wait: no check has reported yet"),
        ("yes", 3, True, "ask: no check looks at it"),
        ("yes", 3, False, PASS),
        ("yes", 0, False, "wait: no check has reported yet"),
        ("no", 0, True, "ask: no check looks at it"),
        ("no", 0, False, PASS),
    ],
)
def test_none_yet_is_not_green(has_ci: Known, looks: int, require_checks: bool, then: str) -> None:
    """A repository without CI is what ``require_checks`` is about; one with CI is given time."""
    given = {"memory": Memory(head=HEAD, silent=looks), "policy": {"require_checks": require_checks}}
    assert short(judged(checks=checks(workflows=(), has_ci=has_ci), **given)) == then


@pytest.mark.parametrize("kind", ["checks", "statuses"])
def test_nothing_is_green_right_after_a_push(kind: str) -> None:
    """What counts is when it was read, not when it is judged."""
    early = {"checks": checks(run()), "statuses": statuses()}
    early[kind] = early[kind].evolve(seen_at=PUSHED + 29)  # type: ignore[attr-defined]
    found = judged(now=PUSHED + 100, **early)
    assert short(found) == "wait: its newest commit is 100 s old, so checks may still begin"
    early[kind] = early[kind].evolve(seen_at=PUSHED + 30)  # type: ignore[attr-defined]
    assert isinstance(judged(now=PUSHED + 100, **early), Passed)


def test_red_is_red_right_after_a_push() -> None:
    assert isinstance(judged(checks=checks(run(conclusion="failure"), seen_at=PUSHED + 1), now=PUSHED + 2), Fix)


def look(memory: Memory, at: float, **given: Any) -> Memory:
    found = {"checks": checks(run(), seen_at=at), "statuses": statuses(seen_at=at), **given}
    return memories.after_look(a_case(memory=memory, now=at, **found))


def test_a_required_check_that_never_comes_is_asked_about_at_the_third_look_at_one_head() -> None:
    rules = {"protection": protection(**required("e2e"))}
    memory = Memory()
    for at in (SEEN, SEEN + 60, SEEN + 120):
        assert isinstance(judged(memory=memory, **rules), Wait)
        memory = look(memory, at, **rules)
    found = judged(memory=memory, **rules)
    assert short(found) == "ask: check `e2e`, required, has not reported at 3 looks"
    assert isinstance(found, Ask)
    assert "e2e" in found.what
    assert look(memory, SEEN + 180).missing == {}  # It is there, or is required no longer.


def test_looks_in_quick_succession_count_once() -> None:
    """News needs time to come: three looks within a second are one."""
    rules = {"protection": protection(**required("e2e"))}
    memory = look(Memory(), SEEN, **rules)
    for at in (SEEN, SEEN + 1, SEEN + 59):
        memory = look(memory, at, **rules)
    assert memory.missing == {"e2e": 1}
    assert look(memory, SEEN + 5, policy={"watch_interval_secs": 5}, **rules).missing == {"e2e": 2}


def test_a_required_check_is_not_asked_about_while_others_run() -> None:
    """A job is seen at the forge only when those that it needs have ended, however long they take."""
    running = checks(run("slow", ""), seen_at=SEEN)
    rules = {"protection": protection(**required("finish"))}
    memory = Memory()
    for at in (SEEN, SEEN + 100, SEEN + 200, SEEN + 300):
        memory = look(memory, at, checks=running.evolve(seen_at=at), **rules)
    assert memory.missing == {"finish": 0}
    asked = Memory(head=HEAD, missing={"finish": 3})
    assert isinstance(judged(memory=asked, checks=running, **rules), Wait)
    assert isinstance(judged(memory=asked, **rules), Ask)


def test_a_required_check_that_was_renamed_between_heads_is_waited_for_anew() -> None:
    """Misses of another head do not count, under whichever name."""
    rules = {"protection": protection(**required("e2e"))}
    old = Memory(head="older", missing={"e2e": 9}, silent=9, blocked=9)
    assert isinstance(judged(memory=old, **rules), Wait)
    assert look(old, SEEN, **rules).missing == {"e2e": 1}
    assert look(old, SEEN, **rules).silent == 0


def test_a_cancelled_check_is_waited_for_and_then_asked_about() -> None:
    cancelled = seen(run(conclusion="cancelled"))
    assert short(judged(**cancelled)) == "wait: check `ci` was cancelled"
    found = judged(memory=Memory(head=HEAD, missing={"ci": 3}), **cancelled)
    assert short(found) == "ask: check `ci` was cancelled at 3 looks"


# -- a token that cannot read checks ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "looks", "then"),
    [
        ("clean", 0, PASS),
        ("has_hooks", 0, PASS),
        ("blocked", 0, "wait: check `e2e`, required, cannot be read with this token"),
        ("unstable", 0, "wait: check `e2e`, required, cannot be read with this token"),
        ("blocked", 3, "ask: check `e2e`, required, cannot be read with this token at 3 looks"),
        ("unknown", 0, "wait: check `e2e`, required, cannot be read with this token"),
    ],
)
def test_where_only_jobs_can_be_read_the_forge_vouches_for_the_rest(state: str, looks: int, then: str) -> None:
    given = {
        **seen(run(), source="actions"),
        "protection": protection(**required("ci", "e2e")),
        "mergeability": mergeability(state),
        "memory": Memory(head=HEAD, missing={"e2e": looks}),
    }
    assert short(judged(**given)) == then


def test_where_only_jobs_can_be_read_an_unstable_change_is_not_green() -> None:
    """Something that is not required has not passed, and nobody can see what."""
    given = {**seen(run(), source="actions"), "mergeability": mergeability("unstable")}
    assert short(judged(**given)) == "wait: a check that cannot be read with this token has not passed"
    assert isinstance(judged(memory=Memory(head=HEAD, blocked=3), **given), Ask)
    assert isinstance(judged(mergeability=mergeability("unstable")), Passed)


def test_a_red_job_is_red_whatever_the_forge_says() -> None:
    assert isinstance(judged(**seen(run(conclusion="failure"), source="actions")), Fix)
