"""What ``parent`` and ``depends_on`` mean, and which reading was taken."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plans.plan_files import FEATURE, STAGED, large, reading, stages
from tinytown.missions.states import ItemState
from tinytown.plans.model import EPIC, Meta, Plan, Task
from tinytown.plans.stages import Grouping, Reason, Stages, compile_stages


def _waits(found: Stages, id_: str) -> dict[str, str]:
    return {wait.on: wait.reason.value for wait in found.stages[id_].waits}


def test_the_feature_pipeline_of_the_tutorial() -> None:
    """The epic groups: design, implement, test, review, one after the other."""
    found = reading(FEATURE).require()
    epic = found.stages["profile-epic"]
    assert (epic.grouping, epic.children) == (Grouping.TAG, ("design", "implement", "test", "review"))
    assert epic.wanted is None
    assert found.order == ("design", "implement", "test", "review", "profile-epic")
    assert [_waits(found, id_) for id_ in epic.children] == [
        {},
        {"design": "order"},
        {"implement": "order"},
        {"test": "order"},
    ]
    assert set(_waits(found, "profile-epic").values()) == {"child"}
    assert [(stage.wave, stage.group) for stage in found.stages.values()] == [
        (4, None),
        *((wave, "profile-epic") for wave in (1, 2, 3, 4)),
    ]


def test_the_staged_pipeline_of_the_tutorial() -> None:
    """A default agent, and an agent each: `parent` orders."""
    found = reading(STAGED).require()
    assert found.order == ("lint", "build", "test", "review", "deploy")
    assert _waits(found, "deploy") == {"review": "parent"}
    assert all(stage.group is None and stage.grouping is None for stage in found.stages.values())
    assert found.stages["lint"].wanted == "linter"


def test_a_parent_that_nobody_would_do_is_an_epic() -> None:
    """Not where an agent of its own or a default one would do it; not where it is nobody's parent."""
    found = stages("p", 'a parent="p"', "q")
    assert [stage.grouping for stage in found.stages.values()] == [Grouping.NO_AGENT, None, None]
    for other in (stages('p agent="qa"', 'a parent="p"'), stages("p", 'a parent="p"', meta='default_agent = "qa"')):
        assert other.stages["p"].grouping is None
        assert _waits(other, "a") == {"p": "parent"}
    tagged = stages('p agent="qa"; tags=["epic"]', 'a parent="p"', meta='default_agent = "qa"')
    assert tagged.stages["p"].grouping is Grouping.TAG
    assert [stage.wanted for stage in tagged.stages.values()] == [None, "qa"]


def test_tasks_of_an_epic_run_at_the_same_time_where_it_says_so() -> None:
    found = stages('e tags=["epic"]; parallel=true', 'a parent="e"', 'b parent="e"', 'c parent="e"; depends_on=["a"]')
    assert [_waits(found, id_) for id_ in "abc"] == [{}, {}, {"a": "depends_on"}]
    assert found.stages["e"].wave == 2


def test_a_task_with_dependencies_of_its_own_waits_for_those_alone() -> None:
    """And what comes after it waits for it too, and for nothing twice."""
    e = 'e tags=["epic"]'
    found = stages(e, 'a parent="e"', 'b parent="e"; depends_on=["x"]', 'c parent="e"', 'd parent="e"', "x")
    assert [_waits(found, id_) for id_ in "abcd"] == [
        {},
        {"x": "depends_on"},
        {"a": "order", "b": "order"},
        {"c": "order"},
    ]
    found = stages(e, 'a parent="e"', 'b parent="e"; depends_on=["a"]', 'c parent="e"')
    assert _waits(found, "c") == {"b": "order"}
    found = stages(e, 'a parent="e"', 'b parent="e"; depends_on=[]', 'c parent="e"')
    assert _waits(found, "b") == {}


def test_a_task_that_names_a_later_one_leaves_the_order_of_the_file() -> None:
    """Else it would wait for one that waits for it; so does what depends on such a task."""
    found = stages(
        'e tags=["epic"]',
        'a parent="e"',
        'b parent="e"; depends_on=["d"]',
        'c parent="e"; depends_on=["b"]',
        'd parent="e"',
    )
    assert _waits(found, "d") == {"a": "order"}
    assert found.order == ("a", "d", "b", "c", "e")


def test_what_an_epic_waits_for_its_tasks_wait_for() -> None:
    """Also through epics in it; and what waits for an epic waits for all of it."""
    found = stages(
        "first",
        'outer tags=["epic"]; depends_on=["first"]',
        'inner tags=["epic"]; parent="outer"; parallel=true',
        'a parent="inner"',
        'b parent="inner"; depends_on=["a"]',
        'second tags=["epic"]; parent="outer"',
        'c parent="second"',
        'last parent="outer"; agent="qa"',
        'after depends_on=["outer"]',
    )
    assert _waits(found, "a") == {"first": "epic"}
    assert _waits(found, "b") == {"a": "depends_on"}
    assert _waits(found, "c") == {"inner": "epic"}
    assert _waits(found, "last") == {"second": "order"}
    assert found.stages["a"].waits[0].epic == "inner"
    assert [found.stages[id_].wave for id_ in ("first", "a", "b", "c", "last", "outer", "after")] == [
        1, 2, 3, 4, 5, 5, 6,
    ]  # fmt: skip


def test_an_epic_that_names_a_task_of_its_own_says_nothing_new() -> None:
    """It completes after it anyway, and its other tasks do not wait for that."""
    found = stages('e tags=["epic"]; parallel=true; depends_on=["a"]', 'a parent="e"', 'b parent="e"')
    assert [_waits(found, id_) for id_ in "ab"] == [{}, {}]
    assert found.order == ("a", "b", "e")


def test_each_wait_says_where_it_is_stated() -> None:
    found = stages("a", 'b agent="qa"; parent="a"', meta='default_agent = "qa"')
    (wait,) = found.stages["b"].waits
    assert (wait.on, wait.reason, wait.line) == ("a", Reason.PARENT, found.stages["b"].task.line)


def test_what_is_hardly_meant_is_said() -> None:
    assert [one.message for one in compile_stages(Plan()).remarks()] == ["the plan has no tasks"]
    found = stages("a parallel=true", 'e tags=["epic"]; agent="qa"')
    assert [one.message for one in found.remarks()] == [
        "`parallel` of `a` has no effect: it is no epic",
        "`agent` of `e` has no effect: it is an epic",
        "the epic `e` has no tasks, so it is done at once",
    ]
    assert reading(FEATURE).stages.remarks() == []


# -- random plans --------------------------------------------------------------------------------

_NAMES = "abcdefgh"


def _plans() -> st.SearchStrategy[Plan]:
    names = st.sampled_from(_NAMES)
    task = st.builds(
        Task,
        id=names,
        description=st.just("x"),
        agent=st.sampled_from([None, "qa"]),
        parent=st.none() | names,
        depends_on=st.none() | st.lists(names, max_size=2, unique=True).map(tuple),
        tags=st.sampled_from([(), (), (EPIC,)]),
        parallel=st.booleans(),
    )
    meta = st.sampled_from([Meta(), Meta(default_agent="qa")])
    return st.builds(Plan, meta=meta, tasks=st.lists(task, max_size=8, unique_by=lambda one: one.id).map(tuple))


@given(_plans())
def test_every_plan_has_an_order_or_a_circle(plan: Plan) -> None:
    """What is stated holds in the order, and whatever has no place in it is in a circle or behind one."""
    found = compile_stages(plan)
    assert list(found.stages) == [task.id for task in plan.tasks]
    place = {id_: number for number, id_ in enumerate(found.order)}
    missing = found.stages.keys() - place.keys()
    assert bool(missing) is bool(found.circles)
    for circle in found.circles:
        steps = [*circle, circle[0]]
        for (id_, wait), (following, _) in itertools.pairwise(steps):
            assert wait.on == following
            assert wait in found.stages[id_].waits
    for id_ in found.order:
        stage = found.stages[id_]
        stated = {on for on in stage.task.depends_on or () if on in found.stages and on != id_}
        assert stated <= {wait.on for wait in stage.waits}
        assert all(place[wait.on] < place[id_] for wait in stage.waits)
        if stage.grouping is None and stage.task.parent in place and stage.task.parent != id_:
            parent = found.stages[stage.task.parent]
            assert (place[id_] < place[parent.task.id]) is (parent.grouping is not None)
    _follow_the_file(found)


def _follow_the_file(found: Stages) -> None:
    place = {id_: number for number, id_ in enumerate(found.order)}
    for epic in found.stages.values():
        plain = [one for one in epic.children if found.stages[one].task.depends_on is None and one in place]
        if epic.grouping is not None and not epic.task.parallel:
            assert [place[one] for one in plain] == sorted(place[one] for one in plain)
            for one, following in itertools.pairwise(plain):
                assert _is_after(found, following, one)


def _is_after(found: Stages, id_: str, on: str) -> bool:
    left, seen = [id_], set()
    while left:
        one = left.pop()
        new = {wait.on for wait in found.stages[one].waits} - seen
        seen |= new
        left += new
    return on in seen


@pytest.mark.parametrize("epic", [False, True])
def test_thousands_of_tasks(epic: bool) -> None:
    """A chain by parents, and one epic."""
    text = large(3_000)
    if epic:
        text = text.replace('agent = "developer"\n', "").replace('parent = "task-', 'parent = "task-00000" # ')
        text = text.replace('"a", "b"', '"epic"', 1)
    found = reading(text).require()
    last = found.stages["task-02999"]
    assert (last.wave, last.group) == ((2999, "task-00000") if epic else (3_000, None))
    assert last.task.status is ItemState.PENDING
