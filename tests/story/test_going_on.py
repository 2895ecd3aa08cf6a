"""Whoever hands in an attempt may take the next with it: the same commit ends the one and takes the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
import redis

from tests.fakes.builders import key
from tests.story.arranged import ATown, MakeTown, verdict
from tinytown import contract
from tinytown.engine.dispatch import attempts, claiming
from tinytown.engine.dispatch.claiming import Claim, Taker
from tinytown.engine.operate import missions
from tinytown.errors import NotSentError, UnreachableError
from tinytown.missions.limits import Limit
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import ItemState, Outcome

DONE = Report(outcome=Outcome.SUCCEEDED, head="c1", result="done")
#: Of a run without a repository.
SAID = Report(outcome=Outcome.SUCCEEDED, result="done")
THEIR_QUEUE = contract.role_queue("worker")
#: Items for two agents, so that the third is the next for whoever becomes free.
THREE: dict[int, tuple[int, ...]] = {1: (), 2: (), 3: ()}


@pytest.fixture
def town(a_town: MakeTown) -> ATown:
    return a_town(max_parallel_items=3)


def taker(agent: str = "ada", *, queue: str = THEIR_QUEUE, cli: str | None = "x") -> Taker:
    return Taker(agent, lambda *_: cli, queues=(queue,))


def at_work(town: ATown, *, waits: dict[int, tuple[int, ...]], workspace: Literal["clone", "none"] = "clone") -> Claim:
    """A mission of which ada does the first item."""
    town.begin(waits=waits, workspace=workspace)
    claimed = town.claim(1, "ada")
    assert claimed is not None
    town.messages.clear()
    return claimed


def told(town: ATown) -> list[tuple[str, str]]:
    return [(event.kind, event.item) for _, event in town.context.store.events(town.watcher.missions[-1])]


def test_the_next_attempt_is_taken_with_the_report_and_never_sent(town: ATown) -> None:
    """Its lease runs, its run counts, and history tells of it as of any other."""
    claimed = at_work(town, waits=THREE)
    handed_in = attempts.hand_in(town.context, claimed, DONE, taker())
    assert handed_in.counted
    assert handed_in.next is not None
    assert (handed_in.next.item.key, handed_in.next.agent) == (key(3), "ada")
    item = town.item(3)
    assert (item.state, item.attempt, item.attempts) == (ItemState.RUNNING, handed_in.next.attempt, 1)
    assert item.attempt is not None
    assert item.attempt.id in town.context.store.leased()
    assert [m.args for m in town.messages if m.name == contract.TASK_ATTEMPT and m.args[1] == key(3)] == []
    assert told(town)[-2:] == [("attempt_sent", key(3)), ("attempt_started", key(3))]
    assert town.context.crew.rounds(["ada"]) == {"ada": 2}
    assert attempts.renew(town.context, handed_in.next)
    assert attempts.report(town.context, handed_in.next, DONE)


def test_what_a_report_releases_is_read_with_what_it_left(town: ATown) -> None:
    """One commit ends the one, releases the other and takes it, with all that its brief is made from."""
    claimed = at_work(town, waits={1: (), 2: (1,)}, workspace="none")
    taken = attempts.hand_in(town.context, claimed, SAID, taker()).next
    assert taken is not None
    assert (taken.item.key, taken.attempt) == (key(2), town.item(2).attempt)
    assert taken.brief is not None
    assert (taken.brief.issue.number, taken.brief.results, taken.brief.mail) == (2, {key(1): "done"}, [])
    assert taken.brief.items == {key(1): town.item(1)}


@pytest.mark.parametrize(
    "other",
    [taker(queue=contract.role_queue("tester")), taker(cli=None), None],
    ids=["it serves another queue", "its CLI is at a limit", "it is about to leave"],
)
def test_what_its_worker_does_not_take_is_sent(town: ATown, other: Taker | None) -> None:
    claimed = at_work(town, waits=THREE)
    assert attempts.hand_in(town.context, claimed, DONE, other) == attempts.HandedIn(True)
    assert town.item(3).state is ItemState.ASSIGNED
    assert [m.args[1] for m in town.messages if m.queue == THEIR_QUEUE] == [key(3)]


def test_nobody_takes_the_review_of_their_own_change(a_town: MakeTown) -> None:
    """The gates after the work are others' unless the worker may take them: here the checks go on with the merge."""
    town = a_town(reviewer_required=False)
    claimed = at_work(town, waits={1: ()})
    assert attempts.hand_in(town.context, claimed, DONE, taker()).next is None
    checks = town.claim(1, "checks")
    assert checks is not None
    merge = attempts.hand_in(town.context, checks, verdict("c1"), taker("checks", queue=contract.QUEUE_CHECKS)).next
    assert merge is not None
    assert merge.attempt.purpose == "merge"


def test_nothing_begins_in_a_mission_that_was_paused_meanwhile(town: ATown) -> None:
    claimed = at_work(town, waits=THREE)
    town.hook = lambda: missions.pause(town.context, claimed.mission.id)
    assert attempts.hand_in(town.context, claimed, DONE, taker()) == attempts.HandedIn(True)
    assert town.item(3).attempt is None


def test_of_two_that_hand_in_at_once_each_takes_another(a_town: MakeTown) -> None:
    town = a_town(max_parallel_items=6)
    first = at_work(town, waits={1: (), 2: (), 3: (), 4: ()})
    second = town.claim(2, "bob")
    assert second is not None
    took: list[attempts.HandedIn] = []
    town.hook = lambda: took.append(attempts.hand_in(town.context, second, DONE, taker("bob")))
    took.append(attempts.hand_in(town.context, first, DONE, taker("ada")))
    assert {(one.next.agent, one.next.item.key) for one in took if one.next} == {("bob", key(3)), ("ada", key(4))}


def test_the_choice_of_a_cli_sees_the_limits_and_the_time(town: ATown) -> None:
    claimed = at_work(town, waits=THREE)
    change = town.context.store.change()
    change.put_limit("x at h", Limit(since=0.0, until=1.0))
    change.commit()
    seen: list[Any] = []
    choosing = Taker("ada", lambda *given: seen.append(given), queues=(THEIR_QUEUE,))
    attempts.hand_in(town.context, claimed, DONE, choosing)
    [(item, limits, now)] = seen
    assert (item, list(limits)) == (key(3), ["x at h"])
    assert abs(now - town.context.store.now()) < 60


def answer_is_lost(town: ATown, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server carries out the next commit, and its connection breaks before it has said so."""
    commit: Callable[..., Any] = town.context.store.scripts.commit

    def lost(**words: Any) -> Any:
        commit(**words)
        monkeypatch.setattr(town.context.store.scripts, "commit", commit)
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(town.context.store.scripts, "commit", lost)


def test_a_report_whose_answer_was_lost_counts_with_what_was_taken(
    town: ATown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said again by the same worker, it gives the attempt that it took; anybody else's is refused."""
    claimed = at_work(town, waits={1: (), 2: (1,)}, workspace="none")
    ours = taker()
    answer_is_lost(town, monkeypatch)
    with pytest.raises(UnreachableError):
        attempts.hand_in(town.context, claimed, SAID, ours)
    assert attempts.hand_in(town.context, claimed, SAID, taker()) == attempts.HandedIn(False)
    again = attempts.hand_in(town.context, claimed, SAID, ours)
    assert again.counted
    assert again.next is not None
    assert again.next.attempt == town.item(2).attempt


def test_a_claim_whose_answer_was_lost_is_known_again(town: ATown, monkeypatch: pytest.MonkeyPatch) -> None:
    town.begin(waits={1: ()})
    where = town.watcher.missions[-1], key(1), 1
    ours = taker()
    answer_is_lost(town, monkeypatch)
    with pytest.raises(UnreachableError):
        claiming.take(town.context, *where, ours)
    assert claiming.take(town.context, *where, taker()) is None
    claimed = claiming.take(town.context, *where, ours)
    assert claimed is not None
    assert attempts.renew(town.context, claimed)


def test_what_was_taken_is_run_though_something_could_not_be_sent(town: ATown, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record has it all: what is left to send is the next tick's, and the attempt is its worker's."""
    claimed = at_work(town, waits=THREE)

    def gone(*_: object, **__: object) -> None:
        raise NotSentError(UnreachableError("gone", remedy="wait"))

    monkeypatch.setattr(town.context, "_send", gone)
    taken = attempts.hand_in(town.context, claimed, DONE, taker()).next
    assert taken is not None
    assert taken.attempt == town.item(3).attempt
