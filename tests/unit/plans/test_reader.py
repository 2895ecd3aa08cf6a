"""A plan is read, or all that is wrong with it is named with its line."""

from __future__ import annotations

import time

import pytest

from tests.unit.plans.plan_files import FEATURE, SOURCE, STAGED, large, reading, text_of
from tinytown.errors import ConfigurationError
from tinytown.missions.states import ItemState
from tinytown.plans.model import STATES, Meta, Task
from tinytown.plans.reader import read
from tinytown.plans.template import TEMPLATE


def test_every_key_is_read() -> None:
    text = """\
[meta]
description = "All of it"
default_agent = "Backend"
reviewer_required = false
base = "develop"
checks = ["make test", "make lint"]
budget_usd = 5
budget_tokens = 2_000_000

[[tasks]]
id = "Epic.1_x-y"
description = \"\"\"
  The whole
of it\"\"\"
tags = ["epic", "q1"]
parallel = true

[[tasks]]
id = "b"
description = "do b"
agent = "qa"
status = "completed"
parent = "Epic.1_x-y"
depends_on = []
result = "done it"
"""
    plan = reading(text).require().plan
    assert plan.meta == Meta(
        description="All of it",
        default_agent="backend",
        reviewer_required=False,
        base="develop",
        checks=("make test", "make lint"),
        budget_usd=5.0,
        budget_tokens=2_000_000,
    )
    first, second = plan.tasks
    assert first._replace(line=0) == Task(
        id="Epic.1_x-y", description="  The whole\nof it", tags=("epic", "q1"), parallel=True
    )
    assert (first.title, first.line, first.depends_on) == ("The whole", 10, None)
    assert second == Task(
        id="b",
        description="do b",
        agent="qa",
        status=ItemState.DONE,
        parent="Epic.1_x-y",
        depends_on=(),
        result="done it",
        line=second.line,
    )


@pytest.mark.parametrize("text", [FEATURE, STAGED, TEMPLATE, "", "# nothing\n", "[meta]\n", "tasks = []\n"])
def test_sound_plans_have_no_problems(text: str) -> None:
    """The tutorial's two, the template, and none at all."""
    assert reading(text).problems == ()
    assert reading(text.replace("\n", "\r\n")).plan == reading(text).plan
    assert read(b"\xef\xbb\xbf" + text.encode(), source=SOURCE).plan == reading(text).plan


@pytest.mark.parametrize("text", [FEATURE, STAGED, TEMPLATE, "", text_of("a", "b parallel=true")])
def test_lines_are_found_only_where_they_are_wanted(text: str) -> None:
    """What is wrong, and what is hardly meant, has its line anyway."""
    whole, quick = reading(text), read(text.encode(), source=SOURCE, lines=False)
    said = whole.stages.remarks()
    assert quick.stages.remarks() == said
    assert quick.stages.order == whole.stages.order
    assert [one.line for one in quick.plan.tasks] == [one.line if said else 0 for one in whole.plan.tasks]


def test_every_word_for_a_state_is_read() -> None:
    """Those of the states of items, and `completed`."""
    assert set(STATES) == {state.value for state in ItemState} | {"completed"}
    tasks = [f'{word} status="{word}"' for word in STATES]
    plan = reading(text_of(*tasks)).require().plan
    assert {task.id: task.status for task in plan.tasks} == dict(STATES)


MISTAKES = """\
[meta]
reviewer_required = "yes"
bugdet_usd = 3
default_agent = "the best"

[[tasks]]
id = "design"
descripton = "Design it"

[[tasks]]
id = "design"
description = "Again"
status = "complete"

[[tasks]]
description = "Write the tests, all"
parent = "desing"
tags = "epic"

[[tasks]]
id = "a b"
description = "  "
agent = ""

[[tasks]]
id = "loner"
description = "Wait for oneself"
parent = "loner"
depends_on = ["loner", "design", "nothing-like-it"]
parallel = 1

[tasks.more]
x = 1

[tsks]
"""


def test_all_mistakes_are_named_at_once_with_their_lines() -> None:
    assert (
        [one.told(SOURCE) for one in reading(MISTAKES).problems]
        == """\
tasks.toml:2: `reviewer_required` cannot be `yes`; write true or false
tasks.toml:3: unknown key `bugdet_usd`; did you mean `budget_usd`?
tasks.toml:4: `default_agent` cannot be `the best`; write the name of an agent or of a role: lower-case letters, \
digits, `-` and `_`, 48 at most
tasks.toml:6: `design` has no description; add description = "…"
tasks.toml:8: unknown key `descripton`; did you mean `description`?
tasks.toml:11: the id `design` is taken by the task at line 6; give each task an id of its own
tasks.toml:13: there is no status `complete`; did you mean `completed`?
tasks.toml:15: the task has no id; add one, e.g. id = "write-the-tests-all"
tasks.toml:17: `parent` names `desing`, and there is no such task; did you mean `design`?
tasks.toml:18: `tags` cannot be `epic`; write tags = ["epic"]
tasks.toml:21: `id` cannot be `a b`; use letters, digits, `.`, `-` and `_`, 100 at most, with a letter or a digit first
tasks.toml:22: `description` cannot be empty; say what is to be done: description = "…"
tasks.toml:23: `agent` cannot be empty; write the name of an agent or of a role: lower-case letters, digits, `-` \
and `_`, 48 at most
tasks.toml:28: `loner` is its own parent; remove it, or name another task
tasks.toml:29: `depends_on` names `nothing-like-it`, and there is no such task; name the id of another task of \
this file
tasks.toml:29: `loner` depends on itself; remove it from `depends_on`
tasks.toml:30: `parallel` cannot be 1; write true or false
tasks.toml:32: unknown key `more`; the keys of a task are `id`, `description`, `agent`, `status`, `parent`, \
`depends_on`, `tags`, `result`, `parallel`
tasks.toml:35: unknown key `tsks`; did you mean `tasks`?
""".splitlines()
    )


@pytest.mark.parametrize("name", ["conductor", "Supervisor", "operator"])
def test_whoever_is_no_agent_takes_no_tasks(name: str) -> None:
    text = f'[meta]\ndefault_agent = "{name}"\n[[tasks]]\nid = "a"\ndescription = "A"\nagent = "{name}"\n'
    rule = "name an agent or a role: the conductor and you take no tasks"
    assert [one.told(SOURCE) for one in reading(text).problems] == [
        f"tasks.toml:2: `default_agent` cannot be `{name}`; {rule}",
        f"tasks.toml:6: `agent` cannot be `{name}`; {rule}",
    ]
    assert reading(text.replace(name, "server")).problems == (), "a role has this alias"


def test_a_plan_with_mistakes_cannot_be_used() -> None:
    with pytest.raises(ConfigurationError, match=r"tasks\.toml:3: .*; tasks\.toml:35") as caught:
        reading("\n\nx = 1" + "\n" * 32 + "y = 2").require()
    assert "tt plan" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("meta = 1", "tasks.toml:1: `meta` is not a table; write `[meta]`"),
        ("\n[tasks]\n", "tasks.toml:2: `tasks` is not a list of tables; begin each task with `[[tasks]]`"),
        ("tasks = [1]", "tasks.toml:1: `tasks` is not a list of tables; begin each task with `[[tasks]]`"),
        ('[meta]\nbase = "x\n', "tasks.toml:2: not valid TOML: illegal character '\\n'; correct this line"),
        ("[meta]\n\nbase = [", "tasks.toml:3: not valid TOML: invalid value; correct this line"),
        ("[meta]\nbudget_usd = nan", "tasks.toml:2: `budget_usd` cannot be nan; write US dollars, e.g. "),
        ("[meta]\nbudget_tokens = 1.5", "tasks.toml:2: `budget_tokens` cannot be 1.5; write a number of tokens, e.g. "),
        ("[meta]\nbudget_tokens = 0", "tasks.toml:2: `budget_tokens` cannot be 0; "),
        ("[meta]\nbudget_tokens = true", "tasks.toml:2: `budget_tokens` cannot be true; "),
        ("[meta]\nbudget_usd = true", "tasks.toml:2: `budget_usd` cannot be true; "),
        ("[meta]\nbudget_usd = 1" + "0" * 400, "tasks.toml:2: `budget_usd` cannot be 1000"),
        ("[meta]\nchecks = [1]", "tasks.toml:2: `checks` cannot be [1]; "),
        (text_of("a status=3"), "tasks.toml:7: there is no status 3; use `pending`, "),
        (text_of('a depends_on="b"', "b"), 'tasks.toml:7: `depends_on` cannot be `b`; write depends_on = ["b"]'),
    ],
)
def test_what_is_no_plan_is_named(text: str, told: str) -> None:
    (problem,) = reading(text).problems
    assert problem.told(SOURCE).startswith(told)


def test_bytes_that_are_not_utf8_have_a_line() -> None:
    (problem,) = read(b'[meta]\ndescription = "\xff"\n', source=SOURCE).problems
    assert (problem.line, problem.message) == (2, "the file is not UTF-8")


def test_circles_are_named_in_order_with_the_reason_of_each_step() -> None:
    """One by parents, one by what an epic means."""
    found = reading(
        text_of(
            "e tags=['epic']",
            'first parent="e"; agent="x"',
            'second parent="e"; agent="x"',
            'a parent="c"; agent="x"',
            'b parent="a"; agent="x"',
            'c depends_on=["b"]; agent="x"',
            'behind depends_on=["c"]',
            'out depends_on=["second"]',
            'also parent="first"; agent="x"; depends_on=["e"]',
        ).replace('id = "first"\n', 'id = "first"\ndepends_on = ["out"]\n')
    ).problems
    assert (
        [one.told(SOURCE) for one in found]
        == """\
tasks.toml:9: tasks wait for each other in a circle: `first` -> `out` -> `second` -> `first`: `first` depends on \
`out` (line 9); `out` depends on `second` (line 45); `second` comes after `first` in the epic `e` (line 16); \
remove one of these
tasks.toml:22: tasks wait for each other in a circle: `a` -> `c` -> `b` -> `a`: `a` runs after its parent `c` \
(line 22); `c` depends on `b` (line 34); `b` runs after its parent `a` (line 28); remove one of these
""".splitlines()
    )
    (epic,) = reading(text_of("e tags=['epic']", 'a parent="e"; depends_on=["e"]')).problems
    assert "`e` is an epic that completes when `a` has" in epic.message


def test_of_a_long_circle_the_first_and_the_last_are_named() -> None:
    """As many as one can read."""

    def told(count: int) -> str:
        tasks = [f't{number} depends_on=["t{(number + 1) % count}"]' for number in range(count)]
        (problem,) = reading(text_of(*tasks)).problems
        return problem.message

    assert "`t8` -> `t9` -> `t0`: `t0` depends" in told(10)
    assert "`t8` -> … (90 more) -> `t99` -> `t0`: `t0` depends" in told(100)
    assert "`t8` depends on `t9` (line 44); … (90 more); `t99` depends on `t0` (line 499)" in told(100)


def test_thousands_of_tasks_are_read_in_linear_time() -> None:
    """Sound ones, and ones in which every line is wrong."""

    def spoilt(text: str) -> str:
        return text.replace("agent", "agnet").replace('parent = "task', 'parent = "tsak')

    few, many = large(200), large(2_000)
    wrong = spoilt(many)
    # Ten times as many; a square of that would be a hundred times as much.
    assert min(_seconds(many) for _ in range(3)) < 30 * min(_seconds(few) for _ in range(3)) + 0.1
    # Names are compared with those that are known only so often, however many are wrong.
    assert _seconds(wrong) < 10 * _seconds(spoilt(few))
    found = reading(wrong).problems
    assert len(found) == 3_999
    assert found[0].remedy == "did you mean `agent`?"
    # Each of these looked at all ids.
    assert 0 < sum(one.remedy.startswith("did you mean `task-") for one in found) < 26


def _seconds(text: str) -> float:
    read.cache_clear()
    begun = time.process_time()
    reading(text)
    return time.process_time() - begun
