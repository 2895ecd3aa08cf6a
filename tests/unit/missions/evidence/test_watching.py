"""The lines of ``tt mission status --watch``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.evidence import (
    HEAD,
    NOW,
    SEEN,
    a_case,
    checks,
    comment,
    mergeability,
    protection,
    review,
    reviews,
    run,
    statuses,
    thread,
    threads,
)
from tinytown.missions.evidence import watching
from tinytown.missions.records.forge_evidence import Memory


def lines(*, now: float = NOW, **given: Any) -> list[str]:
    return [watching.line("PR #42", one, now=now) for one in watching.watched(a_case(now=now, **given))]


def test_a_failing_check_as_the_tutorial_shows_it() -> None:
    """Though the forge blocks the merge because of it, that is one thing and not two."""
    due = {"due_at": NOW + 180}
    given = {
        "checks": checks(run(conclusion="failure"), **due),
        "statuses": statuses(**due),
        "mergeability": mergeability("blocked"),
    }
    found = lines(**given)
    assert watching.heading(len(found)) == "🚧 Watch Items: 1"
    assert found == ["⚠️  PR #42 CI check: failing (retrying in 180s)"]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"checks": checks(run(conclusion=""))}, "🔄 PR #42 CI check: running (looking again in 180s)"),
        (
            {"checks": checks(run(conclusion="action_required"))},
            "⏳ PR #42 CI check: waiting (for you; looking again in 180s)",
        ),
        (
            {"threads": threads(thread(comment()))},
            "⚠️  PR #42 review threads: failing (retrying in 180s)",
        ),
        (
            {"reviews": reviews(review("changes_requested", body="No."))},
            "⚠️  PR #42 review: failing (retrying in 180s)",
        ),
        (
            {"reviews": reviews(review("changes_requested"))},
            "⏳ PR #42 review: waiting (for ann; looking again in 180s)",
        ),
        (
            {"protection": protection(approvals=1)},
            "⏳ PR #42 approval: waiting (for a person with write access; looking again in 180s)",
        ),
        ({"mergeability": mergeability("dirty")}, "⚠️  PR #42 mergeability: failing (retrying in 180s)"),
        ({"mergeability": mergeability("unknown")}, "⏳ PR #42 mergeability: waiting (looking again in 0s)"),
        ({"mergeability": mergeability("blocked")}, "⏳ PR #42 mergeability: waiting (looking again in 180s)"),
        ({"protection": None}, "⏳ PR #42 branch protection: waiting (looking again in 0s)"),
    ],
)
def test_each_kind_has_a_line(given: dict[str, Any], line: str) -> None:
    assert SEEN + 190 == NOW + 180
    assert lines(**given) == [line]


def test_a_kind_has_one_line_however_much_is_wrong_with_it() -> None:
    found = lines(
        checks=checks(run("a", "failure"), run("b", ""), run("c", "failure")),
        threads=threads(thread(), thread(id="t2")),
        protection=protection(approvals=1),
    )
    assert [one.partition(" (")[0] for one in found] == [
        "⚠️  PR #42 CI check: failing",
        "⚠️  PR #42 review threads: failing",
        "⏳ PR #42 approval: waiting",
    ]


def test_a_change_that_nothing_keeps_from_merging_has_no_line() -> None:
    assert lines() == []


def test_a_time_that_has_come_is_now() -> None:
    assert lines(now=SEEN + 300, checks=checks(run(conclusion="failure"))) == [
        "⚠️  PR #42 CI check: failing (retrying in 0s)"
    ]


def test_what_is_being_fixed_is_still_failing() -> None:
    memory = Memory(head=HEAD, handled=(("check", "ci", "github-actions", HEAD),))
    red = checks(run(conclusion="failure"))
    assert lines(checks=red, memory=memory, fixing=True) == ["⚠️  PR #42 CI check: failing (retrying in 180s)"]
