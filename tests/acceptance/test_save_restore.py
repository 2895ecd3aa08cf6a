"""A town is saved while it works, everything of it is deleted, and its missions go on from the file."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from tests.acceptance.project import Project
from tests.waiting import wait_until
from tinytown.archive import Reader
from tinytown.engine.upkeep.save import save
from tinytown.host import lifecycle as life
from tinytown.town import open_town

ISSUES = {
    1: "# One\n\ndo: write one.txt 1\n",
    2: "# Two\n\ndo: wait go\ndo: write two.txt 2\n",
    3: "# Three\n\nDepends on #2.\n\ndo: write three.txt 3\n",
}


def settings_of(project: Project) -> str:
    return (project.root / "tinytown.toml").read_text()


def waiting_and_running(project: Project) -> str:
    """A mission of which one change waits for a person, one run is under way, and one item waits for that."""
    project.found(ISSUES, checks=["true"], clis=("fake", "other"))
    project.tt("config", "policy.required_approvals", "1")
    project.spawn("ann", "bob")
    project.tt("send", "conductor", "remember the milk")
    mission = project.start(1, 2, 3, options=("--no-reviewer",))
    project.wait_waiting(mission, 1, "approval")
    project.wait_runs(mission, 1, item=2)
    return mission


def delete_everything(project: Project) -> None:
    """As after the loss of a machine: the repository alone is left, without tinytown's branches."""
    town = project.town
    project.tt("stop")
    shutil.rmtree(town.state)
    shutil.rmtree(town.folder)
    for branch in project.git("for-each-ref", "--format=%(refname:short)", "refs/heads/tt").split():
        project.git("branch", "-q", "-D", branch)


def test_a_mission_goes_on_after_everything_was_deleted(project: Project) -> None:
    """The town is not disturbed by the save; afterwards what waited waits, what ran runs again, and all is merged."""
    mission = waiting_and_running(project)
    file = project.root.parent / "town.zip"
    done = project.tt("save", str(file))
    assert "💾 Saved project to" in done.stdout
    assert "1 mission, 3 items, 2 agents" in done.stdout
    assert "note: 1 run under way; after a restore this is done again" in done.stderr
    assert "agent_clis.fake.env" in done.stderr
    head = project.item(mission, 1).head
    live = project.item(mission, 2).attempt
    assert live is not None
    assert live.claimed
    assert len(project.runs(item=2)) == 1
    assert sorted(path.name for path in file.parent.iterdir() if path.name.startswith(".")) == []
    before = [event.kind for event in project.events(mission, "attempt_started")]

    delete_everything(project)
    (project.root / "tinytown.toml").unlink()
    done = project.tt("restore", str(file))
    assert "📦 Restored project in" in done.stdout
    assert "1 mission, 3 items, 2 agents; `tt start` goes on" in done.stdout
    assert "read it before you start" in done.stderr
    assert "set again what is left out because it may be secret" in done.stderr
    assert str(project.journal) not in settings_of(project)
    assert life.processes(project.town)[0].state == "stopped"
    for name in ("fake", "other"):
        project.tt("config", f"agent_clis.{name}.env.JOURNAL", str(project.journal))
    listed = json.loads(project.tt("mission", "list", "--json").stdout)
    assert [one["id"] for one in listed] == [mission]
    assert listed[0]["counts"]["pending"] == 1

    project.tt("start")
    project.wait_runs(mission, 2, item=2)
    again = project.item(mission, 2).attempt
    assert again is not None
    assert again.number > live.number
    project.wait_waiting(mission, 1, "approval")
    assert len(project.runs(item=1)) == 1
    assert project.git("rev-parse", f"refs/heads/{project.item(mission, 1).branch}") == head
    assert [event.kind for event in project.events(mission, "attempt_started")][: len(before)] == before
    lost = [e for e in project.events(mission, "attempt_ended") if "restored" in e.data.get("summary", "")]
    assert [event.item for event in lost] == [project.item(mission, 2).key]
    assert "remember the milk" in project.tt("inbox").stdout

    project.allow("go")
    for number in (1, 2, 3):
        project.wait_waiting(mission, number, "approval")
        project.tt("mission", "approve", mission, str(number))
    project.wait_state(mission, "completed")
    assert {project.git("show", f"main:{name}.txt") for name in ("one", "two", "three")} == {"1", "2", "3"}
    assert len(project.runs(item=1)) == 1


def test_a_town_takes_back_what_it_was_and_loses_nothing_by_it(project: Project) -> None:
    """In the same town, while it is stopped and with --replace; what was there before can be restored too."""
    mission = waiting_and_running(project)
    file = project.root.parent / "town.zip"
    project.tt("save", str(file))
    assert "is running\n  run `tt stop` first" in project.tt("restore", "--replace", str(file), code=4).stderr
    project.allow("go")
    project.wait_waiting(mission, 2, "approval")
    project.tt("mission", "approve", mission, "2")
    project.wait_item(mission, 2, lambda item: item.merged, description="#2 is merged")
    later = project.item(mission, 2)
    project.tt("kill", "bob")
    wait_until(lambda: project.tt("prune") and len(project.json("list")) == 1, description="bob is forgotten")
    project.tt("stop")
    text = settings_of(project)

    refused = project.tt("restore", str(file), code=4).stderr
    assert "has records of its own (missions: 1, agents: 1)\n  give --replace" in refused
    done = project.tt("restore", "--replace", str(file))
    kept = next((project.root / ".tt" / "saved").glob("before-restore-*.zip"))
    assert f"note: what was here before is in {kept}" in done.stderr
    assert settings_of(project) == text
    assert "tinytown.toml stays as it is; the saved settings are in .tt/restored.toml" in done.stderr
    assert [agent["name"] for agent in project.json("list")] == ["ann", "bob"]
    assert project.status(mission)["counts"] == {"in_review": 1, "ready": 1, "pending": 1}

    project.tt("start")
    # The base has it already, and the next run begins there.
    project.wait_runs(mission, 2, item=2)
    project.tt("stop")
    project.tt("restore", "--replace", str(kept))
    assert [agent["name"] for agent in project.json("list")] == ["ann"]
    project.tt("start", "--no-agents")
    assert project.item(mission, 2) == later


def test_a_saved_town_goes_on_in_another_clone(project: Project, tmp_path: Path) -> None:
    """One that never was a town; the first one is not touched, and neither disturbs the other."""
    mission = waiting_and_running(project)
    file = project.root.parent / "town.zip"
    project.tt("save", str(file))
    project.tt("stop")
    clone = Project(tmp_path / "clone")
    subprocess.run(["git", "clone", "-q", str(project.root), str(clone.root)], check=True)
    clone.journal = project.journal
    try:
        clone.tt("restore", str(file))
        assert open_town(clone.root).id != project.town.id
        for name in ("fake", "other"):
            clone.tt("config", f"agent_clis.{name}.env.JOURNAL", str(clone.journal))
        clone.allow("go")
        clone.tt("start")
        for number in (1, 2, 3):
            clone.wait_waiting(mission, number, "approval")
            clone.tt("mission", "approve", mission, str(number))
        clone.wait_state(mission, "completed")
        assert clone.git("show", "main:three.txt") == "3"
        assert "three.txt" not in project.git("ls-tree", "--name-only", "main")
        assert project.status(mission)["state"] == "running"
    finally:
        life.stop(clone.town)


def test_a_reset_is_shown_first_and_can_be_undone(project: Project) -> None:
    """The town that ran runs again, as a new one; the same issues can be started, and the old mission comes back."""
    mission = waiting_and_running(project)
    shown = project.tt("reset").stdout
    assert "A reset would remove 1 mission with 3 items, 2 agents, " in shown
    assert "(active: 1)" in shown
    assert "Nothing was changed: `tt reset --force` does it" in shown
    assert len(project.runs(item=2)) == 1
    assert project.status(mission)["state"] == "running"

    done = project.tt("reset", "--force")
    assert "Removed 1 mission with 3 items, 2 agents, " in done.stdout
    kept = next((project.root / ".tt" / "saved").glob("before-reset-*.zip"))
    assert f"note: all of it is saved in {kept}" in done.stderr
    status = project.json("status")
    assert (status["missions"], status["agents"], status["questions"]) == ([], [], [])
    assert {process["state"] for process in status["processes"]} == {"running"}
    assert project.json("inbox", "--history") == []
    again = project.start(3, options=("--no-reviewer",))
    assert [one["id"] for one in project.json("mission", "list")] == [again]

    project.tt("stop")
    project.tt("restore", "--replace", str(kept))
    project.tt("start")
    # Its work was saved when the town was stopped, so the next run begins with that.
    project.wait_runs(mission, 2, item=2)
    project.wait_waiting(mission, 1, "approval")
    assert [one["id"] for one in project.json("mission", "list")] == [mission]


def test_agents_alone_are_reset_and_their_work_goes_back(project: Project) -> None:
    """The mission waits for others to come, and goes on with them."""
    mission = waiting_and_running(project)
    project.tt("send", "ann", "hello", "--info")
    asked = project.json("send", "ann", "Do it\n\ndo: wait never")["task"]
    shown = project.json("reset", "--agents-only")
    assert (shown["done"], shown["agents"], shown["messages"], shown["missions"]) == (False, 2, 2, 0)
    done = project.json("reset", "--agents-only", "--force")
    assert (done["done"], done["agents"], done["messages"]) == (True, 2, 2)
    # A message that is removed is not answered by who comes next.
    assert project.json("task", "show", asked)["state"] == "cancelled"
    assert project.json("list") == []
    project.wait_item(mission, 2, lambda item: item.attempt is None, description="#2 is given back")
    assert "remember the milk" in project.tt("inbox", "--history").stdout
    project.spawn("cleo")
    project.wait_runs(mission, 2, item=2)
    assert project.runs(item=2)[-1]["agent"] == "cleo"


PLAN = """[meta]
reviewer_required = false

[[tasks]]
id = "one"
description = "One\\n\\ndo: wait go\\ndo: write one.txt 1"

[[tasks]]
id = "two"
description = "Two\\n\\ndo: write two.txt 2"
depends_on = ["one"]
"""
MORE = """
[[tasks]]
id = "three"
description = "Three\\n\\ndo: write three.txt 3"
depends_on = ["two"]
"""


def test_a_plan_goes_on_after_everything_was_deleted(project: Project) -> None:
    """It is still the town's plan: what ran runs again, and more can be added to it."""
    project.found({1: "# One\n"})
    plan = project.root / "tasks.toml"
    plan.write_text(PLAN)
    project.spawn("worker")
    project.tt("sync", "push")
    mission = project.json("mission", "list")[0]["id"]
    project.tt("mission", "resume", mission)
    project.wait_runs(mission, 1)
    file = project.root.parent / "town.zip"
    project.tt("save", str(file))
    delete_everything(project)

    project.tt("restore", str(file))
    project.tt("start")
    project.wait_runs(mission, 2)
    assert "Nothing to push" in project.tt("sync", "push").stdout
    plan.write_text(PLAN + MORE)
    assert "1 added" in project.tt("sync", "push").stdout
    project.allow("go")
    project.wait_state(mission, "completed")
    assert {project.git("show", f"main:{name}.txt") for name in ("one", "two", "three")} == {"1", "2", "3"}
    assert [run["item"] for run in project.runs("start")] == [f"plan:task/{i}" for i in ("one", "one", "two", "three")]


def test_every_save_of_a_busy_town_is_of_one_moment(project: Project) -> None:
    """Records and indexes agree in each, though they change many times a second; and the town loses nothing by it."""
    count = 12
    # These wait in the middle of it, so that a save sees it however quickly the others are done.
    held = (1, 2, 3, count)
    texts = {n: f"do: wait go{n}\n" if n in held else "" for n in range(1, count + 1)}
    project.found({n: f"# Number {n}\n\n{waits}do: write {n}.txt {n}\n" for n, waits in texts.items()})
    project.spawn("ann", "bob", "cleo")
    mission = project.start(*range(1, count + 1), options=("--no-reviewer", "--max-parallel", "3"))
    moments: list[dict[str, int]] = []
    file = project.root.parent / "town.zip"

    def saved() -> bool:
        save(project.context(), file, force=True)
        moments.append(agreeing(file, mission))
        return True

    for number in held:
        saved()
        before = moments[-1].get("done", 0)
        project.allow(f"go{number}")
        wait_until(
            lambda before=before: saved() and moments[-1].get("done", 0) > before,  # type: ignore[misc]
            timeout=60,
            description=f"another one than the {before} is done",
            pause=0,
        )
    while project.context().store.mission(mission).record.state.value == "running":
        saved()
    project.wait_state(mission, "completed")
    assert len({moment.get("done", 0) for moment in moments}) > len(held)
    assert len(project.runs()) == count
    assert len(project.merges()) == count


def agreeing(file: Path, mission: str) -> dict[str, int]:
    """How many items are in which state, by the records in a file; its indexes must say the same."""
    values: dict[str, list[Any]] = {}
    with Reader(file) as found:
        for line in found.lines():
            values.setdefault(line["key"], []).extend(line["values"])
    items = [json.loads(text.partition("\n")[2]) for _, text in values[f"mission:{mission}:items"]]
    sent = {item["attempt"]["id"] for item in items if item.get("attempt")}
    assert sent == {name for name, _ in values.get("attempts", [])}
    ended = Counter(item["state"] for item in items if item["state"] == "done")
    counted = {name: int(number) for name, number in values[f"mission:{mission}:counts"] if int(number)}
    assert counted.get("done", 0) == ended["done"]
    assert sum(counted.values()) == len(items)
    finished = {name.rpartition("/")[0] for name, _ in values.get(f"mission:{mission}:attempts", [])}
    assert {item["key"] for item in items if item["state"] == "done"} <= finished
    events = [text for _, fields in values[f"mission:{mission}:events"] for _, text in fields]
    assert sum('"kind":"item_done"' in text for text in events) == ended["done"]
    return dict(Counter(item["state"] for item in items))
