"""What others commit between two readings of one decision: nothing is put where it is too late for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.story.arranged import ATown, MakeTown
from tinytown.engine.dispatch import attempts, claiming
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.plan import by_hand
from tinytown.engine.plan.by_hand import Assignment, Given
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import ItemState, MissionState, Outcome

DONE = Report(outcome=Outcome.SUCCEEDED, result="ok")
#: More than any of these asks of the database.
MOST = 200


class Between:
    """Has others act right before one command to the database."""

    def __init__(self, town: ATown) -> None:
        self._left, self._others = -1, lambda: None
        pool = town.context.store.client.connection_pool
        pool.reset()  # Else those that are open stay as they are.
        between, kind = self, pool.connection_class

        class Watched(kind):  # type: ignore[misc, valid-type]
            def send_packed_command(self, *words: Any, **named: Any) -> None:
                between._count()
                super().send_packed_command(*words, **named)

        pool.connection_class = Watched

    def at(self, number: int, others: Callable[[], object]) -> None:
        """Before this one of all that come from now on."""
        self._left, self._others = number, others

    def _count(self) -> None:
        self._left -= 1
        if self._left == -1:
            self._others()

    def happened(self) -> bool:
        """Whether as many commands came; nothing happens any more."""
        found, self._left = self._left < 0, -1
        return found


def _sent(town: ATown, last: Given) -> Given:
    other = "ada" if last.item.directed_to == "bob" else "bob"
    return by_hand.find(town.context, town.write(other, "and you?"))


def _assigned(town: ATown, _: Given) -> Given:
    return by_hand.assign(town.context, Assignment("bob", "the next"))


def _after_it(town: ATown, last: Given) -> Given:
    return by_hand.assign(town.context, Assignment("bob", "the next", after=(last.item.typed,)))


def claim(town: ATown, given: Given) -> Claim:
    attempt = given.item.attempt
    assert attempt is not None
    found = claiming.claim(
        town.context, given.mission.id, given.item.key, attempt.number, agent=given.item.directed_to or ""
    )
    assert found is not None
    return found


@pytest.mark.parametrize("give", [_sent, _assigned, _after_it])
def test_a_mission_that_has_just_ended_takes_no_more(a_town: MakeTown, give: Callable[[ATown, Given], Given]) -> None:
    """Its last task is done while another one is given: that begins a mission of its own, and is sent."""
    town = a_town(reviewer_required=False)
    between = Between(town)
    given = by_hand.assign(town.context, Assignment("ada", "the first"))
    for number in range(MOST):
        claimed = claim(town, given)
        between.at(number, lambda claimed=claimed: attempts.report(town.context, claimed, DONE))  # type: ignore[misc]
        following = give(town, given)
        if not between.happened():
            assert number > 5
            return
        following = by_hand.find(town.context, following.item.typed)
        assert (following.mission.state, following.item.state) == (MissionState.RUNNING, ItemState.ASSIGNED), number
        given = following
        town.watcher.missions[:] = [given.mission.id]  # What has ended is looked at no more.
    pytest.fail("it asks ever more of the database")
