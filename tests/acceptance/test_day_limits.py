"""What all missions may spend on a day, as a user meets it: set, used up, asked about, raised for today."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.acceptance.project import Project


def wait_limited(project: Project, mission: str) -> dict[str, Any]:
    """Wait until an item waits as the limit of the day is used up; gives how."""

    def found() -> dict[str, Any] | None:
        waiting = [i["waiting"] for i in project.status(mission)["items"] if i["waiting"]]
        return next((one for one in waiting if one["reason"] == "day_limit" and one["until"]), None)

    waiting = project.wait(mission, found, description="an item waits for the limit of the day")
    assert waiting is not None
    return waiting


def test_a_days_limit_stops_all_missions_asks_once_and_is_raised(project: Project) -> None:
    project.found({number: f"# Issue {number}\n\ndo: cost 0.4\n" for number in range(1, 5)})
    assert "no limit a day" in project.tt("limits").stdout
    project.tt("config", "limits.usd_per_day", "0.5")
    project.spawn("worker")
    first = project.start(1, 2, 3, options=("--no-reviewer", "--max-parallel", "1"))
    # Each run costs $0.40: the second begins while something is left, the third does not.
    held = wait_limited(project, first)
    assert held["remedy"] == (
        "$0.80 of today's $0.50 are spent: it goes on at midnight UTC, or with `tt limits --usd-today MORE`"
    )
    second = project.start(4, options=("--no-reviewer",))
    wait_limited(project, second)
    project.wait_duty("dispatch", 2)
    assert len(project.runs(purpose="work")) == 2
    shown = project.tt("mission", "status", "--run", second[:8]).stdout
    assert "🛑 $0.80 of today's $0.50 are spent" in shown
    assert "💰 Today: $0.80 of $0.50" in project.tt("status").stdout
    assert "nothing more begins today" in project.tt("limits").stdout
    inbox = project.tt("inbox").stdout
    assert inbox.count("no further run begins before midnight UTC") == 1
    assert "tt limits --usd-today MORE" in inbox
    numbers = json.loads(project.tt("metrics", "--json").stdout)
    spent = next(one for one in numbers if one["name"] == "tinytown_spent_today")
    assert {s["labels"]["unit"]: s["value"] for s in spent["samples"]}["usd"] == 0.8

    raised = json.loads(project.tt("limits", "--usd-today", "5", "--json").stdout)
    assert (raised["usd_limit"], raised["raised"], raised["reached"]) == (5.0, True, "")
    for mission in (first, second):
        project.wait_state(mission, "completed", timeout=20)
    assert len(project.runs(purpose="work")) == 4
    assert json.loads(project.tt("limits", "--json").stdout)["spent_usd"] == 1.6
    assert "these limits are for today alone" in project.tt("limits").stdout


def test_where_there_is_too_little_room_nothing_is_begun_until_there_is(project: Project) -> None:
    project.found({1: "# One\n"})
    project.tt("config", "limits.disk_free", "900000G")
    project.spawn("worker")
    mission = project.start(1, options=("--no-reviewer",))

    def held() -> dict[str, Any] | None:
        [item] = project.status(mission)["items"]
        return item["waiting"] if (item["waiting"] or {}).get("reason") == "disk_full" else None

    waiting = project.wait(mission, held, description="the item waits for room")
    assert waiting is not None
    assert "more must be free at" in waiting["remedy"]
    [item] = project.status(mission)["items"]
    assert (item["attempts"], project.runs()) == (0, [])
    findings = json.loads(project.tt("doctor", "--json", code=None).stdout)
    assert any(one["name"] == "disk" and "nothing is begun" in one["detail"] for one in findings)
    project.tt("config", "limits.disk_free", "1M")
    project.wait_state(mission, "completed")


def test_a_town_says_what_would_go_and_what_stays(project: Project) -> None:
    project.found({1: "# One\n"})
    project.spawn("worker")
    mission = project.start(1, options=("--no-reviewer",))
    project.wait_state(mission, "completed")
    assert "Nothing is old enough to go" in project.tt("gc").stdout
    ended = project.context().store.mission(mission)
    change = project.context().store.change()
    change.put_mission(ended, ended.record.evolve(finished_at=1.0, created_at=1.0))
    change.commit()
    project.context().store.client.zadd(project.context().store.keys.missions, {mission: 1.0})
    looked = project.tt("gc", "--dry-run").stdout
    assert re.search(r"logs: 1 mission, .*\n.*refs: \d ref", looked), looked
    assert "Nothing was changed" in looked
    parts = {one["kind"]: one["gone"] for one in json.loads(project.tt("gc", "--json").stdout)["parts"]}
    assert (parts["logs"], parts["records"]) == (1, 1)
    assert parts["refs"] > 0
    said = project.tt("mission", "list", "--all")
    assert "No missions" in said.stdout
    assert "1 older missions are archived" in said.stderr
    assert "is archived" in project.tt("mission", "status", "--run", mission[:8], code=3).stderr
    # Its issue is done all the same.
    assert "was already done by mission" in project.tt("mission", "start", "1", code=4).stderr
    (project.root / "issues/1.md").write_text("# One, once more\n")
    project.wait_state(project.start(1, options=("--no-reviewer",)), "completed")
