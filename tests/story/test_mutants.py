"""The stories would notice: with one rule taken out of the code, some story fails.

A simulation that finds nothing proves nothing unless it finds what is planted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.story.noticing import require_noticed
from tests.story.simulation import tell
from tinytown.engine.dispatch import reconcile
from tinytown.engine.operate import items as operate_items
from tinytown.host.server import Server
from tinytown.missions import budget, escalation, gates, lifecycle, mission_state, scheduler
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, Outcome
from tinytown.state.indexes import Indexes

#: Stories within which a planted fault must show.
STORIES = 60

Plant = Callable[[pytest.MonkeyPatch], None]


def _same_number(patch: pytest.MonkeyPatch) -> None:
    send = lifecycle.send

    def again(item: Item, **words: Any) -> Item | None:
        new = send(item, **words)
        return new and new.evolve(fence=item.fence)

    patch.setattr(lifecycle, "send", again)


def _any_dependency(patch: pytest.MonkeyPatch) -> None:
    def early(item: Item, items: Any) -> bool:
        settled = [e.on in items and items[e.on].state.settled for e in item.edges]
        return item.state is ItemState.PENDING and (not settled or any(settled))

    patch.setattr(mission_state, "startable", early)


def _faults_consume(patch: pytest.MonkeyPatch) -> None:
    consumes = Outcome.consumes.fget
    patch.setattr(Outcome, "consumes", property(lambda self: self is Outcome.LOST or consumes(self)))


def _stale_approval(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Item, "subject", property(lambda self: self.approved or self.head or "x"))


def _stale_check(patch: pytest.MonkeyPatch) -> None:
    step = gates.next_step
    patch.setattr(gates, "next_step", lambda item, policy: step(item.evolve(checked=item.head), policy))


def _self_review(patch: pytest.MonkeyPatch) -> None:
    find = scheduler.find_place
    claim = lifecycle.claim
    patch.setattr(scheduler, "find_place", lambda item, purpose, crew: find(item.evolve(authors=()), purpose, crew))

    def take(item: Item, number: int, **words: Any) -> Item | None:
        new = claim(item.evolve(authors=()), number, **words)
        return new and new.evolve(authors=item.authors)

    patch.setattr(lifecycle, "claim", take)


def _no_slots(patch: pytest.MonkeyPatch) -> None:
    admit = scheduler.admit
    patch.setattr(scheduler, "admit", lambda *a, live, **words: admit(*a, live=-9, **words))


def _forgetful_index(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Indexes, "move", lambda self, old, new: False)


def _no_tick_for_lost_messages(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconcile, "withdraw", lambda *a, **words: None)


def _no_tick_for_lost_edges(patch: pytest.MonkeyPatch) -> None:
    start = reconcile.start_item

    def only_by_message(context: Any, mission: str, key: str, *, go_on: bool = True) -> bool:
        return go_on and start(context, mission, key, go_on=go_on)

    patch.setattr(reconcile, "start_item", only_by_message)


def _no_tick_for_dead_workers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconcile, "lose", lambda *a, **words: False)


def _never_ask(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(escalation, "reasons", lambda *a, **words: ())


def _silent_about_the_cancelled(patch: pytest.MonkeyPatch) -> None:
    reasons = escalation.reasons

    def but_cancelled(mission: Any, items: Any, **words: Any) -> tuple[str, ...]:
        return tuple(r for r in reasons(mission, items, **words) if "is cancelled" not in r)

    patch.setattr(escalation, "reasons", but_cancelled)


def _keep_merging_when_stopped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lifecycle, "take_back", lambda item: item)


def _budget_pauses_at_once(patch: pytest.MonkeyPatch) -> None:
    """As if what is in flight had been spent already."""
    patch.setattr(budget, "runs_left", lambda mission, flying: 0 if mission.policy.budget_usd is not None else None)


def _held_changes_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(mission_state, "hold", lambda item, mission, *, now: item)


def _retry_does_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(operate_items, "_stuck", lambda item, mission: False)


PLANTS: dict[str, Plant] = {
    plant.__name__.lstrip("_"): plant
    for plant in (
        _same_number,
        _any_dependency,
        _faults_consume,
        _stale_approval,
        _stale_check,
        _self_review,
        _no_slots,
        _forgetful_index,
        _no_tick_for_lost_messages,
        _no_tick_for_lost_edges,
        _no_tick_for_dead_workers,
        _never_ask,
        _silent_about_the_cancelled,
        _keep_merging_when_stopped,
        _budget_pauses_at_once,
        _held_changes_are_forgotten,
        _retry_does_nothing,
    )
}


#: Planted in every run: some early story notices them. ``STORY_MUTANTS=all`` plants the others, too.
QUICK = (
    "any_dependency", "same_number", "stale_check", "self_review", "never_ask", "forgetful_index",
    "no_tick_for_lost_messages", "no_tick_for_lost_edges", "keep_merging_when_stopped",
)  # fmt: skip


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PLANTS if os.environ.get("STORY_MUTANTS") == "all" else QUICK)
def test_some_story_notices(name: str, server: Server) -> None:
    require_noticed(PLANTS[name], tell, server.url, stories=STORIES)
