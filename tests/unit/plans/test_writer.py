"""States, results and new tasks are written into a plan's file, and nothing else in it changes."""

from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plans.plan_files import FEATURE, SOURCE, WORDS_OF_PEOPLE, files, large, tasks
from tinytown.errors import ConfigurationError
from tinytown.missions.states import ItemState
from tinytown.plans.model import WORDS, Plan, Task
from tinytown.plans.reader import read
from tinytown.plans.writer import Update, write
from tinytown.toml_text import TomlText, edited


def _plan(raw: bytes) -> Plan:
    return read(raw, source=SOURCE).require().plan


def _as_it_is(plan: Plan) -> dict[str, Update]:
    return {task.id: Update(task.status, task.result) for task in plan.tasks}


@given(st.data())
def test_writing_what_a_file_says_changes_no_byte(data: st.DataObject) -> None:
    """Pull after push."""
    wanted = data.draw(tasks())
    raw = data.draw(files(wanted))
    plan = _plan(raw)
    assert [task._replace(line=0) for task in plan.tasks] == wanted
    assert write(raw, _as_it_is(plan), new=plan.tasks, source=SOURCE) == raw
    assert write(raw, {"gone": Update(ItemState.DONE)}, source=SOURCE) == raw


@given(st.data())
def test_only_what_changed_is_written(data: st.DataObject) -> None:
    """Read again, it is the plan with the new states and results; written again, it stays; all comments stay."""
    wanted = data.draw(tasks())
    raw = data.draw(files(wanted))
    updates = {
        task.id: Update(data.draw(st.sampled_from(list(WORDS))), data.draw(st.none() | WORDS_OF_PEOPLE))
        for task in wanted
        if data.draw(st.booleans())
    }
    new = [Task(id="new-1", description='Say\n"it"', tags=("a",)), Task(id="new-2", description="x", parent="new-1")]
    new = new[: data.draw(st.integers(0, 2))]
    written = write(raw, updates, new=new, source=SOURCE)
    found = list(_plan(written).tasks)
    assert len(found) == len(wanted) + len(new)
    for task, before in zip(found, [*wanted, *new], strict=True):
        update = updates.get(task.id, Update(before.status))
        assert task.status is update.state
        assert task.result == (before.result if update.result is None else update.result)
        assert (task.description, task.agent, task.tags) == (before.description, before.agent, before.tags)
        assert task.parent == before.parent
    assert write(written, updates, new=new, source=SOURCE) == written
    assert _rest(write(raw, updates, source=SOURCE)) == _rest(raw)


def _rest(raw: bytes) -> str:
    """A file without the two keys that are written."""
    text = raw.decode().removeprefix("\ufeff")
    spans = {
        (entry.start, entry.end): ""
        for table in TomlText(text).tables("tasks")
        for key, entry in table.entries.items()
        if key in ("status", "result")
    }
    return re.sub(r"[\s,]+", "", edited(text, spans))


def test_a_pull_of_the_tutorials_plan() -> None:
    """Line by line."""
    updates = {
        "design": Update(ItemState.DONE, 'see docs/api.md\nand the "schema"'),
        "implement": Update(ItemState.IN_REVIEW),
        "test": Update(ItemState.PENDING),
    }
    written = write(FEATURE.encode(), updates, source=SOURCE).decode()
    expected = FEATURE.replace(
        'agent = "architect"\nstatus = "pending"\nparent = "profile-epic"\ntags = ["design"]\n',
        'agent = "architect"\nstatus = "completed"\nparent = "profile-epic"\ntags = ["design"]\n'
        'result = """\nsee docs/api.md\nand the \\"schema\\""""\n',
    ).replace('agent = "developer"\nstatus = "pending"', 'agent = "developer"\nstatus = "in_review"')
    assert written == expected


def test_a_result_stands_with_its_task_and_not_behind_the_comment_of_the_next() -> None:
    """Indented as its task is, with the line ends of the file, also at the end of a file without one."""
    text = '[[tasks]]\r\n  id = "a" # first\r\n  description = "x" # why\r\n\r\n# about b\r\n'
    text += '[[tasks]]\r\nid = "b"\r\ndescription = "y"'
    done = {"a": Update(ItemState.DONE, "1"), "b": Update(ItemState.FAILED, "2")}
    assert write(text.encode(), done, source=SOURCE).decode() == (
        '[[tasks]]\r\n  id = "a" # first\r\n  description = "x" # why\r\n  status = "completed"\r\n  result = "1"\r\n'
        '\r\n# about b\r\n[[tasks]]\r\nid = "b"\r\ndescription = "y"\r\nstatus = "failed"\r\nresult = "2"'
    )


def test_new_tasks_come_last() -> None:
    """After a blank line, in a list inside its brackets, with all that is not as it would be anyway."""
    new = Task(id="c", description="z", agent="qa", depends_on=("a",), tags=("t",), status=ItemState.DONE, result="r")
    made = '[[tasks]]\nid = "c"\ndescription = "z"\nagent = "qa"\nstatus = "completed"\ndepends_on = ["a"]\n'
    made += 'tags = ["t"]\nresult = "r"\n'
    text = '[[tasks]]\nid = "a"\ndescription = "x"'
    assert write(text.encode(), {}, new=[new], source=SOURCE).decode() == f"{text}\n\n{made}"
    assert write(f"{text}\n".encode(), {}, new=[new], source=SOURCE).decode() == f"{text}\n\n{made}"
    first = Task(id="a", description="x")
    assert write(b"", {}, new=[first], source=SOURCE) == b'[[tasks]]\nid = "a"\ndescription = "x"\nstatus = "pending"\n'
    listed = write(b"tasks = [] # none\n", {}, new=[first, new], source=SOURCE).decode()
    assert listed.endswith("] # none\n")
    assert [one["id"] for one in tomllib.loads(listed)["tasks"]] == ["a", "c"]


def test_what_cannot_be_read_is_not_written() -> None:
    with pytest.raises(ConfigurationError, match=r"tasks\.toml:2: .*unknown key"):
        write(b'[[tasks]]\nidd = "a"\n', {}, source=SOURCE)
    with pytest.raises(ConfigurationError, match="there is no such task"):
        write(b"", {}, new=[Task(id="a", description="x", parent="b")], source=SOURCE)


def test_bytes_of_an_agent_that_are_no_text_become_question_marks() -> None:
    """A file in UTF-8 has no room for them; the second time nothing changes."""
    raw = write(b'[[tasks]]\nid = "a"\ndescription = "x"\n', {"a": Update(ItemState.DONE, "\udcff")}, source=SOURCE)
    assert _plan(raw).tasks[0].result == "?"
    assert write(raw, {"a": Update(ItemState.DONE, "\udcff")}, source=SOURCE) == raw


def test_thousands_of_tasks_are_written() -> None:
    """Each keeps its comment."""
    raw = large(3_000).encode()
    updates = {f"task-{i:05}": Update(ItemState.DONE, "ok") for i in range(3_000)}
    written = write(raw, updates, source=SOURCE)
    assert written.count(b'status = "completed"') == written.count(b'result = "ok"\n\n# step') + 1 == 3_000
