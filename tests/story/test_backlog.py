"""The backlog: each entry is in one place at any moment, and idle agents take what fits them, one at a time."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence

import pytest

from tests.story.arranged import ATown, MakeTown
from tests.story.simulation import StoryContext, Worker
from tinytown.engine.dispatch import attempts, claiming
from tinytown.engine.operate import backlog
from tinytown.engine.operate.backlog import give_back
from tinytown.engine.plan import by_hand, claims
from tinytown.engine.plan.by_hand import Assignment, Given
from tinytown.errors import ConfigurationError, NotFoundError, StateError
from tinytown.missions import backlog as rules
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.backlog import Entry
from tinytown.missions.states import AgentState, ItemState, Outcome
from tinytown.state import backlog as stored
from tinytown.state.store import Store

#: Entries that two agents claim at the same moment; `make soak` has a thousand.
CLAIMS = int(os.environ.get("CLAIMS", "200"))


def add(town: ATown, text: str, *tags: str, by: str = "operator", depth: int = 0) -> str:
    return backlog.add(town.context, text, tags, by=by, depth=depth).id


def left(town: ATown) -> list[str]:
    return stored.ids(town.context.store)


def taken(given: Sequence[Given]) -> dict[str, str | None]:
    return {one.item.entry: one.item.directed_to for one in given}


def finish(town: ATown, given: Given, outcome: Outcome = Outcome.SUCCEEDED) -> None:
    """The agent does its task, which leaves no change."""
    item = town.context.store.item(given.mission.id, given.item.key).record
    assert item.attempt is not None
    assert item.directed_to is not None
    claimed = claiming.claim(town.context, given.mission.id, item.key, item.attempt.number, agent=item.directed_to)
    assert claimed is not None
    assert attempts.report(town.context, claimed, Report(outcome=outcome, result="ok", summary="so it ended"))


@pytest.fixture
def town(a_town: MakeTown) -> ATown:
    """``ada`` and ``bob`` are workers; nothing is reviewed."""
    return watched(a_town(reviewer_required=False, max_parallel_items=3))


def watched(town: ATown) -> ATown:
    """Have every commit followed by a look at all missions: those of tasks by hand begin by themselves."""
    watcher, look = town.watcher, town.watcher.look

    def look_at_all() -> None:
        watcher.missions[:] = town.context.store.mission_ids(live=False)
        look()

    watcher.look = look_at_all  # type: ignore[method-assign]
    return town


@pytest.fixture
def unwatched(a_town: MakeTown) -> ATown:
    """The same for several threads: what is looked at in several steps may change between them."""
    town = a_town(reviewer_required=False, max_parallel_items=3)
    town.watcher.look = lambda: None  # type: ignore[method-assign]
    return town


def test_a_claim_is_one_step_and_says_where_the_task_came_from(town: ATown) -> None:
    assert add(town, "First line\n\nbody", "docs,  docs ,x") == "b1"
    assert add(town, "Second") == "b2"
    given = claims.claim(town.context, "b1", "bob")
    assert (given.item.entry, given.item.directed_to, given.item.title) == ("b1", "bob", "First line")
    assert given.item.labels == ("docs", "x")
    assert town.context.store.issues(given.mission.id, [given.item.key])[given.item.key].body == "body"
    assert given.item.state is ItemState.ASSIGNED, "bob is idle"
    assert left(town) == ["b2"]
    kinds = [(e.kind, e.data.get("entry")) for _, e in town.context.store.events(count=100)]
    assert [one for one in kinds if one[0].startswith("backlog")] == [
        ("backlog_added", "b1"), ("backlog_added", "b2"), ("backlog_claimed", "b1"),
    ]  # fmt: skip
    with pytest.raises(NotFoundError, match="no `b1` in the backlog"):
        claims.claim(town.context, "b1", "ada")
    backlog.remove(town.context, "b2")
    assert left(town) == []
    assert stored.lines(town.context.store) == {}
    with pytest.raises(NotFoundError):
        backlog.remove(town.context, "b2")


def test_a_claim_that_is_refused_leaves_the_entry(town: ATown) -> None:
    add(town, "Do it")
    with pytest.raises(NotFoundError, match="there is no agent `nobody`"):
        claims.claim(town.context, "b1", "nobody")
    with pytest.raises(NotFoundError):
        claims.claim_all(town.context, "nobody")
    end(town, "bob")
    for refused in (lambda: claims.claim(town.context, "b1", "bob"), lambda: claims.claim_all(town.context, "bob")):
        with pytest.raises(StateError, match="tt restart bob"):
            refused()
    assert left(town) == ["b1"]


@pytest.mark.parametrize(
    ("text", "tags", "says"),
    [
        ("  \n", (), "the task has no text"),
        ("x" * 70_000, (), "more than"),
        ("\udcff", (), "not valid UTF-8"),
        ("x", ("role:nothing",), "there is no role 'nothing'"),
        ("x", ("a" * 50,), "is not a tag"),
        ("x", ("a\u202eb",), "is not a tag"),
        ("x", ("a\nb",), "is not a tag"),
        ("x", tuple(f"t{n}" for n in range(21)), "there are 21 tags"),
    ],
)
def test_what_cannot_be_an_entry_is_refused(town: ATown, text: str, tags: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        add(town, text, *tags)
    assert left(town) == []


def end(town: ATown, name: str, state: AgentState = AgentState.STOPPED, *, returns: bool = False) -> None:
    old = town.context.crew.agent(name)
    town.context.crew.put(old, old.record.evolve(state=state, returns=returns))


def test_idle_agents_take_the_oldest_that_fits_them_one_at_a_time(town: ATown) -> None:
    town.enlist(Worker("rita", "reviewer"))
    town.enlist(Worker("dora", "docs"))
    for tags in (("reviewer",), (), ("docs",), ("documentation-of-nothing",), ("docs", "worker")):
        add(town, "Do it", *tags)
    add(town, "Nobody has this role", "backend")
    given = claims.take_up(town.context)
    # Three slots.
    assert taken(given) == {"b1": "rita", "b2": "ada", "b3": "dora"}
    assert claims.take_up(town.context) == []
    assert "3 of 3 slots" in claims.standing(town.context).hindrance
    finish(town, given[0])
    assert taken(claims.take_up(town.context)) == {"b4": "bob"}, "no reviewer takes what is for anybody"
    finish(town, given[1])
    assert taken(claims.take_up(town.context)) == {"b5": "ada"}
    finish(town, given[2])
    assert claims.take_up(town.context) == []
    assert left(town) == ["b6"]
    seen = claims.standing(town.context)
    assert "tt spawn backend" in rules.why(["backend"], seen.crew, now=seen.now)


def test_who_has_one_unfinished_takes_no_other(town: ATown) -> None:
    for _ in range(4):
        add(town, "Do it")
    given = claims.take_up(town.context)
    assert taken(given) == {"b1": "ada", "b2": "bob"}
    # Failed, and to be tried again: it is unfinished.
    finish(town, given[0], Outcome.FAILED)
    assert claims.take_up(town.context) == []
    seen = claims.standing(town.context)
    assert "unfinished" in rules.why([""], seen.crew, now=seen.now, having=seen.unfinished.keys())
    finish(town, given[1])
    assert taken(claims.take_up(town.context)) == {"b3": "bob"}


@pytest.mark.parametrize("state", [AgentState.PAUSED, AgentState.DRAINING, AgentState.COLD, AgentState.STOPPED])
def test_who_rests_takes_nothing(town: ATown, state: AgentState) -> None:
    for name in ("ada", "bob"):
        end(town, name, state)
    add(town, "Do it")
    assert claims.take_up(town.context) == []
    assert left(town) == ["b1"]
    seen = claims.standing(town.context)
    why = rules.why([""], seen.crew, now=seen.now)
    assert why == ("ada is interrupted: run `tt resume ada`" if state is AgentState.PAUSED else
                   "no running agent works but on reviews: run `tt spawn worker`")  # fmt: skip


def test_nothing_is_taken_while_it_could_not_begin(a_town: MakeTown) -> None:
    """Paused, over its budget, or ``auto_claim`` off."""
    town = watched(a_town(reviewer_required=False, budget_usd=0.1))
    add(town, "Do it")
    add(town, "And this")
    [given] = claims.take_up(town.context)
    item = town.context.store.item(given.mission.id, given.item.key).record
    assert item.attempt is not None
    claimed = claiming.claim(town.context, given.mission.id, item.key, item.attempt.number, agent="ada")
    assert claimed is not None
    attempts.report(town.context, claimed, Report(outcome=Outcome.FAILED, summary="it failed", cost_usd=5.0))
    assert claims.take_up(town.context) == []
    why = claims.standing(town.context).hindrance
    assert "paused" in why or "budget" in why
    town.context.town = town.town  # As it is.
    object.__setattr__(town.settings, "auto_claim", False)
    assert "`auto_claim` is off" in claims.standing(town.context).hindrance
    assert claims.take_up(town.context) == []
    assert left(town) == ["b2"]


def test_a_cold_agent_comes_back_for_what_nobody_else_can_take(town: ATown, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinytown.engine.dispatch import waking

    woken: list[str] = []
    monkeypatch.setattr(waking, "start", lambda _, agent: woken.append(agent.name))
    end(town, "ada", AgentState.COLD, returns=True)
    add(town, "Do it")
    assert taken(claims.take_up(town.context)) == {"b1": "bob"}
    assert woken == []
    add(town, "Do it, too")
    assert taken(claims.take_up(town.context)) == {"b2": "ada"}
    assert woken == ["ada"]


def test_what_agents_add_at_work_from_the_backlog_comes_to_an_end(town: ATown) -> None:
    add(town, "Go on", by="ada", depth=rules.MAX_DEPTH)
    assert taken(claims.take_up(town.context)) == {"b1": "ada"}
    add(town, "Go on and on", by="ada", depth=rules.MAX_DEPTH + 1)
    assert claims.take_up(town.context) == []
    assert stored.lines(town.context.store) == {rules.PEOPLE: 1}
    assert claims.claim(town.context, "b2", "bob").item.depth == rules.MAX_DEPTH + 1


def test_an_agent_claims_for_itself_what_fits_it_and_one_at_a_time(town: ATown) -> None:
    for tags in (("docs",), (), ()):
        add(town, "Do it", *tags)
    with pytest.raises(StateError, match="not for the role worker"):
        claims.claim_own(town.context, "b1", "ada")
    given = claims.claim_own(town.context, "b2", "ada")
    with pytest.raises(StateError, match=f"you have task {given.item.typed}"):
        claims.claim_own(town.context, "b3", "ada")
    assert claims.claim_own(town.context, "b3", "ada", at=given.item.key).item.directed_to == "ada"
    assert left(town) == ["b1"]


def test_what_an_agent_that_ended_had_not_begun_is_in_the_backlog_again(town: ATown) -> None:
    """In its old place; what was begun, or is waited for, stays in its mission, for anybody with the role."""
    for number in range(3):
        add(town, f"Do {number}\n\nbody")
    first, second = claims.take_up(town.context)
    finish(town, second, Outcome.FAILED)
    end(town, "ada")
    end(town, "bob", AgentState.ERROR)
    claims.put_back(town.context)
    assert left(town) == ["b1", "b3"]
    entry = stored.find(town.context.store, "b1").record
    assert entry.text == "Do 0\n\nbody"
    again = town.context.store.item(first.mission.id, first.item.key).record
    assert again.state is ItemState.SKIPPED
    assert not town.context.store.client.hexists(town.context.store.keys.issues, first.item.key), "held by nobody"
    kept = town.context.store.item(second.mission.id, second.item.key).record
    assert kept.directed_to is None
    assert kept.attempt is None or not kept.attempt.claimed
    assert claims.take_up(town.context) == []
    end(town, "ada", AgentState.IDLE)
    assert taken(claims.take_up(town.context)) == {"b1": "ada"}
    claims.put_back(town.context)
    assert left(town) == ["b3"]


def test_only_what_is_directed_to_that_agent_and_not_begun_goes_back(town: ATown) -> None:
    tasks = [by_hand.assign(town.context, Assignment("ada", "One"))]
    tasks += [by_hand.assign(town.context, Assignment("ada", f"After {n}", after=(f"t{n}",))) for n in (1, 2)]
    tasks.append(by_hand.assign(town.context, Assignment("ada", "Alone", tags=("x",))))
    mission = tasks[0].mission.id
    assert give_back(town.context, mission, tasks[0].item.key, "bob") is None
    end(town, "ada")
    for task in tasks[:3]:
        back = give_back(town.context, mission, task.item.key, "ada")
        assert back is not None
        assert back.entry is None
    back = give_back(town.context, mission, tasks[3].item.key, "ada")
    assert back is not None
    assert back.entry is not None
    assert (back.entry.id, back.entry.roles, back.entry.tags) == ("b1", (), ("x",))
    assert give_back(town.context, mission, tasks[3].item.key, "ada") is None


def test_all_of_it_goes_to_one_agent_in_the_order_in_which_it_came(town: ATown) -> None:
    for number in range(230):
        stored_entry(town.context.store, number + 1)
    assert claims.claim_all(town.context, "bob") == 230
    given = [one for one in by_hand.all_tasks(town.context) if one.item.entry]
    assert sorted(one.item.entry for one in given) == sorted(f"b{n + 1}" for n in range(230))
    assert {one.item.directed_to for one in given} == {"bob"}
    assert len({one.mission.id for one in given}) == 2
    assert claims.claim_all(town.context, "bob") == 0


def stored_entry(store: Store, number: int, *roles: str) -> None:
    change = store.change()
    stored.put(store, change, Entry(id=f"b{number}", text="Do it", at=0.0, by="operator", roles=roles))
    change.commit()


def at_once(*steps: Callable[[], None]) -> None:
    """Run them at the same time, each with a connection of its own."""
    failed: list[BaseException] = []

    def run(step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed


def test_two_agents_claim_one_entry_at_the_same_moment(unwatched: ATown) -> None:
    """Once each: one gets it, as a task; the other is told that it is gone. So many times as ``CLAIMS`` says."""
    town, both = unwatched, threading.Barrier(2, timeout=60)
    for number in range(1, CLAIMS + 1):
        stored_entry(town.context.store, number)
    won: dict[str, list[str]] = {"ada": [], "bob": []}

    def claim(name: str) -> None:
        context = StoryContext(town.town, town.url, town)
        for number in range(1, CLAIMS + 1):
            both.wait()
            with contextlib.suppress(NotFoundError):
                claims.claim(context, f"b{number}", name)
                won[name].append(f"b{number}")

    at_once(lambda: claim("ada"), lambda: claim("bob"))
    assert sorted([*won["ada"], *won["bob"]]) == sorted(f"b{number}" for number in range(1, CLAIMS + 1))
    assert won["ada"]
    assert won["bob"]
    assert stored.lines(town.context.store) == {}
    whose = [(one.item.entry, one.item.directed_to) for one in by_hand.all_tasks(town.context)]
    assert sorted(whose) == sorted((entry, name) for name, entries in won.items() for entry in entries)


def test_many_who_look_at_the_same_moment_take_each_entry_once(unwatched: ATown) -> None:
    """Also where the same agent is free in the eyes of all of them."""
    town = unwatched
    for number in range(1, 13):
        add(town, f"Do {number}")
    given: list[Given] = []

    def look() -> None:
        given.extend(claims.take_up(StoryContext(town.town, town.url, town)))

    for _ in range(6):
        at_once(*[look] * 4)
        for one in given[-2:]:
            finish(town, one)
    assert sorted(one.item.entry for one in given) == sorted(f"b{n}" for n in range(1, 13))
    assert left(town) == []
