"""A stage of a plan that fails, and one that is done again: ``tt task retry ID [--from]``."""

from __future__ import annotations

from tests.acceptance.project import Project, run_of, tree_of_run
from tests.waiting import wait_until

PIPELINE = """[meta]
reviewer_required = false

[[tasks]]
id = "design"
description = "Design\\n\\ndo: first 1 write design.txt one\\ndo: later 1 write design.txt two"

[[tasks]]
id = "build"
description = "Build\\n\\ndo: first 3 fail\\ndo: show design.txt\\ndo: append build.txt built"
depends_on = ["design"]

[[tasks]]
id = "ship"
description = "Ship\\n\\ndo: wait go\\ndo: append ship.txt shipped"
depends_on = ["build"]

[[tasks]]
id = "docs"
description = "Docs\\n\\ndo: append docs.txt written"
depends_on = ["design"]
"""


def test_a_failed_stage_stops_its_dependents_only_and_a_stage_can_be_done_again(project: Project) -> None:
    project.found({1: "# One\n"})
    (project.root / "tasks.toml").write_text(PIPELINE)
    project.spawn("worker")
    project.tt("sync", "push")
    mission = project.json("mission", "list")[0]["id"]
    project.tt("mission", "resume", mission)
    project.tt("wait", "build", code=1)
    project.tt("wait", "docs")
    # What does not depend on it was done; what does says why it waits, and how it goes on.
    assert [row["state"] for row in project.json("task", "list")] == ["done", "failed", "pending", "done"]
    said = project.tt("task", "show", "ship").stdout
    assert "tt task retry build" in said
    assert [run for run in project.runs() if run["item"].endswith("/ship")] == []

    assert "Task build is tried again" in project.tt("task", "retry", "build").stdout
    project.wait_item(mission, "ship", lambda item: item.attempts, description="ship began")
    assert [row["task"] for row in project.json("task", "current", "worker")] == ["ship"]
    assert "📋 worker: work ship" in project.tt("task", "current").stdout
    assert (
        "`worker` is still working after 0 s" in project.tt("wait", "worker", "--idle", "--timeout", "0", code=1).stderr
    )
    assert [run["text"] for run in project.runs("show")] == ["one\n"], "design was not done again"
    refused = project.tt("task", "retry", "design", code=4).stderr
    assert "`tt task retry design --from` has it done again" in refused
    refused = project.tt("task", "retry", "design", "--from", code=4).stderr
    assert "an attempt at ship is under way" in refused
    assert "tt task cancel ship" in refused
    (run,) = [one for one in project.runs() if one["item"].endswith("/ship")]
    project.tt("task", "cancel", "ship")
    # Else its run may see what lets it go on before it is ended.
    wait_until(lambda: not tree_of_run(run_of(run)), description="the run is ended")

    # The words in either order; what is merged stays, and each begins from it.
    again = project.tt("task", "retry", "--from", "design").stdout
    assert again.splitlines() == ["🔁 Task design is tried again: Design", "   and after it build, ship, docs"]
    project.allow("go")
    project.wait_state(mission, "completed")
    assert project.git("show", "main:design.txt") == "two"
    assert [run["text"] for run in project.runs("show")] == ["one\n", "two\n"]
    assert project.git("show", "main:build.txt") == "built\nbuilt"
    assert project.git("show", "main:ship.txt") == "shipped"
    assert project.git("show", "main:docs.txt") == "written\nwritten"
    lines = project.json("history", "-n", "500")
    told = {line["item"]: line for line in lines if line["kind"] == "item_retried"}
    assert told["plan:task/docs"]["why"] == "design is done again"
    assert (told["plan:task/docs"]["from"], told["plan:task/docs"]["to"]) == ("done", "pending")
    assert told["plan:task/docs"]["by"] == "operator"
    assert "worker is idle" in project.tt("wait", "worker", "--idle").stdout
    assert "Nobody is at work" in project.tt("task", "current").stdout
    assert "neither an agent nor a task `shipp`" in project.tt("wait", "shipp", code=3).stderr
    refused = project.tt("task", "retry", "design", "--from", code=4).stderr
    assert "is completed" in refused
    assert "tt sync push" in refused
