"""A plan in tasks.toml, run by real workers: pushed, started, changed, and written back."""

from __future__ import annotations

import re

from tests.acceptance.project import Project
from tinytown.state import glimpse

FEATURE = '''# The profile feature
[meta]
description = "User profiles"
reviewer_required = false

[[tasks]]
id = "profile"        # an epic
description = "Implement user profiles"
tags = ["epic"]

[[tasks]]
id = "design"
description = """Design the schema

do: nothing
do: say the schema is a list"""
agent = "architect"
parent = "profile"

[[tasks]]
id = "implement"
description = """Implement the endpoints

do: write api.txt done"""
agent = "developer"
parent = "profile"

[[tasks]]
id = "test"
description = """Test the endpoints

do: show api.txt
do: write test.txt done"""
agent = "tester"
parent = "profile"
'''


def test_a_plan_runs_by_its_order_and_its_file_says_how_it_stands(project: Project) -> None:
    project.found({1: "# One\n"})
    file = project.root / "tasks.toml"
    file.write_text(FEATURE)
    project.git("add", "tasks.toml")
    project.git("commit", "-q", "-m", "Plan")
    project.spawn("architect", "developer", "tester")
    said = project.tt("sync", "push").stdout
    assert "Pushed the plan: 4 added" in said
    assert "`tt conductor` starts it" in said
    again = project.tt("sync", "push").stdout
    assert "Nothing to push: 4 tasks as recorded" in again
    assert project.runs() == []
    followed = project.tt("conductor", "--no-ai", timeout=120).stdout
    assert "The plan runs: mission" in followed
    mission = project.json("mission", "list", "--all")[0]["id"]
    assert project.status(mission)["state"] == "completed", project.account(mission)
    work = [run["item"] for run in project.runs(purpose="work")]
    assert work == ["plan:task/design", "plan:task/implement", "plan:task/test"]
    assert project.runs("show")[0]["text"] == "done\n", "merged before the next one began"
    assert project.git("show", "main:test.txt") == "done"
    assert "the schema is a list" in project.brief(mission, "implement", 1)
    pulled = project.tt("sync", "pull").stdout
    assert "Updated 4 tasks in tasks.toml" in pulled
    text = file.read_text()
    assert text.count('status = "completed"') == 4
    assert "# The profile feature" in text
    assert 'id = "profile"        # an epic' in text
    assert "the schema is a list" in text
    assert "Nothing to pull" in project.tt("sync", "pull").stdout
    assert "Nothing to push" in project.tt("sync", "push").stdout


RUNNING = """[meta]
reviewer_required = false

[[tasks]]
id = "one"
description = "One\\n\\ndo: write one.txt 1\\ndo: wait go"

[[tasks]]
id = "two"
description = "Two\\n\\ndo: write two.txt 2"
depends_on = ["one"]

[[tasks]]
id = "three"
description = "Three\\n\\ndo: write three.txt 3"
depends_on = ["two"]
"""


def test_a_running_plan_takes_changes_and_loses_no_work(project: Project) -> None:
    project.found({1: "# One\n"})
    file = project.root / "tasks.toml"
    file.write_text(RUNNING)
    project.spawn("worker")
    project.tt("sync", "push")
    project.tt("mission", "resume", project.json("mission", "list")[0]["id"])
    mission = project.json("mission", "list")[0]["id"]
    project.wait_runs(mission, 1)

    # Taking the running task away, or giving it another text, is refused; nothing of the file counts then.
    file.write_text(RUNNING.replace('id = "one"', 'id = "uno"').replace('["one"]', '["uno"]'))
    refused = project.tt("sync", "push", code=4).stderr
    assert "`one` is running: the file does not have it any more" in refused
    assert "`tt sync push --force`" in refused
    file.write_text(RUNNING.replace("one.txt 1", "one.txt 11"))
    assert "it has begun with another `description`" in project.tt("sync", "push", code=4).stderr
    assert [v.record.typed for v in project.context().store.items(mission).values()] == ["one", "two", "three"]

    # A new one in between, another text for what waits, and one less.
    changed = RUNNING.replace("two.txt 2", "two.txt 22").replace('["two"]', '["between", "two"]')
    more = '\n[[tasks]]\nid = "between"\ndescription = "do: write between.txt b"\ndepends_on = ["one"]\n'
    last = '\n[[tasks]]\nid = "last"\ndescription = "do: write last.txt l"\ndepends_on = ["three"]\n'
    file.write_text(changed + more + last)
    dry = project.tt("sync", "push", "--dry-run").stdout
    assert "Would push the plan: 2 added, 2 changed, 1 unchanged" in dry
    assert len(project.context().store.items(mission)) == 3
    assert "Pushed the plan: 2 added, 2 changed, 1 unchanged" in project.tt("sync", "push").stdout
    assert len(project.runs()) == 1, "what runs goes on"
    file.write_text(changed + more)
    assert "1 removed" in project.tt("sync", "push").stdout
    project.allow("go")
    project.wait_state(mission, "completed")
    assert [run["item"].removeprefix("plan:task/") for run in project.runs(purpose="work")][-1] == "three"
    assert sorted(run["item"].removeprefix("plan:task/") for run in project.runs(purpose="work")) == [
        "between", "one", "three", "two"
    ]  # fmt: skip
    assert project.git("show", "main:two.txt") == "22"
    assert project.item(mission, "last").state == "skipped"
    removed = [why for what, _, to, by, why in project.steps() if what == "plan:task/last" and to == "skipped"]
    assert removed == ["The plan was pushed: 0 added, 0 changed, 1 removed"]

    # It has ended: what is added now is a plan of its own, in which what is done stays done.
    project.tt("sync", "pull")
    file.write_text(file.read_text() + last)
    assert "Pushed the plan: 1 added, 4 unchanged" in project.tt("sync", "push").stdout
    assert "The plan runs" in project.tt("conductor", "--no-ai").stdout
    assert project.git("show", "main:last.txt") == "l"
    assert len(project.runs(purpose="work")) == 5


def test_a_wish_in_the_file_counts_once(project: Project) -> None:
    """Somebody did a task by hand, or wants a failed one again: they say so by its status."""
    project.found({1: "# One\n"})
    file = project.root / "tasks.toml"
    text = (
        '[meta]\nreviewer_required = false\n\n[[tasks]]\nid = "one"\ndescription = "One\\n\\ndo: first 9 fail"\n'
        'status = "pending"\n\n[[tasks]]\nid = "two"\ndescription = "Two\\n\\ndo: write two.txt 2"\n'
        'depends_on = ["one"]\n'
    )
    file.write_text(text)
    project.spawn("worker")
    project.tt("sync", "push")
    mission = project.json("mission", "list")[0]["id"]
    project.tt("mission", "resume", mission)
    project.wait_item(mission, "one", lambda item: item.state == "failed", description="it failed")
    assert "`tt mission retry" in project.tt("mission", "status").stdout
    project.tt("sync", "pull")
    assert 'status = "failed"' in file.read_text()
    kept = file.read_text()
    file.write_text("[meta]\n")
    assert "tasks.toml has no tasks" in project.tt("sync", "push", code=2).stderr
    file.write_text(kept)
    done = 'status = "completed"\nresult = "I did it myself"'
    file.write_text(
        re.sub(r'^result = "[^"]*"\n', "", file.read_text(), flags=re.MULTILINE).replace('status = "failed"', done)
    )
    assert "1 changed, 1 unchanged" in project.tt("sync", "push").stdout
    project.wait_state(mission, "completed")
    assert project.git("show", "main:two.txt") == "2"
    assert "I did it myself" in project.brief(mission, "two", 1)


def test_what_a_pull_wrote_is_no_wish_later(project: Project) -> None:
    """Also where the file has other edits; a link stays one, and a file that is read-only stays as it is."""
    project.found({1: "# One\n"})
    file, real = project.root / "tasks.toml", project.root / "plans" / "real.toml"
    real.parent.mkdir()
    failing = RUNNING.replace("do: wait go", "do: first 3 fail").replace("two.txt 2", "two.txt 2\\ndo: wait go")
    real.write_text(failing)
    file.symlink_to(real)
    project.tt("sync", "push")
    assert "Nothing to pull" in project.tt("sync", "pull").stdout
    assert real.read_text() == failing
    project.spawn("worker")
    mission = project.json("mission", "list")[0]["id"]
    project.tt("mission", "resume", mission)
    project.wait_item(mission, "one", lambda item: item.state == "failed", description="it failed")
    real.write_text(failing + '\n[[tasks]]\nid = "more"\ndescription = "do: write more.txt m"\n')
    real.chmod(0o444)
    assert "is read-only" in project.tt("sync", "pull", code=4).stderr
    real.chmod(0o640)
    project.tt("sync", "pull")
    assert file.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert 'status = "failed"' in real.read_text()
    project.tt("mission", "retry", "one")
    project.wait_item(mission, "two", lambda item: item.state == "running", description="the next one runs")
    assert "1 added, 3 unchanged" in project.tt("sync", "push").stdout
    assert project.item(mission, "one").state == "done"
    project.allow("go")
    project.wait_state(mission, "completed")


PIPELINE = """[meta]
description = "Code Review Pipeline"
default_agent = "developer"
reviewer_required = false

[[tasks]]
id = "lint"
description = "Lint\\n\\ndo: nothing\\ndo: say all clean"
agent = "linter"
status = "pending"

[[tasks]]
id = "build"
description = "Build\\n\\ndo: write built.txt 1\\ndo: fix append built.txt 2"
agent = "builder"
status = "pending"
parent = "lint"

[[tasks]]
id = "review"
description = "Review\\n\\nLook at the number above all.\\n\\nverdict: reject-first 1"
agent = "judge"
status = "pending"
parent = "build"

[[tasks]]
id = "deploy"
description = "Deploy\\n\\ndo: show built.txt\\ndo: nothing"
agent = "deployer"
status = "pending"
parent = "review"
"""


def test_a_reviewers_task_judges_the_one_before(project: Project) -> None:
    """Its refusal is a fix round of that one, what comes after waits for it, and its words are in the review."""
    project.found({1: "# One\n"})
    file = project.root / "tasks.toml"
    file.write_text(PIPELINE)
    project.spawn("linter", "builder", "deployer", "other")
    project.tt("spawn", "judge", "--role", "reviewer", "--cli", "fake")
    assert "   linter: 1 task, for the agent linter (worker)" in project.tt("plan").stdout.splitlines()
    project.tt("sync", "push")
    followed = project.tt("conductor", "--no-ai", timeout=120)
    mission = project.json("mission", "list", "--all")[0]["id"]
    assert project.status(mission)["state"] == "completed", followed.stdout
    runs = [(run["item"].removeprefix("plan:task/"), run["purpose"], run["agent"]) for run in project.runs()]
    assert runs == [
        ("lint", "work", "linter"),
        ("build", "work", "builder"),
        ("build", "review", "judge"),
        ("build", "fix", "builder"),
        ("build", "review", "judge"),
        ("deploy", "work", "deployer"),
    ]
    assert project.runs("show")[0]["text"] == "1\n2\n"
    assert "Look at the number above all." in project.brief(mission, "build", 2)
    project.tt("sync", "pull")
    text = file.read_text()
    assert text.count('status = "completed"') == 4
    assert "all clean" in text


def test_a_plan_that_was_given_up_begins_again_with_what_is_left(project: Project) -> None:
    project.found({1: "# One\n"})
    assert "run `tt sync push` first" in project.tt("conductor", "--no-ai", code=3).stderr
    file = project.root / "tasks.toml"
    file.write_text(RUNNING.replace("three.txt 3", "three.txt 3\\ndo: wait on"))
    assert "this town has no plan" in project.tt("sync", "pull", code=3).stderr
    project.spawn("worker")
    many = "".join(f'\n[[tasks]]\nid = "t{n}"\ndescription = "T"\n' for n in range(9))
    file.write_text(file.read_text() + many)
    project.tt("sync", "push")
    assert "one One, two Two, three Three, t0 T, t1 T, and 7 more" in project.tt("mission", "list").stdout
    file.write_text('[meta]\nbase = "none"\n' + file.read_text().removeprefix("[meta]\n"))
    assert "no branch `none`" in project.tt("sync", "push", code=None).stderr
    project.git("branch", "side")
    file.write_text(file.read_text().replace('"none"', '"side"'))
    project.tt("sync", "push")
    assert project.json("mission", "status")["base"] == "side"
    file.write_text(file.read_text().replace('base = "side"\n', "").removesuffix(many))
    project.tt("sync", "push")
    first = project.json("mission", "list")[0]["id"]
    project.allow("go")
    project.tt("mission", "resume", first)
    project.wait_runs(first, 3)
    assert {("one", "One"), ("two", "Two"), ("three", "Three")} <= set(glimpse.items(project.root)), "for completion"
    project.tt("mission", "stop", first, "--force")
    assert "begin again with what is left" in project.tt("conductor", "--no-ai", code=4).stderr
    assert "Pushed the plan: 3 unchanged" in project.tt("sync", "push").stdout
    project.allow("on")
    assert "The plan runs" in project.tt("conductor", "--no-ai").stdout
    assert [run["item"].removeprefix("plan:task/") for run in project.runs(purpose="work")] == [
        "one", "two", "three", "three"
    ]  # fmt: skip
    assert project.git("show", "main:three.txt") == "3"
