"""What agents are told, and what ``tt work show`` tells people about their work."""

from __future__ import annotations

import json
import subprocess

from tests.acceptance.project import TT, Project
from tests.waiting import wait_until

ISSUES = {
    1: "# The model\n\ndo: append model.txt one\ndo: say here it is\n",
    2: "# The api\n\nDepends on #1.\n\ndo: say I begin\ndo: wait two\ndo: append api.txt two\n",
    3: "# The question\n\ndo: first 9 fail\n",
}
ROLE = '\n[roles.worker]\nprompt = "prompts/worker.md"\n'


def test_a_brief_is_whole_and_shown_as_it_was(project: Project) -> None:
    """Role, issue, dependencies with their patches, house rules, checks; then the work as it runs, ends and fails."""
    project.root.mkdir(parents=True)
    for name, text in {
        "prompts/worker.md": "Write small functions.\n",
        "AGENTS.md": "Use tabs.\n",
        ".github/copilot-instructions.md": "Use tabs.\n",
        "CONTRIBUTING.md": "One thing at a time.\n",
    }.items():
        path = project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    project.found(ISSUES, checks=["test -f model.txt"], extra=ROLE)
    # Rules are those of the base, not of the folder.
    (project.root / "CLAUDE.md").write_text("Not committed.\n")
    prompt = project.root / "prompts" / "worker.md"
    prompt.rename(prompt.with_suffix(".away"))
    refused = project.tt("mission", "start", "-i", "1", code=2).stderr
    assert "the prompt of the role worker, prompts/worker.md: there is no such file" in refused
    assert "correct `prompt` under [roles.worker]" in refused
    prompt.with_suffix(".away").rename(prompt)
    project.git("checkout", "-q", ".")

    project.spawn("worker")
    (project.root / "plan.md").write_text("Tokens live for an hour.\n")
    mission = project.start(1, 2, options=("--no-reviewer", "--doc", "plan.md"))
    (project.root / "plan.md").unlink()
    run = project.wait_runs(mission, 1, item=2)[0]
    brief = project.brief(mission, 2, run["attempt"])
    shown = ("work", "show", "2", "--brief")
    assert project.tt(*shown).stdout == project.tt(*shown, "--attempt", str(run["attempt"])).stdout == brief
    assert "has no attempt 99\n  see `tt work show 2`" in project.tt(*shown, "--attempt", "99", code=3).stderr
    for words in (
        "## Your role\n\nWrite small functions.",
        "The model\n\nhere it is",
        "model.txt | 1 +",
        "+++ b/model.txt\n@@ -0,0 +1 @@\n+one",
        "Use tabs.",
        "One thing at a time.",
        "Tokens live for an hour.",
        "  `test -f model.txt`",
        "merged into `main`",
    ):
        assert words in brief
    assert brief.count("Use tabs.") == 1, "one text under two names"
    assert "Not committed." not in brief

    # Running: its log so far, and as it grows to its end.
    wait_until(lambda: "I begin" in project.tt("work", "show", "2", "--log").stdout, description="its log is shown")
    assert "has no change yet" in project.tt("work", "show", "2", "--diff", code=4).stderr
    assert "runs for" in project.tt("work", "show", "2").stdout
    words = [str(TT), "work", "show", "2", "--follow"]
    with subprocess.Popen(words, cwd=project.root, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "I begin\n"
        project.allow("two")
        assert following.wait(timeout=30) == 0
    project.wait_state(mission, "completed")

    # Ended.
    assert "+two" in project.tt("work", "show", "2", "--diff").stdout
    assert "model" not in project.tt("work", "show", "2", "--diff").stdout
    assert "no running attempt" in project.tt("work", "show", "2", "--follow", code=4).stderr
    shown = json.loads(project.tt("work", "show", "2", "--json").stdout)
    assert [(a["purpose"], a["report"]["outcome"]) for a in shown["history"]] == [
        ("work", "succeeded"), ("check", "succeeded"), ("check", "succeeded"),
    ]  # fmt: skip
    assert (shown["state"], bool(shown["merged"])) == ("done", True)

    # Failed, without a change.
    mission = project.start(3, options=("--no-reviewer",))
    project.wait_item(mission, 3, lambda i: i.state == "failed", description="#3 failed")
    assert "it failed as told" in project.tt("work", "show", "3", "--log").stdout
    assert "made no change" in project.tt("work", "show", "3", "--diff", code=4).stderr
    assert "failed" in project.tt("work", "show", "3").stdout
    assert "The question" in project.tt("work", "show", "3", "--brief").stdout
