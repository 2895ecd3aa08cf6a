"""The items of a plan's tasks: who does them, what they wait for, and how a reviewer's task judges others."""

from __future__ import annotations

from tinytown.cli.edges import stated
from tinytown.engine.plan import tasks
from tinytown.missions import gates, lanes, lifecycle
from tinytown.missions.records.issue import Edge
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.missions.roles import RoleBook
from tinytown.missions.states import ItemState, Purpose, Source
from tinytown.plans import reader

CREW = tasks.Crew(RoleBook({}), {"ada": "backend", "judge": "reviewer"})
FREE = Policy(reviewer_required=False, checks=False)


def compiled(text: str, **before: Item) -> dict[str, Item]:
    stages = reader.read(text.encode(), source="tasks.toml").require()
    known = {f"plan:task/{id_}": item for id_, item in before.items()}
    found = tasks.compile_tasks(stages, CREW, mission="m1234567", before=known)
    return {item.typed: item for item in found.values()}


def task(id_: str, *lines: str) -> str:
    return "\n".join(["[[tasks]]", f'id = "{id_}"', f'description = "Do {id_}"', *lines, ""])


def test_a_name_means_the_agent_before_the_role() -> None:
    text = task("one", 'agent = "ada"') + task("two", 'agent = "developer"') + task("three", 'agent = "nobody"')
    found = compiled(text)
    assert (found["one"].role, found["one"].directed_to) == ("backend", "ada")
    assert (found["two"].role, found["two"].directed_to, found["two"].role_named) == ("backend", None, True)
    assert (found["three"].role, found["three"].directed_to) == ("worker", "nobody"), "it may be spawned later"


def test_an_epic_settles_when_its_tasks_have_and_has_no_attempts() -> None:
    found = compiled(task("all", 'tags = ["epic"]') + task("one", 'parent = "all"') + task("two", 'parent = "all"'))
    epic = found["all"]
    assert {edge.on for edge in epic.edges} == {"plan:task/one", "plan:task/two"}
    assert list(found) == ["one", "two", "all"]
    ready = lifecycle.make_ready(epic, now=1.0)
    assert ready is not None
    assert gates.next_step(ready, FREE) == gates.Settle()
    assert gates.wants_attempt(ready, FREE)
    settled = lifecycle.settle(ready, now=2.0)
    assert settled is not None
    assert settled.state is ItemState.DONE
    work = lifecycle.make_ready(found["one"], now=1.0)
    assert work is not None
    assert gates.next_step(work, FREE) == gates.Run(Purpose.WORK)
    assert lifecycle.settle(work, now=2.0) is None, "work does not settle without its gates"


def test_a_reviewers_task_judges_the_work_that_it_waits_for() -> None:
    text = task("one") + task("two") + task("look", 'agent = "judge"', 'depends_on = ["one", "two"]')
    found = compiled(text)
    assert found["look"].kind == gates.VERDICT
    for id_ in ("one", "two"):
        assert (found[id_].judge, found[id_].judge_agent) == ("plan:task/look", "judge")
        judged = found[id_].evolve(state=ItemState.IN_REVIEW, head="a" * 40, published="a" * 40, authors=("ada",))
        assert gates.next_step(judged, FREE) == gates.Run(Purpose.REVIEW), "though the plan requires no reviewer"
        assert lanes.lane_of(judged, FREE) == "review/judge/ada"
        answered = found[id_].evolve(state=ItemState.IN_REVIEW, attempts=1)
        assert gates.next_step(answered, FREE) == gates.Run(Purpose.REVIEW), "a result is judged too"
        approved = answered.evolve(approved=answered.subject)
        assert gates.next_step(approved, FREE) == gates.Settle()


def test_work_that_settled_without_it_is_judged_by_nobody_so_the_reviewer_is_asked_apart() -> None:
    one = task("one")
    done = compiled(one)["one"].evolve(state=ItemState.DONE)
    look = task("look", 'agent = "reviewer"', 'depends_on = ["one"]')
    found = compiled(one + look, one=done)
    assert found["look"].kind == "review"
    assert not found["one"].judge
    # What it had judged already stays its own.
    again = compiled(one + look, one=done.evolve(judge="plan:task/look"))
    assert again["look"].kind == gates.VERDICT


def test_a_result_settles_a_task_and_is_judged_only_if_somebody_is_named() -> None:
    answered = compiled(task("one"))["one"].evolve(state=ItemState.IN_REVIEW, attempts=1)
    assert gates.next_step(answered, Policy(reviewer_required=True, checks=True)) == gates.Settle()
    changed = answered.evolve(head="a" * 40, published="a" * 40, checked="a" * 40)
    assert gates.next_step(changed, Policy(reviewer_required=True, checks=True)) == gates.Run(Purpose.REVIEW)


def test_what_waits_again_is_pending_again() -> None:
    found = compiled(task("one") + task("two", 'depends_on = ["one"]'))
    items = {item.key: item for item in found.values()}
    settled = tasks.settle_waits(items, now=1.0)
    assert [item.state for item in settled.values()] == [ItemState.READY, ItemState.PENDING]
    ready_too_soon = {**settled, "plan:task/two": settled["plan:task/two"].evolve(state=ItemState.READY, waiting=None)}
    mended = tasks.settle_waits(ready_too_soon, now=2.0)["plan:task/two"]
    assert mended.state is ItemState.PENDING
    assert mended.waiting is not None
    assert mended.waiting.remedy == "after one"


def test_every_source_of_an_edge_has_words() -> None:
    for source in Source:
        edge = Edge(on="plan:task/one", source=source, line=3, text="depends on `one`")
        assert stated(edge)
        assert stated(edge, quoted=True)
