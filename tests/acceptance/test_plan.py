"""``tt plan``: what is typed in the tutorial on pipelines, and what people get wrong; without a town and with one."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.unit.plans.plan_files import FEATURE, STAGED, large
from tests.waiting import patience


@pytest.fixture
def folder(project: Project) -> Project:
    """A folder without a town, in no repository."""
    project.root.mkdir()
    return project


def _write(project: Project, text: str) -> Path:
    path = project.root / "tasks.toml"
    path.write_bytes(text.encode())
    return path


def test_the_tutorials_plan_is_kept_by_init_and_shown(folder: Project) -> None:
    """The tutorial writes the file and then types `tt plan --init`."""
    file = _write(folder, FEATURE)
    for option in ("--init", "-i"):
        assert folder.tt("plan", option).stdout == (
            "📋 Kept tasks.toml: 5 tasks, nothing wrong; `tt plan` shows them\n"
        )
    assert file.read_text() == FEATURE
    done = folder.tt("plan")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "📋 User Profile Feature Pipeline: 4 tasks in 1 epic",
        "   ⏳ profile-epic: Implement user profile feature — epic (by its tag): 4 tasks, in the order of the file",
        "      1. ⏳ design: Design profile API schema — architect (designer)",
        "      2. ⏳ implement: Implement profile endpoints — developer (backend)",
        "            after design (order of the file)",
        "      3. ⏳ test: Write profile API tests — tester",
        "            after implement (order of the file)",
        "      4. ⏳ review: Review profile implementation — reviewer",
        "            after test (order of the file)",
        "👷 Roles and agents:",
        "   architect: 1 task, the role designer",
        "   developer: 1 task, the role backend",
        "   tester: 1 task",
        "   reviewer: 1 task",
    ]


def test_the_staged_pipeline_runs_by_its_parents(folder: Project) -> None:
    """With states and a result in the file, and what holds for the plan."""
    text = STAGED.replace("pending", "completed", 1).replace("pending", "in_review", 1)
    text = text.replace('agent = "linter"', 'agent = "linter"\nresult = "clean\\nall of it"')
    text = text.replace("[meta]", '[meta]\nbase = "dev"\nchecks = ["make"]\nreviewer_required = false\nbudget_usd = 5')
    _write(folder, text)
    assert folder.tt("plan").stdout.splitlines() == [
        "📋 Code Review Pipeline: 5 tasks",
        "   1. ✅ lint: Run linting on src/ — linter",
        "         result: clean",
        "   2. 🔍 build: Build the project — builder",
        "         after lint (its parent)",
        "   3. ⏳ test: Run test suite — tester",
        "         after build (its parent)",
        "   4. ⏳ review: Code review — reviewer",
        "         after test (its parent)",
        "   5. ⏳ deploy: Deploy to staging — deployer",
        "         after review (its parent)",
        "👷 Roles and agents:",
        "   linter: 1 task, for the agent linter: there is no such role",
        "   builder: 1 task, for the agent builder: there is no such role",
        "   tester: 1 task",
        "   reviewer: 1 task",
        "   deployer: 1 task, for the agent deployer: there is no such role",
        "📏 This plan: merges into dev, checks `make`, no reviewer is required, pause at $5.00",
    ]


def test_init_begins_a_plan_that_is_one(folder: Project) -> None:
    missing = folder.tt("plan", code=3).stderr
    assert f"there is no tasks.toml in {folder.root}" in missing
    assert "run `tt plan --init`" in missing
    assert "📝 Created tasks.toml" in folder.tt("plan", "--init").stdout
    assert (folder.root / "tasks.toml").stat().st_mode & 0o777 == 0o644
    plan = folder.json("plan")
    assert (plan["order"], plan["problems"], plan["remarks"]) == (["example-1", "example-2"], [], [])
    assert "Kept tasks.toml: 2 tasks" in folder.tt("plan", "--init").stdout


def test_mistakes_are_named_all_at_once(folder: Project) -> None:
    """With file and line, by every way of looking; the file stays, also with `--init`."""
    text = FEATURE.replace('agent = "tester"', 'agnet = "tester"').replace('parent = "profile-epic"', 'parent = "p"', 1)
    file = _write(folder, text + '\n[[tasks]]\nid = "x\\u001b"\n')
    told = [
        "tasks.toml:17: `parent` names `p`, and there is no such task; name the id of another task of this file",
        "tasks.toml:31: unknown key `agnet`; did you mean `agent`?",
        'tasks.toml:44: `x\\x1b` has no description; add description = "…"',
        (
            "tasks.toml:45: `id` cannot be `x\\x1b`; use letters, digits, `.`, `-` and `_`, 100 at most, with a letter "
            "or a digit first"
        ),
        f"error: 4 mistakes in {file}",
        "  correct them, then run `tt plan`",
    ]
    for options in ((), ("--mermaid",), ("--init",)):
        done = folder.tt("plan", *options, code=2)
        assert (done.stdout, done.stderr.splitlines()) == ("", told)
    done = folder.tt("plan", "--json", code=2)
    assert [one["line"] for one in json.loads(done.stdout)["problems"]] == [17, 31, 44, 45]
    assert "cannot be used together" in folder.tt("plan", "--json", "--mermaid", code=2).stderr
    file.unlink()
    file.mkdir()
    assert "cannot be read" in folder.tt("plan", code=4).stderr


def test_the_graph_for_mermaid(folder: Project) -> None:
    """Epics are boxes, in each other too; titles are data."""
    _write(
        folder,
        FEATURE.replace("Design profile API schema", 'Design <b>\\"it\\"</b>')
        + '\n[[tasks]]\nid = "inner"\ndescription = "In"\ntags = ["epic"]\nparent = "profile-epic"\n'
        + '[[tasks]]\nid = "leaf"\ndescription = "Leaf"\nparent = "inner"\n'
        + '[[tasks]]\nid = "end"\ndescription = "End"\ndepends_on = ["profile-epic"]\n',
    )
    assert folder.tt("plan", "--mermaid").stdout.splitlines() == [
        "graph TD",
        '    subgraph n1["profile-epic Implement user profile feature"]',
        '        n2["design Design #60;b#62;#34;it#34;#60;/b#62;"]',
        '        n3["implement Implement profile endpoints"]',
        '        n4["test Write profile API tests"]',
        '        n5["review Review profile implementation"]',
        '        subgraph n6["inner In"]',
        '            n7["leaf Leaf"]',
        "        end",
        "    end",
        '    n8["end End"]',
        '    n2 -->|"order"| n3',
        '    n3 -->|"order"| n4',
        '    n4 -->|"order"| n5',
        '    n5 -->|"order"| n6',
        '    n1 -->|"depends_on"| n8',
    ]


def test_in_a_town_the_plan_is_the_towns_and_so_are_the_roles(folder: Project) -> None:
    """Found from a folder below and by `-t`, while nothing of the town runs; a broken configuration is no hindrance."""
    town = folder.root / "tinytown.toml"
    town.write_text('[roles.poet]\naliases = ["verse"]\n')
    slip = '[[tasks]]\nid = "b"\ndescription = "y"\nagent = "reviwer"\n'
    _write(folder, f'[[tasks]]\nid = "a"\ndescription = "x"\nagent = "verse"\nparallel = true\n{slip}')
    below = folder.root / "src"
    below.mkdir()
    folder.root = below
    done = folder.tt("plan")
    assert "   1. ⏳ a: x — verse (poet)" in done.stdout.splitlines()
    assert "   reviwer: 1 task, for the agent reviwer: there is no such role; did you mean `reviewer`?" in done.stdout
    assert done.stderr == (
        f"note: {town.parent / 'tasks.toml'}:1: `parallel` of `a` has no effect: it is no epic; remove it, or give the "
        "task the tag `epic`\n"
    )
    folder.root = town.parent.parent
    assert "verse (poet)" in folder.tt("plan", "-t", str(town.parent)).stdout
    town.write_text("nonsense = 1\n")
    folder.root = town.parent
    done = folder.tt("plan")
    assert "verse: 1 task, for the agent verse: there is no such role" in done.stdout
    assert "note: the town's own roles are not known: " in done.stderr


def test_ten_thousand_tasks_are_shown(folder: Project) -> None:
    """One line each, and one for what each waits for."""
    _write(folder, large(10_000))
    begun = time.monotonic()
    lines = folder.tt("plan").stdout.splitlines()
    assert time.monotonic() - begun < patience(20)
    assert len(lines) == 1 + 10_000 + 9_999 + 2
    assert len(folder.json("plan")["tasks"]) == 10_000
