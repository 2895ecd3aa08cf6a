"""What an operator does to missions and agents, and what each of them says about itself."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.acceptance.project import TIMING, Project, run_of, tree_of_run
from tests.waiting import patience, wait_until


def test_pause_resume_and_stop(project: Project) -> None:
    """A pause collects what runs and does nothing else; `--force` ends it all, keeps the work and frees the issues."""
    project.found(
        {
            1: "# One\n\ndo: wait one\n",
            2: "# Two\n\nDepends on #1.\n",
            3: "# Three\n",
            4: "# Four\n\ndo: first 1 write four.txt half\ndo: first 1 children\ndo: first 1 hang\ndo: show four.txt\n",
        }
    )
    project.spawn("worker")
    mission = project.start(1, 2, 3)
    project.wait_runs(mission, 1, item=1)
    assert project.tt("mission", "stop", mission[:6]).stdout == f"⏸️  Mission paused: {mission}\n"
    project.allow("one")
    item = project.wait_item(mission, 1, lambda i: i.head, description="the work of #1 is collected")
    project.wait_duty("dispatch", 2)
    assert project.item(mission, 1) == item
    assert (item.state, item.published, item.attempt) == ("in_review", None, None)
    assert project.git("branch", "--list", "tt/*") == ""
    assert len(project.runs()) == 1
    view = project.status(mission)
    assert (view["state"], {i["waiting"]["reason"] for i in view["items"]}) == ("paused", {"paused"})
    assert "`tt mission resume" in project.tt("mission", "status").stdout
    assert "Mission resumed" in project.tt("mission", "resume").stdout
    assert "Mission was not paused, and continues" in project.tt("mission", "resume").stdout
    # One agent alone may not judge its own work.
    project.spawn("helper")
    project.wait_state(mission, "completed")
    assert len(project.runs(purpose="work")) == 3

    mission = project.start(4, options=("--no-reviewer",))
    run = project.wait_runs(mission, 1, item=4)[0]
    wait_until(lambda: len(tree_of_run(run_of(run))) >= 4, description="its whole tree is there")
    assert project.tt("mission", "stop", "--force").stdout == f"🛑 Mission cancelled: {mission}\n"
    wait_until(lambda: not tree_of_run(run_of(run)), timeout=10, description="the whole tree is gone")
    view = project.status(mission)
    assert (view["state"], [i["state"] for i in view["items"]]) == ("cancelled", ["cancelled"])
    mirror = str(next(project.town.mirrors.glob("*.git")))
    kept = f"refs/tinytown/attempts/{mission[:8]}"
    refs = ("--git-dir", mirror, "for-each-ref", "--format=%(refname)", kept)
    ref = wait_until(lambda: project.git(*refs), description="the work is kept")
    assert project.git("--git-dir", mirror, "show", f"{ref}:four.txt") == "half"
    assert project.git("branch", "--list", f"tt/{mission[:8]}/*") == ""

    # The issue is free, and another mission begins from the base.
    mission = project.start(4, options=("--no-reviewer",))
    project.wait_state(mission, "completed")
    assert [row["text"] for row in project.runs("show")] == [None]


def test_failures_directives_and_remarks(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts with growing pauses, then help that names item and commands; each directive does what it says."""
    monkeypatch.setenv("TINYTOWN_POLICY__MAX_ATTEMPTS", "3")
    project.found(
        {
            1: "# One\n\ndo: first 3 fail\n",
            2: "# Two\n\nDepends on #1.\n",
            3: "# Three\n\ndo: first 1 hang\n",
            4: "# Four\n\ndo: wait four\n",
        }
    )
    project.spawn("worker", "helper")
    mission = project.start(1, 2, options=("--no-reviewer",))
    project.wait_item(mission, 1, lambda i: i.state == "failed", description="#1 failed")
    ends = [e for e in project.events(mission, "attempt_ended") if e.item.endswith("#1")]
    sent = [e for e in project.events(mission, "attempt_sent") if e.item.endswith("#1")]
    assert [e.data["outcome"] for e in ends] == ["failed"] * 3
    pauses = [again.at - end.at for end, again in zip(ends, sent[1:], strict=False)]
    first, second = TIMING["backoff_secs"], 2 * TIMING["backoff_secs"]
    assert pauses[0] >= first
    assert pauses[1] >= second
    waiting = project.wait_waiting(mission, 2, "dependency_failed")
    assert "tt mission retry" in waiting.remedy
    project.wait_state(mission, "blocked")
    said = wait_until(project.help, description="the conductor is asked")
    assert "Issue #1 failed: work failed 3 times, last: exit code 3: it failed as told" in said
    assert f'tt mission note {mission[:8]} "resume|retry 1|redirect 1 to AGENT|pause|cancel 1"' in said
    # Who has read it has not answered it.
    for words in (("inbox",), ("inbox", "conductor"), ("status",)):
        shown = project.tt(*words).stdout
        said = rf"🆘 Open questions: 1\n   mission {mission[:8]}, \d+s ago:\n   - Issue #1 failed"
        assert re.search(said, shown), shown
        assert f'answer: tt mission note {mission[:8]} "resume|retry 1|' in shown
    assert "🆘 asked" in project.tt("mission", "status").stdout
    (asked,) = project.json("status")["questions"]
    assert (asked["mission"], asked["sender"], asked["asked"]) == (mission, "dispatcher", 1)
    assert [m["open"] for m in project.json("inbox")] == [True]

    assert "noted" in project.tt("mission", "note", mission[:8], "Please use the blue one").stdout
    assert "Open questions: 1" in project.tt("inbox").stdout, "a remark moves nothing"
    assert "🔁 Issue #1: One" in project.tt("mission", "retry", mission[:8], "1").stdout
    assert project.tt("inbox", "conductor").stdout.startswith("No new messages for conductor")
    (first, *_) = project.json("inbox", "--history")
    assert (first["open"], first["settled"]) == (False, True)
    read = project.tt("inbox", "--history").stdout
    said = r"   \[Q\] .*from dispatcher, .* ago, settled since:\n      Mission \w+ needs help:\n      - Issue #1 failed"
    assert re.search(said, read), read
    assert "Answer with" not in read
    assert project.json("status")["questions"] == []
    project.wait_state(mission, "completed")
    assert project.item(mission, 1).attempts == 4
    for number, attempt in ((1, 4), (2, 1)):
        assert "## Remarks from the operator\n\n- Please use the blue one" in project.brief(mission, number, attempt)

    mission = project.start(3, 4, options=("--no-reviewer",))

    def note(text: str) -> str:
        return project.tt("mission", "note", mission[:8], text).stdout

    run = project.wait_runs(mission, 1, item=3)[0]
    other = "helper" if run["agent"] == "worker" else "worker"
    project.wait_runs(mission, 1, item=4)
    assert "#4 is cancelled" in note("cancel 4 not now")
    assert f"#3 is assigned to {other}" in note(f"redirect 3 to {other}")
    assert project.wait_runs(mission, 2, item=3)[1]["agent"] == other
    assert not tree_of_run(run_of(run))
    project.wait_item(mission, 3, lambda i: i.state == "done", description="#3 is done")
    project.wait_state(mission, "blocked")
    assert "paused" in note("pause until tomorrow")
    assert project.status(mission)["reason"] == "until tomorrow"
    assert "resumed" in note("resume")
    assert "retrying #4" in note("retry 4 now")
    project.allow("four")
    project.wait_state(mission, "completed")


def test_help_wakes_and_money_stops(project: Project) -> None:
    """Whoever is missing is asked for, and work begins when they come, not at the next tick; a spend cap pauses."""
    role = '+++\nlabels = ["role:security"]\n+++\n# One\n\ndo: cost 0.40\n'
    spend = {n: f"# Thing {n}\n\ndo: cost 0.40\n" for n in (2, 3, 4)}
    project.found({1: role, **spend}, timing={**TIMING, "tick_secs": 30})
    project.spawn("worker")
    mission = project.start(1, options=("--no-reviewer",))
    waiting = project.wait_waiting(mission, 1, "no_worker")
    assert waiting.remedy == "no running worker has the role security: run `tt spawn security`"
    round_ = project.tt("mission", "dispatch", "--once").stdout
    assert "Round 1: Help asked: Issue #1 is ready but nobody can take it: no running worker" in round_
    assert "run `tt spawn security`" in project.tt("inbox").stdout
    assert "🆘 Help: asked 1 time" in project.tt("mission", "status", "--dispatcher").stdout
    began = time.monotonic()
    project.spawn("security")
    project.wait_runs(mission, 1, item=1)
    project.wait_state(mission, "completed", timeout=20)
    assert time.monotonic() - began < patience(20), "nobody waited for a tick"
    assert project.status(mission)["spent_usd"] == 0.4

    mission = project.start(2, 3, 4, options=("--no-reviewer", "--max-parallel", "1", "--budget-usd", "0.50"))
    view = project.wait_state(mission, "paused")
    assert view["reason"] == (
        f"budget: $0.80 of $0.50 spent; `tt mission resume {mission[:8]} --budget-usd MORE` continues"
    )
    assert view["spent_usd"] == 0.8
    done = [i for i in view["items"] if i["state"] == "done"]
    assert len(done) == 2 or project.wait_runs(mission, 2, purpose="work")
    project.tt("mission", "dispatch", "--once")
    assert "budget: $0.80 of $0.50" in project.help()
    assert "💰 Cost: $0.80 of $0.50" in project.tt("mission", "status").stdout
    refusal = project.tt("mission", "resume", code=4).stderr
    assert "has spent $0.80 of its $0.50" in refusal
    project.tt("mission", "resume", mission[:8], "--budget-usd", "5")
    view = project.wait_state(mission, "completed", timeout=20)
    assert view["spent_usd"] == 1.2
    assert len(project.runs(purpose="work")) == 4


MANIFEST = """\
[[overrides]]
issue = 1
owner_role = "architect"

[[overrides]]
issue = 3
skip = true

[[overrides]]
issue = 5
priority = 10
depends_on = []

[[overrides]]
issue = 6
depends_on = [2]
kind = "docs"
"""


def test_a_manifest_and_what_is_told(project: Project, tmp_path: Path) -> None:
    """Overrides decide roles, order and edges; `--json` has its keys, and what follows a mission ends with it."""
    issues = {
        1: "# One\n",
        2: "# Two\n\nAfter #1.\n",
        3: "# Three\n\nAfter #2.\n",
        4: "# Four\n\nAfter #3.\n",
        5: "# Five\n\nAfter #4.\n",
        6: "# Six\n",
    }
    project.found(issues)
    manifest = tmp_path / "mission.toml"
    manifest.write_text(MANIFEST)
    project.spawn("architect", "worker")
    options = ("--no-reviewer", "--max-parallel", "1", "--manifest", str(manifest))
    block = project.tt("mission", "start", *(w for n in issues for w in ("-i", str(n))), *options).stdout
    assert "📋 Objectives: 6 issues\n📦 Work items: 5\n" in block
    assert "Issue #3" not in block
    mission = block.split()[3]
    told = project.tt("mission", "status", "--follow").stdout.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d All done → Mission completed", told[-1])
    text = "\n".join(told)
    assert text.index("Issue #2 done") < text.index("Issue #4"), told
    order = [int(run["item"].rpartition("#")[2]) for run in project.runs(purpose="work")]
    assert order[0] == 5, "the largest priority"
    assert order.index(1) < order.index(2) < order.index(4), "also through the one that was skipped"
    assert order.index(2) < order.index(6)
    assert 3 not in order

    view = project.status(mission)
    assert {"id", "state", "items", "watches", "policy", "spent_usd"} <= view.keys()
    items = {i["number"]: i for i in view["items"]}
    for item in items.values():
        assert {"key", "state", "role", "agent", "attempts", "waiting", "priority", "kind"} <= item.keys()
    assert (items[1]["role"], items[1]["agent"]) == ("designer", "architect")
    assert (items[3]["state"], items[3]["agent"], items[3]["attempts"]) == ("skipped", None, 0)
    assert (items[5]["priority"], items[6]["kind"]) == (10, "docs")
    edge = items[4]["depends_on"][0]
    assert (edge["on"], edge["source"]) == ("local/project#2", "skipped")
    assert items[6]["depends_on"][0]["source"] == "manifest"
    listed = project.json("mission", "list", "--all")
    assert [m["id"] for m in listed] == [mission]
    assert {i["key"] for i in listed[0]["items"]} == {f"local/project#{n}" for n in issues}
    assert project.json("mission", "list") == []
    assert project.tt("mission", "list").stdout == "No active missions; use `--all` to see those that ended.\n"
    shown = project.tt("mission", "dispatch", "--run", mission[:8]).stdout.splitlines()
    assert shown[-1] == "Round 1: All done → Mission completed"


def test_agents_come_and_go_and_talk(project: Project) -> None:
    """Commands may be typed twice; messages pass between people, agents at work and the conductor."""
    typed = (
        "task current",
        "inbox",
        "send conductor 'where is the key?' --query --urgent",
        "send worker 'look' --info",
        "send helper 'look' --info",
        "mission status",
        "kill helper",
        "list",
        "send nobody hello",
        "send helper hello --from operator",
        "review approve",
        "task complete 'the key is found'",
    )
    inside = "".join(["# One\n\n", *(f"do: tt {words}\n" for words in typed), "do: write one.txt 1\n"])
    project.found(
        {1: inside, 2: "# Two\n\nDepends on #1.\n\ndo: tt inbox\n", 3: "# Three\n\ndo: tt task fail 'no key'\n"}
    )
    assert project.tt("spawn", "worker", "--cli", "fake").stdout == "🤖 worker: worker with fake\n"
    assert project.tt("spawn", "worker", "--cli", "fake").stdout == "🤖 worker: worker with fake (already here)\n"
    assert "already exists as worker" in project.tt("spawn", "worker", "--cli", "fake", "--role", "qa", code=4).stderr
    project.spawn("worker", "helper")
    listed = project.json("list")
    assert [(a["name"], a["role"], a["cli"], a["state"]) for a in listed] == [
        ("worker", "worker", "fake", "idle"),
        ("helper", "worker", "fake", "idle"),
    ]
    for name in ("worker", "helper"):
        project.tt("send", name, "the key is below the mat", "--from", "supervisor", "--info")
    project.tt("send", "operator", "a note to myself", "--info")
    assert "a note to myself" in project.tt("inbox").stdout

    mission = project.start(1, 2, options=("--no-reviewer",))
    project.wait_state(mission, "completed")
    said = {row["words"].split(" '")[0]: row for row in project.runs("tt", item=1)}
    writer = said["inbox"]["agent"]
    other = "helper" if writer == "worker" else "worker"
    assert "key: local/project#1" in said["task current"]["out"]
    assert "purpose: work" in said["task current"]["out"]
    assert "the key is below the mat" in project.brief(mission, 1, project.runs(item=1)[0]["attempt"])
    assert said["inbox"]["out"] == "", "what was in the brief is not shown again"
    assert (said["send conductor"]["code"], said["task complete"]["code"]) == (0, 0)
    for words, code in (("mission status", 4), ("kill helper", 4), ("list", 4), ("review approve", 4)):
        assert said[words]["code"] == code, said[words]
    assert said["send nobody hello"]["code"] == 3
    assert said["send helper hello --from operator"]["code"] == 4
    query = next(m for m in project.json("inbox", "supervisor") if m["kind"] == "query")
    assert (query["sender"], query["kind"], query["urgent"], query["mission"]) == (writer, "query", True, mission)
    assert query["text"] == "where is the key?"
    assert f"from {writer}, " in project.tt("inbox", other, "--history").stdout
    heard = project.runs("tt", item=2)[0]
    brief = project.brief(mission, 2, project.runs(item=2)[0]["attempt"])
    assert heard["out"] == ""
    assert ("below the mat" in brief) == (heard["agent"] == other), "what was told is not told again"
    assert "the key is found" in brief

    # An agent's own word that it failed is believed, whatever it leaves.
    mission = project.start(3, options=("--no-reviewer",))
    project.wait_item(mission, 3, lambda i: i.failures.get("work"), description="#3 failed")
    assert project.events(mission, "attempt_ended")[0].data["summary"] == "its agent says “no key”"
    project.tt("mission", "stop", "--force")

    assert project.tt("kill", "helper").stdout == "🪦 helper is stopped\n"
    assert project.tt("kill", "helper").stdout == "🪦 helper is stopped (it was not running)\n"
    project.tt("prune")
    assert "there is no agent `helper`" in project.tt("kill", "helper", code=3).stderr
    assert [a["name"] for a in project.json("list")] == ["worker"]
    project.spawn("helper")
    assert {a["name"] for a in project.json("list")} == {"worker", "helper"}
    assert json.loads(project.tt("status", "--json").stdout)["agents"][0]["name"] == "worker"
