"""``tt backlog``: work that nobody has yet, and the agents that take it."""

from __future__ import annotations

from tests.acceptance.project import Project
from tests.waiting import wait_until


def test_idle_agents_take_what_fits_them_until_the_backlog_is_empty(project: Project) -> None:
    """By the end of a run, by an addition, by a spawn; from inside a run, too; the reviewer leaves it to others."""
    project.found({1: "# One\n"})
    project.tt("config", "policy.reviewer_required", "false")
    said = project.tt("backlog", "add", "Before anybody is there\n\ndo: write one.txt 1").stdout
    assert said.splitlines() == [
        "📋 Added task to backlog: b1",
        "   Description: Before anybody is there",
        "   no running agent works but on reviews: run `tt spawn worker`",
    ]
    project.tt("backlog", "add", "For the docs\n\ndo: write two.txt 2", "--tags", "docs,later")
    project.spawn("reviewer")
    assert project.tt("backlog", "list", "--tag", "later").stdout.splitlines()[-1] == (
        "   b2: no running agent has the role docs: run `tt spawn docs`"
    )
    assert "📋 Backlog: 2 tasks" in project.tt("status").stdout
    project.spawn("worker")
    wait_empty(project, "b1")
    wait_done(project, 1)
    said = project.tt(
        "backlog", "add", 'Add another\n\ndo: tt backlog add "From inside" --tags worker\ndo: nothing'
    ).stdout
    assert "worker has taken it, as task t" in said
    wait_done(project, 3)
    rows = {row["entry"]: row for row in project.json("task", "list")}
    assert {entry: row["agent"] for entry, row in rows.items()} == {"b1": "worker", "b3": "worker", "b4": "worker"}
    assert "b3 until it was claimed" in project.tt("task", "show", rows["b3"]["id"]).stdout
    assert project.git("show", "main:one.txt") == "1"
    project.spawn("docs")
    wait_empty(project, "b2")
    wait_done(project, 4)
    told = [(line["kind"], line["data"]["entry"], line["by"]) for line in project.json("history", "-n", "1000")
            if line["kind"].startswith("backlog")]  # fmt: skip
    assert ("backlog_added", "b4", "worker") in told
    assert ("backlog_claimed", "b2", "docs") in told


def wait_empty(project: Project, entry: str) -> None:
    """Wait until somebody has taken it."""
    wait_until(
        lambda: entry not in {row["id"] for row in project.json("backlog", "list")},
        description=f"somebody takes {entry}\n{project.logs()}",
    )


def wait_done(project: Project, count: int) -> None:
    def done() -> bool:
        return sum(row["state"] == "done" for row in project.json("task", "list")) >= count

    wait_until(done, timeout=60, description=f"{count} tasks are done\n{project.logs()}")
