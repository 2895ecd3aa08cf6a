"""Pull requests that are drafts until tinytown has passed them, where that is wanted."""

from __future__ import annotations

from tests.fakes.github.hub import GitHub
from tests.integration.github.bench import REPO, Bench
from tests.integration.github.town import MakeTown
from tinytown.missions.states import ItemState


def test_it_is_a_draft_until_its_checks_and_its_reviewer_passed_it(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town(drafts=True).start(1)
    assert town.pull().draft
    town.until(lambda: not town.pull().draft)
    assert town.item().approved == town.item().head
    assert town.pull().merged is None, "it was merged as a draft"
    town.until(lambda: town.item().state is ItemState.DONE and town.pull().merged)


def test_one_that_a_person_makes_a_draft_again_is_left_and_asked_about(a_town: MakeTown, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    town = a_town(drafts=True, auto_merge=False, settle_on="merged").start(1)
    town.until(lambda: not town.pull().draft)
    town.pull().draft = True
    town.until(lambda: "somebody made it a draft" in town.said())
    town.look()
    assert town.pull().draft


def test_where_there_are_no_drafts_it_is_opened_all_the_same_and_that_is_said(bench: Bench, github: GitHub) -> None:
    refusal = {"message": "Draft pull requests are not supported in this repository."}
    github.fault("POST", "/repos/*/pulls", 422, body=refusal)
    done = bench.forge.publish(REPO, bench.change(draft=True))
    assert not github.pull().draft
    assert "no draft" in done.note
    assert "draft -->" not in (github.pull().body or "")
