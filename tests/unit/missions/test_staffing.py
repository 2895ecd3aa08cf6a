"""What a mission lacks: roles that nobody serves, and somebody to review."""

from __future__ import annotations

from tinytown.missions.crew import CHECKS_ROLE, Crew, Worker
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.missions.staffing import reviewers, vacancies
from tinytown.missions.states import ItemState


def item(number: int, role: str = "worker", *, named: bool = False, state: ItemState = ItemState.PENDING) -> Item:
    return Item(key=f"local/t#{number}", number=number, title="T", role=role, role_named=named, state=state)


def crew(**roles: str) -> Crew:
    workers = [Worker(name, role, idle=True) for name, role in roles.items()]
    return Crew([*workers, Worker("checks", CHECKS_ROLE, idle=True)])


def test_a_town_without_agents_says_so_first() -> None:
    first, second, third = vacancies([item(1, "backend")], crew(), Policy())
    assert first == "no agents are running, so nothing happens until you spawn some: see `tt spawn --help`"
    assert second == "no agent has the role backend (1 item): run `tt spawn backend`"
    assert third == "nobody could review: run `tt spawn reviewer`"


def test_a_role_from_a_word_is_served_by_any_worker_and_a_named_one_is_not() -> None:
    work = [item(1, "backend"), item(2, "tester", named=True), item(3, "tester")]
    said = vacancies(work, crew(one="worker", two="worker"), Policy())
    assert said == ["no agent has the role tester (2 items): run `tt spawn tester`"]


def test_what_is_skipped_wants_nobody() -> None:
    assert (
        vacancies([item(1, "docs", named=True, state=ItemState.SKIPPED)], crew(a="worker", b="worker"), Policy()) == []
    )


def test_nobody_reviews_their_own_work() -> None:
    alone = crew(solo="worker")
    assert vacancies([item(1)], alone, Policy()) == ["solo may not review its own work: run `tt spawn reviewer`"]
    assert reviewers(alone) == ()
    assert vacancies([item(1)], alone, Policy(reviewer_required=False)) == []
    assert vacancies([item(1)], crew(solo="worker", other="docs"), Policy()) == []
    assert reviewers(crew(solo="worker", rev="reviewer")) == ("rev",)
