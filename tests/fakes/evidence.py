"""A change at a forge of which everything is in order; tests say what is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinytown.missions.evidence.case import Case, Subject
from tinytown.missions.evidence.judge import judge
from tinytown.missions.evidence.judgement import Ask, Fix, Judgement, Passed, Wait
from tinytown.missions.records.forge_evidence import (
    Bots,
    ChangeEvidence,
    CheckRun,
    Checks,
    Comment,
    Memory,
    Mergeability,
    Protection,
    RequiredContext,
    Review,
    Reviews,
    Status,
    Statuses,
    Thread,
    Threads,
    WorkflowRun,
)
from tinytown.missions.records.mission import Policy
from tinytown.settings import BotSettings
from tinytown.settings.bots import BUILT_IN

HEAD, OLD = "a" * 40, "b" * 40
BASE = "c" * 40
#: When the head came, when everything was read, and the time of the judgement.
PUSHED, SEEN, NOW = 1000.0, 2000.0, 2010.0
TIMES: Mapping[str, Any] = {"head": HEAD, "seen_at": SEEN, "due_at": SEEN + 190, "good_until": SEEN + 400}
#: The app by which workflows report.
ACTIONS = "github-actions"


def run(name: str = "ci", conclusion: str = "success", **changes: Any) -> CheckRun:
    """A check run of the head that has ended; without a ``conclusion`` it is still running."""
    known = {"app": ACTIONS, "app_id": 15368, "id": 1, "event": "pull_request", "workflow_run": 7, "started_at": 1010.0}
    ended = {"status": "completed" if conclusion else "in_progress", "conclusion": conclusion}
    return CheckRun.model_validate({"name": name, **known, **ended, **changes})


def status(context: str = "legacy", state: str = "success", **changes: Any) -> Status:
    return Status.model_validate({"context": context, "state": state, "created_at": 1010.0, **changes})


def workflow(name: str = "CI", conclusion: str = "success", **changes: Any) -> WorkflowRun:
    ended = {"status": "completed" if conclusion else "in_progress", "conclusion": conclusion}
    known = {"id": 7, "event": "pull_request", "started_at": 1005.0}
    return WorkflowRun.model_validate({"name": name, **known, **ended, **changes})


def comment(body: str = "Why?", *, by: str = "ann", at: float = 1500.0, **changes: Any) -> Comment:
    return Comment.model_validate(
        {"id": f"c{at:.0f}", "author": by, "body": body, "at": at, "trusted": True, **changes}
    )


def our_answer(at: float = 1600.0) -> Comment:
    return comment("Done.", by="tiny", at=at, ours=True)


def thread(*comments: Comment, **changes: Any) -> Thread:
    known = {"id": "t1", "path": "src/app.py", "line": 3, "comments": comments or (comment(),)}
    return Thread.model_validate({**known, **changes})


def review(state: str = "approved", *, by: str = "ann", at: float = 1500.0, **changes: Any) -> Review:
    known = {"id": f"r-{by}-{at:.0f}", "author": by, "state": state, "at": at, "head": HEAD, "may_write": True}
    return Review.model_validate({**known, **changes})


def required(*contexts: str, **changes: Any) -> dict[str, Any]:
    """Fields of a protection that demands these."""
    return {"required": tuple(RequiredContext(context=one) for one in contexts), **changes}


def checks(*runs: CheckRun, **changes: Any) -> Checks:
    return Checks.model_validate({**TIMES, "runs": runs, "workflows": (workflow(),), "has_ci": "yes", **changes})


def statuses(*contexts: Status, **changes: Any) -> Statuses:
    return Statuses.model_validate({**TIMES, "contexts": contexts, **changes})


def bots(*comments: Comment, **changes: Any) -> Bots:
    return Bots.model_validate({**TIMES, "comments": comments, **changes})


def reviews(*found: Review, **changes: Any) -> Reviews:
    return Reviews.model_validate({**TIMES, "reviews": found, "author": "tiny", **changes})


def threads(*found: Thread, **changes: Any) -> Threads:
    return Threads.model_validate({**TIMES, "threads": found, **changes})


def mergeability(state: str = "clean", **changes: Any) -> Mergeability:
    known = {"state": state, "conflicts": "no", "base_tip": BASE}
    return Mergeability.model_validate({**TIMES, **known, **changes})


def protection(**changes: Any) -> Protection:
    return Protection.model_validate({**TIMES, "base": "main", **changes})


def evidence(**changes: Any) -> ChangeEvidence:
    """Evidence of a change that may be merged: one green check, and nothing else is demanded."""
    known: dict[str, Any] = {
        "checks": checks(run()), "statuses": statuses(), "bots": bots(), "reviews": reviews(), "threads": threads(),
        "mergeability": mergeability(), "protection": protection(),
    }  # fmt: skip
    assert set(changes) <= set(ChangeEvidence.model_fields)
    return ChangeEvidence(**{**known, **changes})


def a_case(
    *,
    now: float = NOW,
    memory: Memory | None = None,
    pushed_at: float = PUSHED,
    needs_person: str = "",
    fixing: bool = False,
    reviewed: bool = True,
    merge_wanted: bool = False,
    policy: Mapping[str, Any] | None = None,
    table: Mapping[str, BotSettings] = BUILT_IN,
    **seen: Any,
) -> Case:
    """The case of PR #42 with this evidence; a kind that is not named is in order."""
    subject = Subject(
        name="PR #42", head=HEAD, base="main", pushed_at=pushed_at, needs_person=needs_person,
        fixing=fixing, reviewed=reviewed, merge_wanted=merge_wanted,
    )  # fmt: skip
    rules = Policy.model_validate({"base_check": True, **(policy or {})})
    return Case(subject, evidence(**seen), rules, now, memory or Memory(head=HEAD), table)


def judged(**given: Any) -> Judgement:
    return judge(a_case(**given))


def short(judgement: Judgement) -> str:
    """A judgement in a word, and why it is not merging."""
    word = {Passed: "pass", Wait: "wait", Fix: "fix", Ask: "ask"}[type(judgement)]
    return f"{word}: {judgement.why.removeprefix('PR #42 is not merging because ')}"
