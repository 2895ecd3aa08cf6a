"""What happens outside the town is noticed: a test for each kind of thing that is watched."""

from __future__ import annotations

import pytest

from tests.fakes.builders import key
from tests.story.arranged import MakeTown, verdict
from tests.story.forge import MemoryForge
from tinytown.engine.operate import items
from tinytown.engine.watch import outside
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.record import Waiting
from tinytown.missions.states import ItemState, MissionState, Outcome, WaitReason


def test_an_issue_outside_that_is_completed_lets_an_item_start(a_town: MakeTown) -> None:
    town = a_town()
    town.forge.issues[key(9)] = Issue(key=key(9), number=9, title="elsewhere")
    mission = town.begin(waits={1: (9,)})
    assert (town.item(1).state, town.item(1).blockers) == (ItemState.PENDING, (key(9),))
    assert not outside.watch(town.context, mission.id), "no news"
    town.forge.closed.add(key(9))
    assert outside.watch(town.context, mission.id)
    assert town.item(1).state is ItemState.ASSIGNED


def test_a_merge_by_a_person_settles_an_item(a_town: MakeTown) -> None:
    town = a_town(auto_merge=False, settle_on="merged")
    mission = town.begin(waits={1: ()})
    town.pass_gates(1)
    assert not outside.watch(town.context, mission.id), "no news"
    town.merge_by_hand(mission.id)
    assert outside.watch(town.context, mission.id)
    assert (town.item(1).state, town.item(1).merged) == (ItemState.DONE, "by-hand-1")
    assert town.state() is MissionState.COMPLETED


def test_a_branch_that_somebody_removed_is_asked_about_and_brought_back(a_town: MakeTown) -> None:
    town = a_town(auto_merge=False, settle_on="merged")
    mission = town.begin(waits={1: ()})
    town.pass_gates(1)
    assert not outside.watch(town.context, mission.id), "no news"
    branch = town.item(1).branch
    del town.forge.branches[branch]
    assert outside.watch(town.context, mission.id)
    waiting = town.item(1).waiting
    assert waiting is not None
    assert waiting.reason is WaitReason.NEEDS_HELP
    assert f"its branch {branch} is gone" in waiting.remedy
    items.retry(town.context, mission.id, "1")
    assert branch in town.forge.branches


def test_a_base_that_moves_is_tried_again_at_once(a_town: MakeTown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the checks failed on it, and not because of the change."""
    town = a_town()
    mission = town.begin(waits={1: ()})
    assert town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1"))
    failing = Waiting(reason=WaitReason.BASE_FAILING, since=town.context.store.now(), about="tip", remedy="fix main")
    assert town.do(1, "checks", Report(outcome=Outcome.SUCCEEDED, waiting=failing))
    assert town.item(1).not_before is not None
    assert not outside.watch(town.context, mission.id), "no news"
    monkeypatch.setattr(MemoryForge, "base_tip", lambda self, repo, base: "newer")
    assert outside.watch(town.context, mission.id)
    assert town.do(1, "checks", verdict("c1"))
    assert town.item(1).checked == "c1"
