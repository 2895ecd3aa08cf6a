"""``tt mission plan``: what a mission would do, said without doing any of it; and missions on GitHub."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.fakes.github.hub import GitHub
from tests.fakes.github.requests import Answer
from tests.waiting import patience, wait_until
from tinytown.host import lifecycle as towns

ISSUES = {
    1: "# Design the login\n\nThe design comes first.\n",
    2: "# Build the api\n\nDepends on #1.\n",
    3: '+++\nblocked_by = [1]\nlabels = ["role:tester"]\n+++\n# Try "everything" <b>`twice`</b> #39;\n\nAfter #2\n',
    4: "# Write it down\n\nRequires #9\n",
    5: "# Between\n\nDepends on #1.\n",
    6: "# Last\n\nDepends on #5.\n",
    8: '+++\nstate = "completed"\n+++\n# Done before\n',
    9: "# Elsewhere\n",
    11: "# Hen\n\nSome words first.\n\nDepends on #12.\n",
    12: "# Egg\n\nBlocked by #11\n",
}
EVERY = ("-i", "1", "-i", "2", "-i", "3", "-i", "4")


def test_a_plan_of_a_stopped_town_starts_nothing(project: Project) -> None:
    """Order, waves, critical path, provenance, roles and waits; the town is as stopped as before."""
    project.found(ISSUES)
    project.tt("stop")
    before = sorted(str(path) for path in project.root.rglob("*") if "/.git/" not in str(path))
    done = project.tt("mission", "plan", *EVERY)
    assert done.stdout.splitlines() == [
        "📋 Plan: 4 work items for local/project, base main (nothing is started)",
        "🌊 Wave 1: 2 items",
        "   Issue #1: Design the login — designer, design 🎯",
        "      ⏳ would wait: no worker (no running worker has the role designer: run `tt spawn designer`)",
        "   Issue #4: Write it down — worker, implement",
        "      after #9, outside the mission, open (text, line 3: Requires #9)",
        '      ⏳ would wait: external blocker (close local/project#9 as completed: `state = "completed"` in its file)',
        "🌊 Wave 2: 1 item",
        "   Issue #2: Build the api — backend, implement 🎯",
        "      after #1 (text, line 3: Depends on #1.)",
        "🌊 Wave 3: 1 item",
        '   Issue #3: Try "everything" <b>`twice`</b> #39; — tester only, test 🎯',
        "      after #1 (front matter)",
        "      after #2 (text, line 7: After #2)",
        "🎯 Critical path: #1 → #2 → #3 (3 of 4 items)",
        "👷 Roles: the town is stopped, so no agent is running",
        "   backend: 1 item, nobody; run `tt spawn backend`",
        "   designer: 1 item, nobody; run `tt spawn designer`",
        "   tester: 1 item, nobody; run `tt spawn tester`",
        "   worker: 1 item, nobody; run `tt spawn worker`",
        "   review: 4 items, nobody; run `tt spawn reviewer`",
        "📏 Limits: 2 at once",
    ]
    plan = project.json("mission", "plan", *EVERY, "--max-parallel", "3", "--no-reviewer")
    assert plan["town"] == "stopped"
    assert plan["order"] == [f"local/project#{n}" for n in (1, 2, 3, 4)]
    assert plan["waves"] == [["local/project#1", "local/project#4"], ["local/project#2"], ["local/project#3"]]
    assert plan["critical_path"] == [f"local/project#{n}" for n in (1, 2, 3)]
    assert (plan["policy"]["max_parallel_items"], plan["reviewers"]) == (3, [])
    third = plan["items"][2]
    assert [(e["on"], e["source"], e["line"], e["external"]) for e in third["depends_on"]] == [
        ("local/project#1", "native", 0, False),
        ("local/project#2", "text", 7, False),
    ]
    assert (third["role"], third["role_named"], third["wave"], third["critical"]) == ("tester", True, 3, True)
    assert third["waiting"]["reason"] == "dependencies"
    assert sorted(str(path) for path in project.root.rglob("*") if "/.git/" not in str(path)) == before
    assert not [one for one in towns.processes(project.town) if one.pid]
    assert not project.town.runtime.exists()


def test_the_graph_for_mermaid_is_all_that_is_printed(project: Project) -> None:
    """Titles are data: nothing in one ends its quotes, makes a tag or an entity."""
    project.found(ISSUES)
    project.tt("stop")
    done = project.tt("mission", "plan", *EVERY, "--mermaid")
    assert done.stdout.splitlines() == [
        "graph TD",
        '    n1["#1 Design the login"]',
        '    n2["#2 Build the api"]',
        '    n3["#3 Try #34;everything#34; #60;b#62;#96;twice#96;#60;/b#62; #35;39;"]',
        '    n4["#4 Write it down"]',
        '    x1(["#9"])',
        '    n1 -->|"text, line 3"| n2',
        '    n1 -->|"front matter"| n3',
        '    n2 -->|"text, line 7"| n3',
        '    x1 -.->|"text, line 3"| n4',
        "    classDef critical stroke-width:3px",
        "    class n1,n2,n3 critical",
    ]
    assert "cannot be used together" in project.tt("mission", "plan", "-i", "1", "--mermaid", "--json", code=2).stderr
    assert "cannot be used together" in project.tt("mission", "status", "--follow", "--json", code=2).stderr


def test_a_circle_and_other_faults_are_those_of_a_start(project: Project) -> None:
    project.found(ISSUES)
    project.tt("stop")
    said = project.tt("mission", "plan", "-i", "11", "-i", "12", code=4).stderr
    assert "local/project#11 -> local/project#12 -> local/project#11" in said
    assert "local/project#11 line 5: Depends on #12." in said
    assert "local/project#12 line 3: Blocked by #11" in said
    assert "issues/99.md" in project.tt("mission", "plan", "-i", "99", code=3).stderr
    assert "is closed as completed" in project.tt("mission", "plan", "-i", "8", code=4).stderr
    assert "at least one issue" in project.tt("mission", "plan", code=2).stderr


def test_a_running_town_says_who_could_take_what(project: Project, tmp_path: Path) -> None:
    """Slots, a manifest's skip, an issue that a mission has already, and a repository that is not ready."""
    project.found(ISSUES)
    project.spawn("backend", "worker", "rev")
    manifest = tmp_path / "mission.toml"
    manifest.write_text("[[overrides]]\nissue = 5\nskip = true\n[[overrides]]\nissue = 9\ndepends_on = [1]\n")
    options = ("--manifest", str(manifest), "--max-parallel", "1")
    words = ("mission", "plan", "-i", "1", "-i", "2", "-i", "4", "-i", "5", "-i", "6", "-i", "9", *options)
    plan = project.json(*words)
    items = {item["number"]: item for item in plan["items"]}
    assert plan["town"] == "running"
    assert plan["skipped"] == ["local/project#5"]
    assert [(e["source"], e["on"]) for e in items[6]["depends_on"]] == [("skipped", "local/project#1")]
    assert [(e["source"], e["on"]) for e in items[9]["depends_on"]] == [("manifest", "local/project#1")]
    roles = {role["role"]: [w["name"] for w in role["workers"]] for role in plan["roles"]}
    assert roles == {"backend": ["backend"], "designer": ["rev", "worker"], "worker": ["rev", "worker"]}
    assert (items[2]["takers"], items[1]["takers"]) == (["backend"], ["rev", "worker"])
    assert items[1]["waiting"] is None
    assert items[4]["waiting"]["reason"] == "dependencies"
    assert sorted(plan["reviewers"]) == ["backend", "rev", "worker"]
    assert plan["refusals"] == []
    free = project.json("mission", "plan", "-i", "1", "-i", "9", "--max-parallel", "1")["items"]
    assert [item["waiting"] and item["waiting"]["reason"] for item in free] == [None, "slots"]
    text = project.tt(*words).stdout
    assert "⏩ Skipped: #5: Between" in text
    assert "after #1 (passed on by local/project#5)" in text
    assert f"after #1 (manifest, {manifest}:4)" in text
    assert "designer: 1 item, rev as worker, worker as worker" in text
    assert project.json("mission", "list", "--all") == []

    project.tt("kill", "backend")
    project.tt("kill", "worker")
    project.tt("kill", "rev")
    mission = project.start(9)
    project.git("switch", "-q", "--detach")
    refused = project.json("mission", "plan", "-i", "1", "-i", "9")["refusals"]
    assert [one["message"] for one in refused] == [
        f"{project.root} has a detached HEAD",
        f"local/project#9 is already in mission {mission}",
    ]
    assert "🚫 Starting would be refused" in project.tt("mission", "plan", "-i", "9").stdout


def test_a_thousand_issues_take_seconds(project: Project) -> None:
    numbers = range(1, 1001)
    project.found({n: f"# Issue {n}\n\nWords.\n\nDepends on #{max(n // 2, 1)}.\n" for n in numbers})
    project.tt("stop")
    begun = time.monotonic()
    plan = project.json("mission", "plan", *(word for n in numbers for word in ("-i", str(n))))
    assert time.monotonic() - begun < patience(20)
    assert len(plan["order"]) == 1000
    assert len(plan["critical_path"]) == 10


# -- GitHub --------------------------------------------------------------------------------------


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    github = GitHub(tmp_path / "github")
    github.person("tinytown")
    github.token("tinytown", value="ghp_canary0123456789")
    github.issue("octo/lib#7", state="closed", reason="completed")
    github.issue("octo/lib#8", state="closed", reason="not_planned")
    github.issue(1, title="Design", labels=("role:designer",))
    github.issue(2, title="Build", body="Depends on #1 and octo/lib#7.", blocked_by=("octo/lib#8",))
    with github.running():
        yield github


@pytest.fixture
def on_github(project: Project, github: GitHub, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A town whose issues are on GitHub."""
    monkeypatch.setenv("GH_TOKEN", "ghp_canary0123456789")
    project.found({9: "# Here"})
    file = project.root / "tinytown.toml"
    text = re.sub(r'kind = "local"', f'kind = "github"\nbase_url = "{github.base_url}"', file.read_text(), count=1)
    file.write_text(re.sub(r'repo = "project"', 'repo = "octo/site"', text))
    return project


def test_a_plan_of_issues_on_github(on_github: Project, github: GitHub) -> None:
    """Read through its API: by number, key and address, native edges first, the state of what lies outside."""
    done = on_github.tt("mission", "plan", "-i", f"{github.web}/octo/site/issues/2", "-i", "#1", "--json")
    plan = json.loads(done.stdout)
    assert (plan["repo"], plan["forge"], plan["order"]) == ("octo/site", "github", ["octo/site#1", "octo/site#2"])
    second = plan["items"][1]
    assert [(e["on"], e["source"], e["external"]) for e in second["depends_on"]] == [
        ("octo/site#1", "text", False),
        ("octo/lib#7", "text", True),
        ("octo/lib#8", "native", True),
    ]
    assert second["blockers"] == ["octo/lib#8"]
    assert second["url"] == f"{github.web}/octo/site/issues/2"
    (refusal,) = plan["refusals"]
    assert "octo/lib#8, which was closed as not planned" in refusal["message"]
    assert {one.method for one in github.seen} == {"GET"}
    assert {one.authorization for one in github.seen} == {"token ghp_canary0123456789"}


def test_a_mission_on_github_is_refused_and_nothing_is_saved(on_github: Project, github: GitHub) -> None:
    """In a sentence where all is well; else with the cause of what failed, and never with the token."""
    words = ("mission", "start", "-i", "1", "-i", "2")
    cases: list[tuple[dict[str, Answer], int, str]] = [
        ({"/repos/octo/site/issues/2": Answer(404, {"message": "Not Found"})}, 3, "octo/site#2 does not exist"),
        ({"/repos/octo/site/issues/2": Answer(410, {"message": "Gone"})}, 3, "octo/site#2 was deleted"),
        ({"*": Answer(401, {"message": "Bad credentials"})}, 2, "refuses the token from GH_TOKEN"),
        ({"/repos/octo/site/issues/2": Answer(502, b"<html>")}, 5, "answers 502 about octo/site#2"),
        ({"/repos/octo/site/branches/main": Answer(404, {"message": "Branch not found"})}, 4, "has no branch `main`"),
        # The last: the next command heeds it, too.
        ({"*": Answer(429, {}, {"Retry-After": "600"})}, 5, "try again in 10 min"),
    ]
    for answers, code, says in cases:
        github.faults.clear()
        for pattern, answer in answers.items():
            github.script(pattern, answer)
        done = on_github.tt(*words, code=code)
        assert done.stdout == ""
        assert says in done.stderr
        assert "ghp_" not in done.stderr
    assert on_github.json("mission", "list", "--all") == []
    logs = "".join(path.read_text(errors="replace") for path in on_github.town.logs.glob("*.log"))
    assert "ghp_" not in logs


def test_an_issue_on_github_can_block_a_local_one(
    project: Project, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is satisfied only by its completion; while GitHub is silent it counts as open, and the start goes on."""
    monkeypatch.setenv("GH_TOKEN", "ghp_canary0123456789")
    monkeypatch.setenv("TINYTOWN_FORGE__BASE_URL", github.base_url)
    project.found({1: "# Build\n\nDepends on octo/lib#7.\n", 2: "# Paint\n\nDepends on octo/lib#8.\n"})
    items = project.json("mission", "plan", "-i", "1", "-i", "2")["items"]
    assert [item["blockers"] for item in items] == [[], ["octo/lib#8"]]
    github.script("*", Answer(503, b""))
    silent = project.tt("mission", "plan", "-i", "1")
    assert "octo/lib#7, outside the mission, open" in silent.stdout
    assert "note: octo/lib#7 counts as open until it can be read" in silent.stderr

    mission = project.start(1, 2)
    assert [i["blockers"] for i in project.status(mission)["items"]] == [["octo/lib#7"], ["octo/lib#8"]]
    github.faults.clear()
    # The clock looks again: only what was completed is released.
    wait_until(lambda: project.item(mission, 1).state.value == "ready", timeout=60, description="#1 is released")
    assert project.item(mission, 2).state.value == "pending"
    github.issue("octo/lib#8", state="closed", reason="completed")
    wait_until(lambda: project.item(mission, 2).state.value == "ready", timeout=60, description="#2 is released")
