"""Who may start now: order, slots, roles and live workers."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.fakes.builders import (
    NOW,
    a_crew,
    a_mission,
    an_item,
    asking,
    key,
    passed,
    ready,
    with_attempt,
    with_change,
)
from tinytown.missions.crew import Crew, Worker
from tinytown.missions.records.item import Item
from tinytown.missions.scheduler import Admit, Place, Refuse, admit, find_place, order
from tinytown.missions.states import ItemState, Purpose, WaitReason


def decide(items: list[Item], crew: Crew, *, live: int = 0, slots: int = 9, now: float = NOW) -> list[Admit | Refuse]:
    return admit(a_mission(max_parallel_items=slots), items, live=live, crew=crew, now=now)


def admitted(decisions: list[Admit | Refuse]) -> list[str]:
    return [d.key for d in decisions if isinstance(d, Admit)]


def refused(decisions: list[Admit | Refuse]) -> dict[str, WaitReason]:
    return {d.key: d.reason for d in decisions if isinstance(d, Refuse)}


def test_priority_then_critical_path_then_key() -> None:
    urgent, long, first, second = (
        ready(9, priority=5), ready(8, critical_path=3), ready(1), ready(2)
    )  # fmt: skip
    for shuffled in itertools.permutations([urgent, long, first, second]):
        assert order(shuffled) == [urgent, long, first, second]


def test_slots_are_held_by_live_attempts_and_by_what_is_admitted_now() -> None:
    crew = a_crew("a:worker", "b:worker", "c:worker", "d:worker")
    decisions = decide([ready(n) for n in (1, 2, 3, 4)], crew, live=1, slots=3)
    assert admitted(decisions) == [key(1), key(2)]
    assert refused(decisions) == {key(3): WaitReason.SLOTS, key(4): WaitReason.SLOTS}


def test_no_more_is_sent_than_idle_workers_can_take() -> None:
    crew = a_crew("a:worker", "b:worker", busy=("b",))
    decisions = decide([ready(1), ready(2)], crew)
    assert admitted(decisions) == [key(1)]
    assert refused(decisions) == {key(2): WaitReason.NO_WORKER}


def test_what_all_missions_sent_to_a_queue_counts() -> None:
    """One crew serves several missions in turn."""
    assert admitted(decide([ready(1)], a_crew("a:worker", sent={"role.worker": 1}))) == []
    crew = a_crew("a:worker", "b:worker")
    assert admitted(decide([ready(1)], crew)) == [key(1)]
    assert admitted(decide([ready(2), ready(3)], crew)) == [key(2)]


def test_what_is_directed_to_an_agent_takes_a_worker_of_its_role_away() -> None:
    crew = a_crew("a:worker", sent={"agent.a": 1})
    assert admitted(decide([ready(1)], crew)) == []


def test_who_is_needed_by_its_role_is_not_directed_elsewhere() -> None:
    crew = a_crew("a:worker", sent={"role.worker": 1})
    assert find_place(ready(directed_to="a"), Purpose.WORK, crew).queue == ""
    two = a_crew("a:worker", "b:worker", sent={"role.worker": 1})
    assert find_place(ready(directed_to="a"), Purpose.WORK, two).queue == "agent.a"


def test_an_item_with_a_pause_is_left_alone_until_its_time() -> None:
    """It says already for what it waits, and until when; it holds no slot."""
    crew = a_crew("a:worker")
    waits = ready(1, priority=9, not_before=NOW + 1)
    assert admitted(decide([waits, ready(2)], crew)) == [key(2)]
    assert decide([waits], a_crew()) == []
    assert admitted(decide([waits], a_crew("a:worker"), now=NOW + 1)) == [key(1)]


@pytest.mark.parametrize(
    "item",
    [
        an_item(), asking(ready()), with_attempt(ready()), with_change(published=None),
        passed(merged="m", merged_head="head"), an_item(state=ItemState.FAILED), an_item(state=ItemState.CANCELLED),
    ],
)  # fmt: skip
def test_only_what_wants_to_run_is_decided_about(item: Item) -> None:
    assert decide([item], a_crew("a:worker", "checks", "rita:reviewer")) == []


def test_nobody_alive_is_said_even_when_slots_are_taken() -> None:
    decisions = decide([ready(1)], a_crew(), live=2, slots=2)
    assert decisions == [
        Refuse(
            key(1), WaitReason.NO_WORKER, "no running worker has the role worker: run `tt spawn worker`", nobody=True
        )
    ]


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (ready(), WaitReason.NO_WORKER),
        (with_change(state=ItemState.FIXING), WaitReason.NO_WORKER),
        (with_change(), WaitReason.CHECK),
        (with_change(checked="head"), WaitReason.REVIEW),
        (passed(), WaitReason.MERGE),
    ],
)
def test_while_all_who_could_are_busy_an_item_says_for_what_it_waits(item: Item, why: WaitReason) -> None:
    crew = a_crew("a:worker", "checks", "rita:reviewer", busy=("a", "checks", "rita"))
    decisions = decide([item], crew)
    assert refused(decisions) == {key(1): why}
    assert not any(d.nobody for d in decisions if isinstance(d, Refuse))


# -- where an attempt goes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("crew", "changes", "place"),
    [
        # The item's role first.
        (["bea:backend", "will:worker"], {}, ("backend", "role.backend")),
        # A role from a mere word that no live worker has goes to `worker`, at each admission anew.
        (["will:worker"], {}, ("worker", "role.worker")),
        (["fred:frontend"], {}, None),
        # A role that a person named goes nowhere else.
        (["will:worker"], {"role_named": True}, None),
        # A redirection goes to that agent alone, whatever its role, and to nobody if it is gone.
        (["bea:backend", "fred:frontend"], {"directed_to": "fred"}, ("frontend", "agent.fred")),
        (["bea:backend"], {"directed_to": "fred"}, None),
    ],
)
@pytest.mark.parametrize("purpose", [Purpose.WORK, Purpose.FIX])
def test_work_and_fixes_go_to_the_items_role(
    purpose: Purpose, crew: list[str], changes: dict[str, Any], place: tuple[str, str] | None
) -> None:
    found = find_place(ready(role="backend", **changes), purpose, a_crew(*crew))
    assert found.nobody == (place is None)
    if place is None:
        assert found.remedy
        assert found.queue == ""
    else:
        assert (found.role, found.queue) == place


def test_a_busy_worker_of_the_role_is_waited_for() -> None:
    """`worker` takes over only where nobody of the role is alive."""
    found = find_place(ready(role="backend"), Purpose.WORK, a_crew("bea:backend", "will:worker", busy=("bea",)))
    assert (found.queue, found.nobody) == ("", False)


def test_checks_and_merges_go_to_the_checks_worker_alone() -> None:
    assert find_place(with_change(), Purpose.CHECK, a_crew("checks", "a:worker")) == Place("checks", "checks")
    assert find_place(with_change(directed_to="a"), Purpose.CHECK, a_crew("a:worker")).nobody


# -- reviews -------------------------------------------------------------------------------------

REVIEWS = [
    # A live reviewer, by the role's queue.
    (["ada:backend", "rita:reviewer"], (), "role.reviewer"),
    # With no live reviewer, any live worker that wrote none of the item's commits.
    (["ada:backend", "bob:frontend"], (), "agent.bob"),
    # Nobody: help.
    (["ada:backend"], (), None),
    (["ada:backend", "checks"], (), None),
    ([], (), None),
    # A reviewer that wrote some of it may not; another reviewer takes it by name.
    (["ada:reviewer", "rita:reviewer"], (), "agent.rita"),
    (["ada:reviewer", "bob:backend"], (), "agent.bob"),
    (["ada:reviewer"], (), None),
    # Those who are busy are waited for.
    (["ada:backend", "rita:reviewer", "bob:backend"], ("rita",), ""),
    (["ada:backend", "bob:frontend"], ("bob",), ""),
]


@pytest.mark.parametrize(("crew", "busy", "queue"), REVIEWS)
def test_a_review_goes_to_a_reviewer_else_to_anybody_but_an_author(
    crew: list[str], busy: tuple[str, ...], queue: str | None
) -> None:
    place = find_place(with_change(authors=("ada",)), Purpose.REVIEW, a_crew(*crew, busy=busy))
    assert place.nobody == (queue is None)
    assert place.queue == (queue or "")
    assert place.queue or place.remedy, "an item that waits always says for what"


def test_a_redirection_of_the_work_does_not_redirect_the_review() -> None:
    item = with_change(authors=("ada",), directed_to="ada")
    assert find_place(item, Purpose.REVIEW, a_crew("ada:backend", "rita:reviewer")).queue == "role.reviewer"


def sleeping(*names: str, role: str = "worker") -> list[Worker]:
    return [Worker(name, role, idle=False, asleep=True) for name in names]


def woken(decisions: list[Admit | Refuse]) -> list[str]:
    return [d.wakes for d in decisions if isinstance(d, Refuse) and d.wakes]


def test_a_cold_worker_is_woken_for_what_nobody_else_can_take() -> None:
    """One for each item, while there are any; until it is there it counts as busy, and nobody is asked for another."""
    crew = Crew([*a_crew("a:worker").workers, *sleeping("b", "c")])
    decisions = decide([ready(n) for n in (1, 2, 3, 4)], crew)
    assert admitted(decisions) == [key(1)]
    assert woken(decisions) == ["b", "c"]
    assert refused(decisions) == {key(n): WaitReason.NO_WORKER for n in (2, 3, 4)}
    assert not any(d.nobody for d in decisions if isinstance(d, Refuse))


def test_nobody_is_woken_in_vain() -> None:
    """Neither for what waits for a slot, nor for another role, nor while somebody is idle."""
    assert woken(decide([ready(1)], Crew(sleeping("b")), live=2, slots=2)) == []
    assert woken(decide([ready(1)], Crew([*a_crew("a:worker").workers, *sleeping("b")]))) == []
    named = ready(1, role="backend", role_named=True)
    decisions = decide([named], Crew(sleeping("b")))
    assert woken(decisions) == []
    assert [d.nobody for d in decisions if isinstance(d, Refuse)] == [True]


def test_a_review_and_a_redirection_wake_those_who_may() -> None:
    reviewed = with_change(1).evolve(authors=("a",))
    crew = Crew([*sleeping("a", "b"), *sleeping("rita", role="reviewer")])
    assert find_place(reviewed, Purpose.REVIEW, crew).asleep == "rita"
    assert find_place(reviewed, Purpose.REVIEW, Crew(sleeping("a", "b"))).asleep == "b"
    assert find_place(ready(1, directed_to="b"), Purpose.WORK, Crew(sleeping("a", "b"))).asleep == "b"


def test_who_is_interrupted_is_named_where_nobody_else_could() -> None:
    """Instead of asking for another agent."""
    held = [Worker("ann", "backend", idle=False)]
    named = ready(1, role="backend", role_named=True)
    place = find_place(named, Purpose.WORK, Crew([], interrupted=held))
    assert (place.nobody, place.remedy) == (True, "ann is interrupted: run `tt resume ann`")
    assert "tt resume ann" in find_place(ready(1, directed_to="ann"), Purpose.WORK, Crew([], interrupted=held)).remedy
    rita = Crew([], interrupted=[Worker("rita", "reviewer", idle=False)])
    assert "tt resume rita" in find_place(with_change(1), Purpose.REVIEW, rita).remedy
    assert find_place(named, Purpose.WORK, Crew(a_crew("b:backend").workers, interrupted=held)).queue


def test_what_is_said_to_a_forge_needs_no_slot_and_goes_to_whoever_speaks_to_it() -> None:
    policy = {"forge_judges": True, "max_parallel_items": 1}
    unpublished = with_change(published=None)
    crew = a_crew("forge:forge", "checks:checks")
    (sent,) = admit(a_mission(**policy), [unpublished], live=1, crew=crew, now=NOW)
    assert sent == Admit(unpublished.key, Purpose.PUBLISH, "forge", "forge")
    (refused,) = admit(a_mission(**policy), [unpublished], live=0, crew=a_crew("checks:checks"), now=NOW)
    assert isinstance(refused, Refuse)
    assert refused.nobody
    assert "tt start" in refused.remedy
    # By hand or not, nobody has to merge what is only to be published.
    (refused,) = admit(
        a_mission(auto_merge=False, **policy),
        [unpublished],
        live=0,
        crew=a_crew("forge:forge", busy=("forge",)),
        now=NOW,
    )
    assert isinstance(refused, Refuse)
    assert (refused.reason, refused.nobody) == (WaitReason.NO_WORKER, False)
    merge = passed(change_id="PR_1")
    (sent,) = admit(a_mission(), [merge], live=0, crew=a_crew("forge:forge", "checks:checks"), now=NOW)
    assert sent == Admit(merge.key, Purpose.MERGE, "forge", "forge")


# -- disks -----------------------------------------------------------------------------------------


def _on(host: str, *names: str) -> list[Worker]:
    return [Worker(name, "worker", idle=True, host=host) for name in names]


def test_nothing_is_sent_to_a_host_without_room_and_its_items_say_what_is_missing() -> None:
    full = {"small": "1.0 GiB more must be free at /x"}
    [alone] = decide([ready(1)], Crew(_on("small", "a"), full=full))
    assert isinstance(alone, Refuse)
    assert (alone.reason, alone.remedy, alone.nobody) == (WaitReason.DISK_FULL, full["small"], False)
    # Another host takes it, by name: from the role's queue the full one could take it.
    [sent] = decide([ready(1)], Crew([*_on("small", "a"), *_on("large", "b")], full=full))
    assert isinstance(sent, Admit)
    assert (sent.agent, sent.queue) == ("b", "agent.b")
    [named] = decide([ready(1, directed_to="a")], Crew([*_on("small", "a"), *_on("large", "b")], full=full))
    assert isinstance(named, Refuse)
    assert named.reason is WaitReason.DISK_FULL


def test_checks_and_reviews_need_room_too_and_nobody_is_woken_without() -> None:
    full = {"small": "little"}
    checks = Worker("checks", "checks", idle=True, host="small")
    sleeper = Worker("c", "reviewer", idle=False, host="small", asleep=True)
    unchecked, unread = with_change(1), with_change(2, checked="head", published="head")
    decisions = decide([unchecked, unread], Crew([checks, sleeper], full=full))
    assert {type(one) for one in decisions} == {Refuse}
    assert {one.reason for one in decisions if isinstance(one, Refuse)} == {WaitReason.DISK_FULL}
    assert [one.wakes for one in decisions if isinstance(one, Refuse)] == ["", ""]


def test_who_is_on_a_host_that_gives_no_sign_is_named_with_that_host() -> None:
    """Where nobody else could take it; somebody who could does."""
    away = [Worker("ann", "backend", idle=False, host="barn")]
    for item in (ready(1, directed_to="ann"), ready(1, role="backend", role_named=True)):
        place = find_place(item, Purpose.WORK, Crew([], away=away))
        assert place.nobody
        assert place.remedy.startswith("ann is on the host barn, which gives no sign: ")
    named = ready(1, role="backend", role_named=True)
    assert find_place(named, Purpose.WORK, Crew(a_crew("b:backend").workers, away=away)).queue
