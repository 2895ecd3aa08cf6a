"""Tasks that people give by hand: ``tt assign``, ``tt task`` and ``tt wait``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.acceptance.project import Project


def test_a_sequential_pipeline_by_hand(project: Project) -> None:
    """The stages of the tutorial, each waited for; then all of them given at once, one after the other."""
    project.found({1: "# One\n"})
    project.tt("config", "policy.reviewer_required", "false")
    project.spawn("architect", "developer", "tester")
    said = project.tt("assign", "architect", "Design it\n\ndo: nothing\ndo: say a list", "--wait").stdout
    assert said.splitlines()[0] == "📋 Assigned task t1 to architect: Design it"
    assert "✅ Task t1: Design it — done" in said
    assert "a list" in said
    project.tt("assign", "developer", "Implement it\n\ndo: wait go\ndo: write api.txt done", "--tag", "backend")
    project.tt("assign", "tester", "Test it\n\ndo: show api.txt\ndo: write test.txt done", "--after", "t2")
    listed = project.tt("task", "list").stdout.splitlines()
    assert [line.split()[1] for line in listed[1:]] == ["t1", "t2", "t3"]
    assert [row["id"] for row in project.json("task", "list", "--tag", "backend")] == ["t2"]
    assert [row["id"] for row in project.json("task", "list", "--state", "pending")] == ["t3"]
    assert "'finished' is not a state" in project.tt("task", "list", "--state", "finished", code=2).stderr
    late = project.tt("wait", "t3", "--timeout", "0.1", code=1).stderr
    assert "task t3 is still pending" in late
    project.allow("go")
    project.tt("wait", "t3")
    assert project.runs("show")[0]["text"] == "done\n", "merged before the next one began"
    assert project.git("show", "main:test.txt") == "done"
    assert [run["agent"] for run in project.runs(purpose="work")] == ["architect", "developer", "tester"]
    told = project.tt("status", "--tasks").stdout
    assert "📋 Tasks: 3: 3 done" in told
    assert "by hand: 3 done" in told
    shown = project.json("status")["tasks"]
    assert (shown["total"], shown["tags"], shown["plan"]) == (3, {"backend": {"done": 1}}, {})
    assert shown["whose"] == {name: {"done": 1} for name in ("architect", "developer", "tester")}
    # All of it is done, so what comes next is a mission of its own.
    project.tt("assign", "developer", "Once more\n\ndo: write more.txt 1", "--wait")
    assert len({row["mission"] for row in project.json("task", "list")}) >= 2
    assert all(row["state"] == "done" for row in project.json("task", "list"))


def test_what_a_person_says_of_a_task_stands(project: Project) -> None:
    project.found({1: "# One\n"})
    project.tt("config", "policy.reviewer_required", "false")
    project.spawn("worker")
    failed = project.tt("assign", "worker", "Fail\n\ndo: first 3 fail\ndo: write one.txt 1", "--wait", code=1).stdout
    assert "Task t1: Fail — failed" in failed
    assert "t1 is failed" in project.tt("assign", "worker", "Next", "--after", "t1", code=4).stderr
    assert "is tried again" in project.tt("task", "retry", "t1").stdout
    project.tt("wait", "t1")
    assert project.git("show", "main:one.txt") == "1"

    said = project.tt("assign", "nobody", "By hand").stdout
    assert said == "📋 Assigned task t2 to nobody: By hand\n   nobody is not running: run `tt spawn nobody`\n"
    refused = project.tt("task", "cancel", "t1", code=4).stderr
    assert "see `tt task show t1`" in refused or "`tt assign AGENT" in refused, "its mission may have ended"
    assert [row["id"] for row in project.json("task", "list", "--state", "Completed")] == ["t1"]
    project.tt("assign", "worker", "After it\n\ndo: write two.txt 2", "--after", "t2")
    assert "nobody is not running: run `tt spawn nobody`" in project.tt("mission", "status", "--work").stdout
    assert "Task t2 is done" in project.tt("task", "complete", "t2", "--result", "I did it").stdout
    project.tt("wait", "t3")
    mission = project.json("task", "show", "t3")["mission"]
    assert "I did it" in project.brief(mission, "t3", 1)
    assert "I did it" in project.tt("task", "show", "t2").stdout
    shown = project.json("task", "show", "t3")
    assert (shown["text"], shown["directed_to"]) == ("do: write two.txt 2", "worker")

    project.tt("assign", "nobody", "Give up")
    assert "Task t4 failed" in project.tt("task", "fail", "t4", "no such machine").stdout
    project.tt("assign", "worker", "Hang\n\ndo: hang")
    project.wait_runs(project.json("task", "show", "t5")["mission"], 1, item=None)
    assert "Task t5 is cancelled" in project.tt("task", "cancel", "t5").stdout
    for words, says, code in (
        (("task", "show", "t99"), "there is no task `t99`", 3),
        (("task", "complete"), "name the task by its id", 2),
        (("task", "complete", "t2"), "task t2 is done", 4),
        (("task", "fail", "t2"), "after the id of the task", 2),
        (("assign", "worker", " "), "the task has no text", 2),
        (("assign", "worker", "x", "--after", "t99"), "there is no task `t99` by hand", 3),
    ):
        assert says in project.tt(*words, code=code).stderr, words
    project.tt("interrupt", "worker")
    steps = {(what.removeprefix("hand:task/"), to, by): why for what, _, to, by, why in project.steps()}
    assert steps["t1", "pending", "operator"] == "a person wants it tried again"
    assert steps["t2", "done", "operator"] == "a person says that it is done"
    assert steps["t4", "failed", "operator"] == "no such machine"
    assert steps["t5", "cancelled", "operator"] == "cancelled by hand"
    assert steps["worker", "paused", "operator"] == "interrupted"


def test_many_at_the_same_moment_are_each_done_once(project: Project) -> None:
    """Also while the mission that takes them is just ending."""
    project.found({1: "# One\n"})
    project.tt("config", "policy.reviewer_required", "false")
    project.spawn("worker", "helper")

    def give(number: int) -> str:
        return str(project.json("assign", "worker", f"Number {number}\n\ndo: nothing")["id"])

    with ThreadPoolExecutor(6) as pool:
        ids = list(pool.map(give, range(24)))
    assert len(set(ids)) == 24
    for id_ in ids:
        project.tt("wait", id_, "--timeout", "120")
    rows = project.json("task", "list")
    assert sorted(row["id"] for row in rows) == sorted(ids)
    assert {row["state"] for row in rows} == {"done"}
    assert len(project.runs(purpose="work")) == 24
    assert {run["agent"] for run in project.runs()} == {"worker"}, "the name of an agent means that agent"
