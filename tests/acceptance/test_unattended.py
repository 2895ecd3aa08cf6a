"""``tt conductor --unattended``: questions are answered by a CLI that nobody watches, within its limits."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.project import Project
from tests.waiting import wait_until

CLI = Path(__file__).parents[1] / "fakes" / "answering_cli.py"
#: They fail once, so that their missions ask what to do.
ISSUES = {n: f"# Issue\n\ndo: first 1 fail\ndo: write {n}.txt 1\n" for n in (1, 2, 3)}


def unattended(project: Project, script: str, *, timeout: float = 600, sandbox: str = "none") -> None:
    """A town whose mission will ask, with a conductor that does what the script says."""
    entry = f'command = "{sys.executable} -S {CLI}"\nenv = {{ JOURNAL = "{project.journal}" }}'
    extra = f"\n[agent_clis.judge]\n{entry}\n"
    project.found(ISSUES, extra=extra, sandbox=sandbox)
    project.tt("config", "conductor.timeout", str(timeout))
    project.tt("config", "conductor_cli", "judge")
    project.tt("config", "policy.max_attempts", "1")
    project.tt("config", "policy.reviewer_required", "false")
    say(project, script)
    project.spawn("worker")


def say(project: Project, script: str) -> None:
    (project.journal.parent / "script").write_text(script)


def on(project: Project) -> str:
    said = project.tt("conductor", "--unattended").stdout
    wait_until(lambda: "conductor" in project.context().crew.alive(), timeout=60, description="its worker is there")
    return said


def questions(project: Project) -> list[dict[str, Any]]:
    return project.json("status")["questions"]


def processes(project: Project) -> list[str]:
    return [process["name"] for process in project.json("status")["processes"]]


def left(project: Project) -> dict[str, Any]:
    """Wait until the one open question is left to people."""

    def told() -> dict[str, Any] | None:
        found = [q for q in questions(project) if q["unattended"].startswith("the unattended conductor could not")]
        return found[0] if found else None

    try:
        return wait_until(told, timeout=60, description="the question is left to people")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{questions(project)}\n{project.logs()}") from None


def test_a_question_is_answered(project: Project) -> None:
    """A mission asks, the conductor has it tried again, and all of that is told."""
    unattended(
        project,
        "write planted.txt\ntt mission status --json --work\ntt backlog list\n"
        'tt mission note "retry 1"\nsay I retried it',
    )
    assert "is on: judge" in on(project)
    assert "is on already" in project.tt("conductor", "--unattended").stdout
    mission = project.start(1)
    project.wait_state(mission, "completed")
    assert project.git("show", "main:1.txt") == "1"
    assert "planted.txt" not in project.git("ls-tree", "--name-only", "main")
    (asked,) = project.runs("asked")
    assert "Issue #1 failed" in asked["prompt"]
    assert "issues" in asked["files"], "it reads the repository"
    assert asked["budget"] == "5.00", "it may cost what is left of a day's budget"
    looked, listed, noted = project.runs("tt")
    assert json.loads(looked["out"])["id"] == mission
    assert (listed["code"], json.loads(listed["out"])) == (0, [])
    assert (noted["code"], noted["out"].strip()) == (0, "retrying #1")
    wait_until(lambda: project.events(mission, "question_answered"), description="what came of it is told")
    (retried,) = project.events(mission, "item_retried")
    assert retried.data["by"] == "conductor"
    assert "I retried it" in project.tt("history", "-n", "100").stdout
    assert questions(project) == []
    # Its run is kept as any other, and is no mission of anybody's.
    assert project.json("mission", "list") == []
    assert "it used `mission note retry 1`" in project.tt("work", "show", "q1").stdout

    # An agent asks, too.
    say(project, 'tt send worker "Use sqlite."')
    project.tt("send", "conductor", "Which database?", "--query", "--from", "worker")
    wait_until(lambda: project.context().mail.read("worker"), timeout=60, description="it is answered")
    (answer,) = project.context().mail.read("worker")
    assert (answer.sender, answer.text) == ("conductor", "Use sqlite.")
    assert questions(project) == []


def test_what_it_may_not_do_is_refused_and_silence_leaves_the_question(project: Project) -> None:
    script = [
        "tt mission approve 1",
        "tt mission merge 1",
        "tt mission resume --budget-usd 100",
        'tt mission note "resume"',
        "tt config policy.budget_usd 100",
        "tt spawn more",
        "tt stop",
        "tt send worker hello --from operator",
    ]
    unattended(project, "\n".join(script))
    on(project)
    mission = project.start(1)
    other = project.start(2)
    wait_until(lambda: len(project.runs("asked")) == 2, timeout=60, description="both were asked")
    say(project, f'tt mission note {other[:8]} "retry 2"\ntt mission note {mission[:8]} "retry 1"\nsay no')
    refused = project.runs("tt")
    assert {row["code"] for row in refused} <= {2, 4}, refused
    assert "may not use `mission.approve`" in refused[0]["err"]
    question = left(project)
    assert "was refused `mission approve`, `mission merge`" in question["unattended"]
    assert "could not answer" in project.tt("inbox").stdout
    # Another mission is none of its business; nobody asks again.
    say(project, f'tt mission note {other[:8]} "retry 2"\ntt mission note {mission[:8]} "retry 1"')
    third = project.start(3)
    wait_until(lambda: len(project.runs("asked")) == 3, timeout=60, description="the third was asked")
    wait_until(lambda: project.events(third, "question_left"), timeout=60, description="the third is left")
    assert all("you were not asked about" in row["err"] for row in project.runs("tt")[-2:])
    assert len(project.runs("asked")) == 3
    assert len(questions(project)) == 3


def test_a_run_is_ended_by_its_deadline_by_an_answer_or_with_the_town(project: Project) -> None:
    unattended(project, "hang", timeout=2)
    on(project)
    mission = project.start(1)
    assert "reached its time limit" in left(project)["unattended"]
    assert "Issue #1 failed" in project.help()
    project.tt("config", "conductor.timeout", "600")
    # A person answers while it is at it.
    project.tt("mission", "retry", mission, "1")
    project.wait_state(mission, "completed")
    second = project.start(2)
    wait_until(lambda: len(project.runs("asked")) == 2, timeout=60, description="it is asked again")
    project.tt("mission", "retry", second, "2")
    wait_until(lambda: project.events(second, "question_settled"), timeout=60, description="it is not needed")
    project.wait_state(second, "completed")
    # It is switched off while it is at it.
    third = project.start(3)
    wait_until(lambda: len(project.runs("asked")) == 3, timeout=60, description="the third is asked")
    assert "is off: questions" in project.tt("conductor", "--attended").stdout
    wait_until(lambda: project.events(third, "question_left"), timeout=60, description="the third is left")
    wait_until(lambda: "conductor" not in processes(project), timeout=60, description="its process is gone")
