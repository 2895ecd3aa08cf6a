"""A person types as little as can be, and reads lists that say what, when, how long and for how much."""

from __future__ import annotations

import re
import subprocess

from tests.acceptance.project import TT, Project
from tests.waiting import wait_until


def test_a_day_with_few_words(project: Project) -> None:
    closed = '+++\nstate = "completed"\n+++\n# Closed\n'
    project.found(
        {1: "# One\n\ndo: cost 0.25\n", 2: "# Two\n\nDepends on #1.\n", 3: "# Three\n\ndo: wait three\n", 4: closed}
    )
    (project.root / "issues" / "notes.md").write_text("# No issue\n")
    plan = project.json("mission", "plan", "1-2")
    assert plan["objectives"] == ["local/project#1", "local/project#2"]
    assert "#4 is closed as completed" in project.tt("mission", "plan", "1,3-4", code=4).stderr
    assert "cannot be combined" in project.tt("mission", "plan", "1", "--all", code=2).stderr
    assert "issues: 3" not in project.tt("mission", "plan", "--all").stdout
    project.spawn("worker")
    project.tt("mission", "start", "1", "--no-reviewer")
    first = project.json("mission", "status")["id"]
    project.wait_state(first, "completed")
    started = project.tt("mission", "start", "--all", "--no-reviewer")
    assert f"note: local/project#1 is left out: done by mission {first[:8]}" in started.stderr
    assert "📋 Objectives: 2 issues" in started.stdout
    second = project.json("mission", "status")["id"]
    project.wait_runs(second, 1, item=3)

    listed = project.tt("mission", "list", "--all").stdout.splitlines()
    assert listed[0].split() == ["MISSION", "STATE", "STARTED", "TOOK", "COST", "DONE", "WORK"]
    assert re.fullmatch(rf"🚀 +{second[:8]}  running +\d\d:\d\d:\d\d  \S.*  [012]/2 +#2 Two, #3 Three", listed[1]), (
        listed
    )
    assert re.fullmatch(rf"✅ +{first[:8]}  completed  \d\d:\d\d:\d\d  \S.*  \$0.25  1/1 +#1 One", listed[2]), listed
    items = project.tt("work", "list").stdout.splitlines()
    assert items[0].split() == ["ISSUE", "STATE", "ROLE", "AGENT", "RUNS", "TOOK", "COST", "TITLE"]
    assert items[2].endswith("Three")
    assert [i["number"] for i in project.json("work", "list", first[:6])] == [1]
    agents = project.tt("list").stdout.splitlines()
    assert agents[0].split() == ["AGENT", "LABEL", "CLI", "STATE", "FOR", "INBOX", "WORK"]
    assert f"mission {second[:8]}" in agents[1]
    assert f"mission {first[:8]}, completed" in project.tt("work", "show", "1").stdout

    assert "🔁" not in project.tt("mission", "retry").stdout
    assert "noted" in project.tt("mission", "note", "mind the gap").stdout
    assert f"paused: {second}" in project.tt("mission", "stop").stdout
    assert f"resumed: {second}" in project.tt("mission", "resume").stdout

    assert "beat " in project.tt("logs").stdout
    assert "beat" in project.tt("logs", "beat").stdout
    assert "agent-worker.log" in project.tt("logs", "worker").stdout
    assert "is not an agent, a process or an item" in project.tt("logs", "nobody", code=3).stderr
    assert "attempt 1" in project.tt("logs", "1").stdout
    words = [str(TT), "logs", "3", "--follow"]
    with subprocess.Popen(words, cwd=project.root, stdout=subprocess.PIPE, text=True) as followed:
        project.allow("three")
        said, _ = followed.communicate(timeout=90)
    assert followed.returncode == 0
    assert said
    project.wait_state(second, "completed")
    assert "no mission is active" in project.tt("mission", "stop", code=4).stderr
    wait_until(lambda: "idle" in project.tt("list").stdout, description="the agent is free")
