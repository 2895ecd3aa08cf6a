"""What people say of tasks while their agents are at work: nothing is merged for it that was not proven, and nothing is
forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.story.plan_invariants import MORE
from tests.story.plan_town import PlanTown
from tests.story.simulation import Chaos, Worker
from tinytown import keys
from tinytown.engine.dispatch import attempts, claiming
from tinytown.engine.operate import items as operate_items
from tinytown.engine.operate import missions
from tinytown.engine.plan import by_hand, sync
from tinytown.host.server import Server
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, MissionState, Outcome, Purpose
from tinytown.settings import Settings, parse

META = "[meta]\nreviewer_required = false\nchecks = []\n"


class Quiet(PlanTown):
    """A town in which only happens what a test arranges."""

    def __init__(self, url: str) -> None:
        super().__init__(0, url)
        self.chaos = Chaos.none()
        self.employ("ada", "worker")
        self.serve("ada")

    def _settings(self) -> Settings:
        forge = {"kind": "local", "base": "main", "local": {"checks": ["make test"]}}
        policy = {"settle_on": "merged", "max_parallel_items": 3}
        return parse({"forge": forge, "policy": policy, "default_cli": "x"}, source="a test")

    def bring(self, text: str, *, force: bool = False) -> sync.Pushed:
        pushed = sync.push(self.context, sync.Wanted(sync.File(text.encode(), "tasks.toml"), force=force))
        sync.start(self.context)
        return pushed

    def item(self, id_: str) -> Item:
        return by_hand.find(self.context, id_).item

    def do_work(self, id_: str, report: Report) -> None:
        given = by_hand.find(self.context, id_)
        claimed = claiming.claim(self.context, given.mission.id, given.item.key, given.item.fence, agent="ada")
        assert claimed is not None
        assert attempts.report(self.context, claimed, report)

    @property
    def plan(self) -> str:
        return by_hand.find(self.context, "a").mission.id


def task(id_: str, **keys: str) -> str:
    lines = {"description": f'"Do {id_}"', "agent": '"worker"', **keys}
    return f'[[tasks]]\nid = "{id_}"\n' + "".join(f"{key} = {value}\n" for key, value in lines.items() if value)


CHANGE = Report(outcome=Outcome.SUCCEEDED, head="c1", result="done")
ANSWER = Report(outcome=Outcome.SUCCEEDED, result="done")


@pytest.fixture
def town(server: Server) -> Iterator[Quiet]:
    quiet = Quiet(server.url)
    yield quiet
    quiet.close()


def _complete(town: Quiet) -> None:
    by_hand.settle(town.context, "a", ItemState.DONE, "as it is")


def _wish(town: Quiet) -> None:
    town.bring(task("b") + task("a", status='"done"'), force=True)


@pytest.mark.parametrize("say", [_complete, _wish])
def test_a_change_that_was_not_reviewed_is_not_merged_because_a_person_calls_its_task_done(
    town: Quiet, say: Callable[[Quiet], None]
) -> None:
    town.bring(task("a") + task("b"))
    town.do_work("a", CHANGE)
    assert town.item("a").state is ItemState.IN_REVIEW
    say(town)
    town.tick()
    item = town.item("a")
    assert (item.state, item.head, item.attempt, item.salvage) == (ItemState.DONE, None, None, "c1")


def test_a_change_that_goes_on_after_all_has_the_result_that_its_agent_left(town: Quiet) -> None:
    """Why a person had ended it is no result: others would be told it as what came of the task."""
    town.bring(META + task("a") + task("b"))
    town.do_work("a", CHANGE)
    town.bring(META + task("a", status='"failed"', result='"it will not do"') + task("b"), force=True)
    item = town.item("a")
    assert (item.state, town.context.store.result(town.plan, item.key)) == (ItemState.FAILED, "it will not do")
    operate_items.retry(town.context, town.plan, "a")
    item = town.item("a")
    assert (item.state, item.head) == (ItemState.IN_REVIEW, "c1")
    assert town.context.store.result(town.plan, item.key) == CHANGE.result


def test_a_task_that_becomes_another_one_while_it_is_reviewed_begins_anew(town: Quiet) -> None:
    town.bring(META + task("a") + task("b", status='"done"'))
    town.do_work("a", CHANGE)
    town.bring(META + task("a", description='"Do otherwise"') + task("b", status='"done"'), force=True)
    item = town.item("a")
    assert (item.title, item.head, item.salvage) == ("Do otherwise", None, "c1")
    assert item.state in (ItemState.READY, ItemState.ASSIGNED)


def test_a_task_that_becomes_an_epic_while_it_is_fixed_settles_with_what_is_in_it(town: Quiet) -> None:
    town.bring(META + task("a"))
    town.do_work("a", CHANGE)
    epic = task("a", agent="", tags='["epic"]')
    town.bring(META + epic + task("b", parent='"a"'), force=True)
    assert (town.item("a").state, town.item("a").head) == (ItemState.PENDING, None)
    town.do_work("b", ANSWER)
    town.tick()
    assert town.item("a").state is ItemState.DONE


def test_an_epic_that_gets_another_task_is_open_again(town: Quiet) -> None:
    """Also one of a plan that has ended: its next mission does the new task."""
    epic = task("a", agent="", tags='["epic"]')
    town.bring(META + epic + task("b", parent='"a"'))
    town.do_work("b", ANSWER)
    town.tick()
    assert town.item("a").state is ItemState.DONE
    town.bring(META + epic + task("b", parent='"a"') + task("c", parent='"a"'))
    assert town.item("a").state is ItemState.PENDING
    town.do_work("c", ANSWER)
    town.tick()
    assert town.item("a").state is ItemState.DONE


def test_a_changed_plan_keeps_the_rules_that_it_does_not_name(town: Quiet) -> None:
    town.bring(META + "budget_usd = 1.0\n" + task("a"))
    missions.resume(town.context, town.plan, budget_usd=MORE)
    town.bring(META + "budget_usd = 1.0\n" + task("a") + task("b"))
    assert town.context.store.mission(town.plan).record.policy.budget_usd == MORE
    town.bring(META + "budget_usd = 2.0\nbudget_tokens = 5_000\n" + task("a") + task("b"))
    policy = town.context.store.mission(town.plan).record.policy
    assert (policy.budget_usd, policy.budget_tokens, policy.reviewer_required) == (2.0, 5_000, False)


def test_a_task_that_a_file_left_out_is_taken_again_by_the_next_mission_of_the_plan(town: Quiet) -> None:
    town.bring(META + task("a") + task("b"))
    town.bring(META + task("a", status='"skipped"') + task("b"), force=True)
    town.do_work("b", ANSWER)
    town.tick()
    assert town.context.store.mission(town.plan).record.state is MissionState.COMPLETED
    pushed = town.bring(META + task("a", status='"pending"') + task("b"))
    assert pushed.new
    assert town.item("a").state is not ItemState.SKIPPED
    assert keys.task_key("a") in town.context.store.items(town.plan)


class Approving(Quiet):
    """A town in which what is approved settles, and is merged after that."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.watcher.roles["checks"] = "checks"
        self.enlist(Worker("checks", "checks"))

    def _settings(self) -> Settings:
        base = super()._settings()
        return base.model_copy(update={"policy": base.policy.model_copy(update={"settle_on": "approved"})})


@pytest.fixture
def approving(server: Server) -> Iterator[Approving]:
    made = Approving(server.url)
    yield made
    made.close()


def test_what_is_to_be_merged_is_judged_by_new_rules(approving: Approving) -> None:
    """Done by rules that ask for no reviewer, and not merged yet: now one looks at it first."""
    text = task("a")
    approving.bring(META + text)
    approving.do_work("a", Report(outcome=Outcome.SUCCEEDED, head="c1"))
    item = approving.item("a")
    assert item.state is ItemState.DONE
    assert item.attempt is not None
    assert item.attempt.purpose is Purpose.MERGE
    approving.bring(META.replace("reviewer_required = false\n", "") + text)
    item = approving.item("a")
    assert (item.state, item.approved, item.merged) == (ItemState.IN_REVIEW, None, None)
    assert item.attempt is None, "its author is the only one who could look at it"


def test_what_is_done_is_merged_although_its_task_is_removed(approving: Approving) -> None:
    """Others may build on it; and the merge that was sent goes on."""
    approving.bring(META + task("a") + task("b"))
    approving.do_work("a", Report(outcome=Outcome.SUCCEEDED, head="c1"))
    before = approving.item("a")
    approving.bring(META + task("b"))
    assert before.attempt is not None
    after = approving.context.store.item(approving.watcher.missions[-1], before.key).record
    assert (after.state, after.attempt) == (ItemState.DONE, before.attempt)
