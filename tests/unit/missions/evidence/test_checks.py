"""Checks, statuses and workflows: nothing is green that has not been proven, and nothing red is overlooked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.evidence import (
    ACTIONS,
    HEAD,
    NOW,
    checks,
    judged,
    protection,
    required,
    run,
    short,
    status,
    statuses,
    workflow,
)
from tinytown.missions.evidence.judgement import Ask, Fix
from tinytown.missions.records.forge_evidence import RequiredContext
from tinytown.missions.states import WaitReason

PASS = "pass: nothing keeps PR #42 from merging"


def seen(*runs: Any, **changes: Any) -> dict[str, Any]:
    """Evidence with these check runs."""
    return {"checks": checks(*runs, **changes)}


STORIES: list[tuple[str, dict[str, Any], str]] = [
    ("one green check", {}, PASS),
    ("one running", seen(run(), run("slow", "")), "wait: check `slow` has not finished"),
    ("one queued", seen(run("ci", "", status="queued", started_at=None)), "wait: check `ci` has not begun"),
    (
        "an older run's job is cancelled late and has the higher id",
        seen(
            run(id=900, conclusion="cancelled", started_at=1010, completed_at=1900),
            run("ci", "", id=800, started_at=1020),
        ),
        "wait: check `ci` has not finished",
    ),
    (
        "a newer run passed after an older one failed",
        seen(run(conclusion="failure", id=9), run(id=2, started_at=1500)),
        PASS,
    ),
    (
        "a newer run that has not begun replaces a green one",
        seen(run(), run("ci", "", id=2, status="queued", started_at=None)),
        "wait: check `ci` has not begun",
    ),
    (
        "it cannot be told which is newer",
        seen(run(), run(conclusion="failure", id=2)),
        "fix: check `ci` failed",
    ),
    (
        "a failed matrix leg, and the required job that needs it is skipped",
        seen(run("test (3.11)", "failure"), run("finish", "skipped"))
        | {"protection": protection(**required("finish"))},
        "fix: check `test (3.11)` failed",
    ),
    (
        "the leg is to blame on the base, the skipped job is still red",
        seen(run("finish", "skipped"), run("leg", "failure"))
        | {
            "protection": protection(**required("finish")),
            "base_checks": checks(run("leg", "failure"), head="c", good_until=NOW),
        },
        "fix: check `finish` was skipped because `leg` failed",
    ),
    (
        "a job is skipped because one that it needs was cancelled",
        seen(run("leg", "cancelled"), run("finish", "skipped")),
        "wait: check `finish` was skipped because `leg` was cancelled, and for 1 more reason",
    ),
    ("a job is skipped by its own condition", seen(run(), run("deploy", "skipped")), PASS),
    (
        "a label starts a run that skips what had failed",
        seen(run(conclusion="failure"), run(conclusion="skipped", workflow_run=8, started_at=1500)),
        "fix: check `ci` failed",
    ),
    ("neutral counts as GitHub counts it", seen(run(conclusion="neutral")), PASS),
    (
        "App A's Build failed, App B's newer Build passed",
        seen(run("Build", "failure", app="a", app_id=1), run("Build", app="b", app_id=2, started_at=1900)),
        "fix: check `Build` failed",
    ),
    (
        "the same check failed for one event and passed for another",
        seen(run(conclusion="failure", event="push"), run(started_at=1900)),
        "fix: check `ci` failed",
    ),
    *(
        (f"a check ends as {end}", seen(run(conclusion=end)), f"fix: check `ci` {said}")
        for end, said in [
            ("failure", "failed"),
            ("timed_out", "timed out"),
            ("error", "ended with an error"),
        ]
    ),
    *(
        (
            f"a check ends as {end}",
            seen(run(conclusion=end)),
            f"wait: check `ci` {said}; its runner failed, so it is run again once",
        )
        for end, said in [("stale", "never ended"), ("startup_failure", "could not start")]
    ),
    ("a word that nobody knows", seen(run(conclusion="perhaps")), "wait: check `ci` ended as “perhaps”"),
    ("no word at the end", seen(run(conclusion="", status="completed")), "wait: check `ci` ended without a result"),
    (
        "the step is named",
        seen(run(conclusion="failure", step="Run tests")),
        "fix: check `ci` failed in the step “Run tests”",
    ),
    (
        "instant bot checks are green, and the workflows wait for approval",
        seen(run("license", app="cla"), workflows=(workflow(conclusion="action_required", id=8),)),
        "ask: workflow `CI` waits for a person's approval",
    ),
    (
        "the runs wait for approval as their state",
        seen(run("cla", app="cla"), workflows=(workflow(conclusion="", status="action_required"),)),
        "ask: workflow `CI` waits for a person's approval",
    ),
    (
        "a check itself wants an action",
        seen(run(conclusion="action_required")),
        "ask: check `ci` waits for a person's approval",
    ),
    (
        "a workflow has begun and has no jobs yet",
        seen(run("cla", app="cla", workflow_run=0), workflows=(workflow(conclusion=""),)),
        "wait: workflow `CI` has not finished",
    ),
    (
        "a workflow failed without any job",
        seen(run("cla", app="cla", workflow_run=0), workflows=(workflow(conclusion="failure"),)),
        "fix: workflow `CI` failed",
    ),
    (
        "an older run of a workflow was cancelled",
        seen(run(), workflows=(workflow(conclusion="cancelled", id=3, started_at=900), workflow())),
        PASS,
    ),
    (
        "a run by hand proves nothing",
        seen(run(event="workflow_dispatch"), run("other")) | {"protection": protection(**required("ci"))},
        "wait: check `ci`, required, has not reported",
    ),
    ("a run by hand refuses nothing", seen(run("nightly", "failure", event="workflow_dispatch"), run()), PASS),
    # -- statuses
    ("a status is pending", {"statuses": statuses(status(state="pending"))}, "wait: status `legacy` is pending"),
    (
        "a status failed",
        {"statuses": statuses(status(state="failure", description="2 tests"))},
        "fix: status `legacy` failed: 2 tests",
    ),
    ("a status is an error", {"statuses": statuses(status(state="error"))}, "fix: status `legacy` ended with an error"),
    (
        "a check passed, and a status of the same name failed",
        {"statuses": statuses(status("ci", "failure"))},
        "fix: status `ci` failed",
    ),
    (
        "a status passed, and a check of the same name is running",
        seen(run(conclusion="")) | {"statuses": statuses(status("ci"))},
        "wait: check `ci` has not finished",
    ),
    ("the newest of two statuses", {"statuses": statuses(status(state="failure"), status(created_at=1500.0))}, PASS),
    (
        "a status on the test merge commit hides the head's",
        {"statuses": statuses(status(), merge_contexts=(status(state="failure"),))},
        "fix: status `legacy` failed",
    ),
    ("also a green one", {"statuses": statuses(status(state="failure"), merge_contexts=(status(),))}, PASS),
    (
        "one of another name hides nothing",
        {"statuses": statuses(status(state="failure"), merge_contexts=(status("other"),))},
        "fix: status `legacy` failed",
    ),
    # -- what is required
    (
        "a required check is not there",
        {"protection": protection(**required("ci", "e2e"))},
        "wait: check `e2e`, required, has not reported",
    ),
    (
        "it is said what requires it",
        {"protection": protection(required=(RequiredContext(context="e2e", stated_by="the ruleset gold"),))},
        "wait: check `e2e`, required by the ruleset gold, has not reported",
    ),
    (
        "a required check of another app",
        {"protection": protection(required=(RequiredContext(context="ci", app_id=99),))},
        "wait: check `ci`, required, has not reported",
    ),
    (
        "a required check of this app",
        {"protection": protection(required=(RequiredContext(context="ci", app_id=15368),))},
        PASS,
    ),
    (
        "a required check of this app, which jobs do not tell",
        seen(run(app_id=None), source="actions")
        | {"protection": protection(required=(RequiredContext(context="ci", app_id=15368),))},
        PASS,
    ),
    ("a required status", {"statuses": statuses(status()), "protection": protection(**required("legacy"))}, PASS),
    (
        "nor is that of one that runs",
        seen(run(), workflows=(workflow("e2e", ""),)) | {"protection": protection(**required("e2e"))},
        "wait: check `e2e`, required, has not reported, and for 1 more reason",
    ),
    (
        "a workflow's name is no check",
        seen(run(), workflows=(workflow("e2e"),)) | {"protection": protection(**required("e2e"))},
        "wait: check `e2e`, required, has not reported",
    ),
]


@pytest.mark.parametrize(("given", "then"), [(g, t) for _, g, t in STORIES], ids=[name for name, _, _ in STORIES])
def test_each_story_of_checks(given: dict[str, Any], then: str) -> None:
    assert short(judged(**given)) == then


def test_a_failure_is_known_by_its_check_app_and_head_and_brings_its_log() -> None:
    failed = run(
        "ci", "failure", step="Run tests", log="E   assert 1 == 2", url="https://x/1", annotations=("a.py:3 bad",)
    )
    found = judged(**seen(failed))
    assert isinstance(found, Fix)
    (failure,) = found.failures
    assert failure.key == ("check", "ci", ACTIONS, HEAD)
    assert failure.gate == "check"
    for words in ("https://x/1", "E   assert 1 == 2", "a.py:3 bad"):
        assert words in failure.details


def test_distinct_failures_are_one_fix_each_and_what_only_follows_is_left_out() -> None:
    found = judged(**seen(run("lint", "failure"), run("test", "failure"), run("finish", "skipped")))
    assert isinstance(found, Fix)
    assert [one.key[1] for one in found.failures] == ["lint", "test"]


def test_an_approval_of_runs_is_asked_of_a_person_with_the_address() -> None:
    held = workflow(conclusion="action_required", url="https://x/runs/7")
    found = judged(**seen(run("cla", app="cla"), workflows=(held,)))
    assert isinstance(found, Ask)
    assert (found.whom, found.what) == ("operator", "approve its runs at https://x/runs/7")
    assert found.reason is WaitReason.APPROVAL
