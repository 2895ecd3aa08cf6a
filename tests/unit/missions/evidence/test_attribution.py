"""Whose fault a failed check is, and when its error is shown to a person."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.evidence import (
    ACTIONS,
    HEAD,
    NOW,
    a_case,
    checks,
    judged,
    protection,
    required,
    run,
    short,
)
from tinytown.missions.evidence import memory as memories
from tinytown.missions.evidence.judge import judge
from tinytown.missions.evidence.judgement import Ask, Fix, Passed, Rerun, Wait
from tinytown.missions.records.forge_evidence import Memory
from tinytown.missions.states import WaitReason

PASS = "pass: nothing keeps PR #42 from merging"


def seen(*runs: Any, **changes: Any) -> dict[str, Any]:
    """Evidence with these check runs."""
    return {"checks": checks(*runs, **changes)}


# -- whose fault it is -----------------------------------------------------------------------------

RED = run(conclusion="failure", id=5, log="E   assert 1 == 2")
KEY = ("check", "ci", ACTIONS, HEAD)


def on_base(*runs: Any, **changes: Any) -> Any:
    return checks(*runs, **{"head": "c" * 40, **changes})


def test_what_fails_on_the_base_as_well_is_run_again_once_and_is_then_the_bases_fault() -> None:
    given = {
        **seen(RED),
        "base_checks": on_base(run(conclusion="failure", event="push")),
        "protection": protection(**required("ci")),
    }
    first = judged(**given)
    assert short(first) == "wait: check `ci` failed; it fails on the base as well, so it is run again once"
    (order,) = first.actions
    assert order == Rerun(KEY, 5, 7, "it fails on the base as well", order.run)  # type: ignore[union-attr]
    again = judged(memory=memories.after_rerun(Memory(head=HEAD), KEY), **given)
    assert short(again) == "ask: check `ci` failed, on `main` as well"
    assert isinstance(again, Ask)
    assert again.reason is WaitReason.BASE_FAILING


def test_an_order_that_was_lost_is_given_again_and_not_for_ever() -> None:
    lost = run(conclusion="failure", id=5, completed_at=NOW - 9, annotations=("The hosted runner lost communication",))
    memory, orders = Memory(head=HEAD), 0
    while isinstance(found := judged(memory=memory, **seen(lost)), Wait) and found.actions:
        (order,) = found.actions
        assert isinstance(order, Rerun)
        memory = memories.after_rerun(memory, order.key, order.run)
        orders += 1
    assert (orders, short(found).partition(":")[0]) == (5, "ask")
    # Once it has run, the order was carried out, whatever the number of the run.
    memory = memories.after_rerun(Memory(head=HEAD), KEY, order.run)
    for later in (lost.evolve(completed_at=NOW - 1), lost.evolve(id=6)):
        assert short(judged(memory=memory, **seen(later))).startswith("ask: ")


def test_what_fails_on_the_base_and_is_not_required_holds_up_nothing() -> None:
    given = {**seen(RED, run("other")), "base_checks": on_base(run(conclusion="failure", event="push"))}
    found = judged(memory=Memory(head=HEAD, rerun=(KEY,)), **given)
    assert short(found) == PASS
    assert found.remarks == ("check `ci` failed, on `main` as well",)


@pytest.mark.parametrize(
    "base",
    [
        on_base(run(event="push")),
        on_base(run(conclusion="failure", started_at=900.0), run(started_at=950.0)),
        on_base(run("other", "failure")),
        on_base(run(conclusion="failure", event="push"), run(event="merge_group")),
        on_base(run(conclusion="failure", app="b")),
        on_base(run(conclusion="cancelled")),
        on_base(run(conclusion="failure"), good_until=NOW - 1),
        on_base(run(conclusion="failure"), unreadable="timed out"),
        None,
    ],
)
def test_what_is_not_proven_to_fail_on_the_base_is_the_changes_fault(base: Any) -> None:
    assert isinstance(judged(**seen(RED), base_checks=base), Fix)


def test_the_newest_conclusive_run_of_the_base_counts() -> None:
    """Not one that was cancelled, or that still runs."""
    base = on_base(
        run(conclusion="failure"), run(conclusion="cancelled", started_at=1800.0), run(conclusion="", started_at=1900.0)
    )
    assert isinstance(judged(**seen(RED), base_checks=base), Wait)


def test_a_mission_that_is_to_mend_the_base_has_no_such_excuse() -> None:
    given = {**seen(RED), "base_checks": on_base(RED), "policy": {"base_check": False}}
    assert isinstance(judged(**given), Fix)


@pytest.mark.parametrize(
    "failed",
    [
        RED.evolve(annotations=("The hosted runner lost communication with the server.",)),
        RED.evolve(log="The runner has received a shutdown signal."),
        RED.evolve(log="Failed to download action 'https://api'"),
        run(conclusion="startup_failure", id=5),
        run(conclusion="stale", id=5),
    ],
)
def test_a_fault_of_the_runner_is_run_again_once_and_then_asked_about(failed: Any) -> None:
    first = judged(**seen(failed))
    assert isinstance(first, Wait)
    assert [type(one) for one in first.actions] == [Rerun]
    again = judged(memory=Memory(head=HEAD, rerun=(KEY,)), **seen(failed))
    assert isinstance(again, Ask)
    assert "the change cannot have caused it" in again.why


def test_a_fault_of_the_network_is_run_again_once_and_is_then_the_changes() -> None:
    failed = RED.evolve(log="curl: (6) Could not resolve host: example.org")
    assert isinstance(judged(**seen(failed)), Wait)
    assert isinstance(judged(memory=Memory(head=HEAD, rerun=(KEY,)), **seen(failed)), Fix)


def test_words_about_the_network_far_above_the_end_are_no_excuse() -> None:
    log = "Connection reset by peer, trying again\n" + "fine\n" * 30 + "E   assert 1 == 2"
    assert isinstance(judged(**seen(RED.evolve(log=log))), Fix)


def test_a_check_that_passes_when_run_again_is_said_to_have_failed_once() -> None:
    found = judged(memory=Memory(head=HEAD, rerun=(KEY,)))
    assert isinstance(found, Passed)
    assert found.remarks == ("check `ci` failed once and passed when it was run again",)


def test_a_rerun_is_left_out_where_a_fix_makes_another_head_anyway() -> None:
    found = judged(**seen(run("lint", "failure"), run("ci", "stale", id=5)))
    assert isinstance(found, Fix)
    assert found.actions == ()


def test_the_same_error_after_two_rounds_is_shown_to_a_person() -> None:
    """The head differs each time, and so do times, places and numbers in the log."""
    memory = Memory()
    for at, head in enumerate(("1" * 40, "2" * 40)):
        where = f"/home/runner/work/x/{head}/test_a.py:1{at}"
        log = f"2026-01-0{at + 1}T10:00:0{at}Z {where}: E   assert {at} == 2 in {at}.31s"
        case = a_case(memory=memory, checks=checks(run(conclusion="failure", log=log)))
        found = judge(case)
        assert isinstance(found, Fix)
        memory = memories.after_round(memory, found.failures).evolve(handled=())
    same = run(
        conclusion="failure", log="2026-02-02T11:11:11Z /home/runner/work/x/abc/test_a.py:99: E   assert 7 == 2 in 1.2s"
    )
    assert (
        short(judged(memory=memory, **seen(same))) == "ask: check `ci` failed, with the same error after 2 fix rounds"
    )
    other = run(conclusion="failure", log="E   NameError: name 'x' is not defined")
    assert isinstance(judged(memory=memory, **seen(other)), Fix)


def test_a_failure_that_had_its_round_on_this_very_head_has_no_second_one() -> None:
    found = judged(memory=Memory(head=HEAD, handled=(KEY,)), **seen(RED))
    assert short(found) == "ask: check `ci` failed, and its fix round left the commit as it was"
