"""After a crash: leases tell who is gone, and what they held or left goes on elsewhere. Previews change nothing."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import psutil

from tests.acceptance.project import TIMING, TT, Project, tree_of_run
from tests.acceptance.test_lives import agents_of, run_of
from tests.waiting import wait_until

#: What moves by itself while nobody does anything.
RESTLESS = ("alive", "hosts:", "disks", "leases", "ticks", "duty:", "_kombu", "unacked", "control", "celery")


def everything(project: Project) -> dict[str, Any]:
    """All that the town has on record."""
    store = project.context().store
    prefix, found = store.keys.prefix, {}
    for key in sorted(store.client.scan_iter(match=f"{prefix}*")):
        if not key.removeprefix(prefix).startswith(RESTLESS):
            found[key] = store.client.dump(key) if store.client.type(key) != "hash" else store.client.hgetall(key)
    return found


def test_recover_notes_who_is_gone_and_never_one_who_is_there(project: Project) -> None:
    """An agent in a terminal that was closed: its worker dies without a word, and no tick helps for a long time."""
    timing = {**TIMING, "tick_secs": 600, "kill_grace_secs": 1}
    project.found({1: "# One\n\ndo: write kept.txt yes\ndo: first 1 wait never\n"}, timing=timing)
    terminal = subprocess.Popen(
        [str(TT), "spawn", "worker", "--cli", "fake", "--foreground"], cwd=project.root, env=os.environ,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    crew = project.context().crew
    wait_until(lambda: "worker" in crew.alive(), timeout=60, description="the agent is there")
    mission = project.start(1, options=("--no-reviewer",))
    run = project.wait_runs(mission, 1)[0]
    project.spawn("helper")
    assert project.json("recover") == {"checked": 2, "gone": [], "coming": [], "lost": []}
    assert "Nothing to recover (2 agents checked)" in project.tt("recover").stdout
    for process in [*psutil.Process(terminal.pid).children(), psutil.Process(terminal.pid)]:
        process.kill()
    terminal.wait()
    wait_until(lambda: tree_of_run(run_of(run)) == [], timeout=30, description="its run is gone with it")
    wait_until(
        lambda: project.json("recover", "--dry-run")["gone"], timeout=90, description="it is known to be gone", pause=1
    )

    before = everything(project)
    said = project.json("recover", "--dry-run")
    assert (said["gone"], said["lost"]) == (["worker"], [run_of(run)])
    assert "would be noted as stopped" in project.tt("recover", "--dry-run").stdout
    assert everything(project) == before

    assert project.json("recover") == said
    assert (agents_of(project)["worker"]["state"], agents_of(project)["worker"]["why"]) == (
        "stopped", "its worker is gone",
    )  # fmt: skip
    project.wait_state(mission, "completed")
    assert [r["agent"] for r in project.runs()] == ["worker", "helper"]
    assert project.json("recover")["gone"] == []
    project.tt("restart", "worker")
    wait_until(lambda: agents_of(project)["worker"]["state"] == "idle", timeout=60, description="it is back")


def test_recover_leaves_to_the_town_what_that_starts_again(project: Project) -> None:
    project.found({1: "# One\n"})
    project.spawn("worker")
    project.kill("role-worker")
    assert project.json("recover")["gone"] == []
    wait_until(lambda: agents_of(project)["worker"]["state"] == "idle", timeout=60, description="it is back")


def test_reclaim_brings_tasks_to_the_backlog(project: Project) -> None:
    """And those that others wait for to whoever has their role, once."""
    project.found({1: "# One\n"})
    project.tt("config", "policy.reviewer_required", "false")
    project.tt("config", "auto_claim", "false")
    project.spawn("worker", "ann")
    project.tt("interrupt", "worker")
    project.tt("interrupt", "ann")
    project.tt("assign", "ann", "Alone\n\ndo: nothing", "--tag", "later")
    project.tt("assign", "ann", "Waited for\n\ndo: nothing")
    project.tt("assign", "worker", "Waiting\n\ndo: nothing", "--after", "t2")
    project.tt("send", "ann", "for your eyes", "--info", "--from", "conductor")
    project.tt("kill", "ann")
    found = project.json("reclaim")
    assert {one["kind"] for one in found} == {"item", "message"}
    assert "use one of both" in project.tt("reclaim", "--to", "worker", "--to-backlog", code=2).stderr
    done = {one["text"]: one["went"] for one in project.json("reclaim", "--from", "ann", "--to-backlog")}
    assert done == {"Alone": "b1", "Waited for": "any worker", "conductor: for your eyes": ""}
    assert [one["kind"] for one in project.json("reclaim", "--to-backlog")] == ["message"]
    [entry] = project.json("backlog", "list")
    assert (entry["text"], entry["tags"]) == ("Alone\n\ndo: nothing", ["later"])
    assert "in the backlog again, as b1" in project.tt("task", "show", "t1").stdout
    project.tt("resume", "worker")
    project.tt("wait", "t3")
    project.tt("config", "auto_claim", "true")
    wait_until(lambda: project.json("backlog", "list") == [], timeout=60, description="the tick has it taken")


def test_reclaim_gives_on_what_an_ended_agent_left(project: Project) -> None:
    """Items that were for it alone, and messages that it had not read: once, and only from those who have ended."""
    project.found({1: "# One\n\ndo: wait go\n", 2: "# Two\n"})
    project.spawn("worker", "ann", "helper")
    project.tt("interrupt", "worker")
    project.tt("interrupt", "helper")
    project.tt("interrupt", "ann")
    mission = project.start(1, 2, options=("--no-reviewer",))
    for number in (1, 2):
        project.tt("mission", "note", mission[:8], f"redirect {number} to ann")
    project.tt("send", "ann", "the key is below the mat", "--from", "conductor", "--urgent", "--info")
    project.tt("send", "ann", "and the door is green", "--from", "conductor", "--info")
    assert project.json("reclaim") == []
    assert "has not ended" in project.tt("reclaim", "--from", "ann", code=4).stderr
    project.tt("kill", "ann")
    project.tt("mission", "stop", mission[:8])

    def looks_only(*refused: tuple[str, ...]) -> Any:
        """What it shows; the tick may write in between, but not each time."""
        for _ in range(3):
            before = everything(project)
            found = project.json("reclaim")
            for words in refused:
                project.tt("reclaim", *words, code=None)
            if everything(project) == before:
                return found
        raise AssertionError("a look changes something each time")

    found = looks_only(("--to", "nobody"), ("--to", "ann"))
    assert [(o["kind"], o["agent"]) for o in found] == [("item", "ann")] * 2 + [("message", "ann")] * 2
    shown = project.tt("reclaim")
    assert "ann: local/project#1 One" in shown.stdout
    assert "conductor: the key is below the mat" in shown.stdout
    assert "nothing is changed" in shown.stderr
    assert "there is no agent" in project.tt("reclaim", "--to", "nobody", code=3).stderr
    assert "`ann` is stopped" in project.tt("reclaim", "--to", "ann", code=4).stderr
    project.tt("mission", "resume", mission[:8])
    assert project.json("reclaim", "--to", "helper") == [{**one, "went": "helper"} for one in found]
    assert project.json("reclaim") == []
    messages = project.json("inbox", "helper")
    assert [(m["sender"], m["text"], m["kind"], m["urgent"]) for m in messages] == [
        ("conductor", "the key is below the mat", "info", True),
        ("conductor", "and the door is green", "info", False),
    ]
    project.tt("reclaim", "--to", "helper")
    assert len(project.json("inbox", "helper")) == 2, "a look takes nothing, and nothing is given on twice"
    project.tt("resume", "helper")
    project.allow("go")
    project.wait_state(mission, "completed")
    assert {r["agent"] for r in project.runs()} == {"helper"}

    # Of one that is no longer listed, too; its mailbox can still be read.
    project.tt("send", "ann", "one more thing", "--from", "conductor", "--info")
    project.tt("prune")
    assert "one more thing" in project.tt("inbox", "ann", "--history").stdout
    project.tt("send", "ann", "too late", code=3)
    project.tt("inbox", "nobody", code=3)
