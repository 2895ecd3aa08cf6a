"""Missions in the real server: compare-and-set, indexes in step, leases by the server's clock, history."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.builders import NOW, a_mission, an_item, key, ready, reported, sent, success, with_attempt, with_change
from tests.waiting import wait_until
from tinytown import contract
from tinytown.errors import ConflictError, NotFoundError, TinytownError, UnreachableError
from tinytown.host.server import Server
from tinytown.missions import lifecycle
from tinytown.missions.records.agent import Agent, Event, Message, MessageHead
from tinytown.missions.records.asked import Asked
from tinytown.missions.records.attempt import AttemptRecord, Report
from tinytown.missions.records.forge_evidence import ChangeWatch
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.spending import Used
from tinytown.missions.states import ItemState, MissionState, Purpose
from tinytown.state import asked, duties, forge_away, lookup
from tinytown.state import keys as schema
from tinytown.state import tasks as task_records
from tinytown.state.agents import CrewStore, gather
from tinytown.state.mail import Mail
from tinytown.state.records import DamagedRecordError, Versioned
from tinytown.state.store import Store


@pytest.fixture
def store(server: Server) -> Iterator[Store]:
    """A store under a prefix of its own, which is empty again afterwards."""
    store = Store(server.url, f"tt:store-{uuid.uuid4().hex[:8]}:")
    yield store
    if left := list(store.client.scan_iter(match=f"{store.keys.prefix}*")):
        store.client.delete(*left)
    store.client.close()


def save(store: Store, mission: Mission, *items: Item) -> None:
    issues = [Issue(key=i.key, number=i.number, title=i.title) for i in items]
    change = store.change()
    change.create_mission(mission, items, issues, graph={"order": [i.key for i in items]}, canvas={"sources": {}})
    change.commit()


def put(store: Store, old: Versioned[Item], new: Item, *, lease: float | None = None) -> None:
    change = store.change()
    change.put_item(store.mission("m").record, old, new, lease=lease)
    change.commit()


def dump(store: Store) -> dict[str, Any]:
    """Everything under the prefix."""
    readers = {"string": "get", "hash": "hgetall", "set": "smembers"}
    found: dict[str, Any] = {}
    for name in store.client.scan_iter(match=f"{store.keys.prefix}*"):
        kind = store.client.type(name)
        if kind == "zset":
            found[name] = store.client.zrange(name, 0, -1, withscores=True)
        elif kind == "stream":
            found[name] = store.client.xrange(name)
        else:
            found[name] = getattr(store.client, readers[kind])(name)
    return found


@pytest.fixture
def mission(store: Store) -> Mission:
    """A mission ``m`` of two items; the second waits for the first."""
    mission = a_mission(id="m")
    save(store, mission, ready(1), an_item(2, after=(1,)))
    return mission


# -- compare-and-set -----------------------------------------------------------------------------


def test_what_is_saved_is_read_again(store: Store, mission: Mission) -> None:
    head = store.mission("m").record
    assert head.objectives == (), "the head is read with every step of every item"
    assert head.evolve(objectives=store.objectives(head)) == mission
    assert [v.record for v in store.items("m").values()] == [ready(1), an_item(2, after=(1,))]
    assert store.mission_of_issue(key(1)) == store.mission_of_issue(key(1).upper()) == "m"
    assert store.static("m", "graph") == {"order": [key(1), key(2)]}


def test_of_two_who_read_the_same_only_one_can_write(store: Store, mission: Mission) -> None:
    first = second = store.item("m", key(1))
    put(store, first, first.record.evolve(title="mine"))
    with pytest.raises(ConflictError):
        put(store, second, second.record.evolve(title="theirs"))
    now = store.item("m", key(1))
    assert (now.record.title, now.version) == ("mine", first.version + 1)


def test_a_conflict_writes_nothing_at_all(store: Store, mission: Mission) -> None:
    """Not even what was in order by itself: indexes, other items, events, the counter of admissions."""
    stale = store.item("m", key(1))
    fresh = store.item("m", key(2))
    put(store, stale, stale.record.evolve(title="newer"))
    before = dump(store)
    change = store.change()
    change.put_item(mission, fresh, fresh.record.evolve(title="also changed"))
    change.event(Event(at=NOW, kind="item_ready", mission="m", item=key(2)))
    change.admissions(0)
    change.wanting("m", True)
    change.put_item(mission, stale, with_attempt(stale.record), lease=60)
    with pytest.raises(ConflictError):
        change.commit()
    assert dump(store) == before


def test_a_stale_head_or_a_second_admission_is_refused(store: Store, mission: Mission) -> None:
    head = store.mission("m")
    change = store.change()
    change.put_mission(head, mission.evolve(state=MissionState.PAUSED))
    change.commit()
    change = store.change()
    change.expect_mission(head)
    change.event(Event(at=NOW, kind="late", mission="m"))
    with pytest.raises(ConflictError):
        change.commit()
    for expected, refused in ((0, False), (0, True), (1, False)):
        change = store.change()
        change.admissions(expected)
        if refused:
            with pytest.raises(ConflictError):
                change.commit()
        else:
            change.commit()


def test_an_unchanged_item_is_not_written(store: Store, mission: Mission) -> None:
    item = store.item("m", key(1))
    change = store.change()
    change.put_item(mission, item, item.record)
    assert not change.draft
    change.commit()
    assert store.item("m", key(1)).version == item.version


def test_an_issue_is_in_one_live_mission_whatever_its_case(store: Store, mission: Mission) -> None:
    other = a_mission(id="other")
    with pytest.raises(ConflictError):
        save(store, other, ready(3), ready(1).evolve(key=key(1).upper()))
    with pytest.raises(NotFoundError):
        store.mission("other")
    assert store.mission_of_issue(key(3)) is None
    head = store.mission("m")
    change = store.change()
    change.put_mission(head, mission.evolve(state=MissionState.COMPLETED))
    change.release_issues([ready(1), an_item(2)])
    change.commit()
    save(store, other, ready(3), ready(1))
    assert store.mission_ids(live=True) == ["other"]
    assert set(store.mission_ids(live=False)) == {"m", "other"}


def test_a_skipped_issue_is_not_taken(store: Store) -> None:
    save(store, a_mission(id="m"), an_item(1, state=ItemState.SKIPPED), ready(2))
    save(store, a_mission(id="n"), ready(1))
    assert store.mission_of_issue(key(1)) == "n"


# -- indexes -------------------------------------------------------------------------------------


def test_the_due_set_follows_the_records(store: Store, mission: Mission) -> None:
    assert lookup.due(store, "m") == [key(1)]
    states = [
        (ready(1, title="x"), True),
        (sent(ready(1)), False),
        (with_attempt(ready(1)), False),
        (with_change(1, published=None), True),
        (with_change(1), True),
        (an_item(1, state=ItemState.DONE, merged="m"), False),
    ]
    for record, due in states:
        put(store, store.item("m", key(1)), record)
        assert (key(1) in lookup.due(store, "m")) == due, record.state


def test_a_due_set_that_differs_is_put_right(store: Store, mission: Mission) -> None:
    (entry,) = lookup.entries(store, "m", page=0)
    wrong = entry.replace(key(1), key(2))
    store.client.delete(store.keys.lanes("m"))
    store.client.zadd(store.keys.lanes("m"), {wrong: 0})
    change = store.change()
    for item in store.items("m").values():
        change.mend_due(mission, item, entries=[wrong], later=False)
    change.commit()
    assert lookup.due(store, "m") == [key(1)]


def test_live_attempts_and_leases_follow_the_records(store: Store, mission: Mission) -> None:
    item = store.item("m", key(1))
    offered = sent(item.record, queue="role.worker")
    put(store, item, offered)
    (live,) = store.live_attempts()
    assert (live.mission, live.item, live.number, live.queue, live.claimed) == ("m", key(1), 1, "role.worker", False)
    assert store.leased() == set()

    item = store.item("m", key(1))
    claimed = lifecycle.claim(item.record, 1, agent="ada", token="t", now=NOW)
    assert claimed is not None
    put(store, item, claimed, lease=60)
    (live,) = store.live_attempts()
    assert (live.agent, live.claimed) == ("ada", True)
    assert store.leased() == {live.id}

    item = store.item("m", key(1))
    put(store, item, reported(item.record, success(head="h")))
    assert store.live_attempts() == []
    assert store.client.zcard(store.keys.leases) == 0


def test_an_admission_sees_everything_in_one_look(store: Store, mission: Mission) -> None:
    crew = CrewStore(store)
    crew.put(None, Agent(name="ada", role="worker", cli="x", spawned_at=NOW))
    crew.put(None, Agent(name="gone", role="worker", cli="x", spawned_at=NOW))
    crew.announce(["ada"], 60)
    put(store, store.item("m", key(1)), with_change(1))
    put(store, store.item("m", key(2)), sent(ready(2)))
    view = store.admission_view("m", [key(2), "nobody"])
    assert (view.mission.record, view.version) == (mission.evolve(objectives=()), 0)
    assert list(view.items) == [key(2)]
    assert list(view.due) == [key(1)]
    assert [a.item for a in view.attempts] == [key(2)]
    assert list(view.agents) == ["ada", "gone"]
    assert list(view.presence) == ["ada"], "who is not present takes no work"
    assert abs(view.now - store.now()) < 5


def test_an_agent_that_leaves_or_is_being_started_is_missing_only_after_a_while(store: Store) -> None:
    """While a town restarts, nobody is asked for agents that are about to be back."""
    crew = CrewStore(store)
    for name in ("ada", "bob", "old"):
        crew.put(None, Agent(name=name, role="worker", cli="x", spawned_at=NOW - 1000))
        crew.announce([name], 60)
    crew.leave("ada")
    store.client.zadd(store.keys.alive, {"old": 1.0})
    assert crew.alive() == {"bob"}

    def there() -> dict[str, bool]:
        found = gather(crew.agents().values(), [], presence=crew.presence(), now=store.now())
        return {worker.name: worker.idle for worker in found.workers}

    assert there() == {"ada": False, "bob": True}
    crew.expect(["old", "bob"])
    assert there() == {"ada": False, "bob": True, "old": False}
    assert crew.alive() == {"bob"}


def test_what_becomes_due_or_free_makes_an_older_decision_stale(store: Store, mission: Mission) -> None:
    """Else it would be decided without it, and nobody would look again before the next tick."""
    put(store, store.item("m", key(1)), with_attempt(ready(1)), lease=60)
    stale = [store.admission_view("m").version]
    item = store.item("m", key(1))
    put(store, item, item.record.evolve(state=ItemState.FAILED, attempt=None))
    stale.append(store.admission_view("m").version)
    item = store.item("m", key(1))
    put(store, item, item.record.evolve(state=ItemState.READY))
    for version in stale:
        change = store.change()
        change.admissions(version)
        with pytest.raises(ConflictError):
            change.commit()
    change = store.change()
    change.admissions(store.admission_view("m").version)
    change.ask_wanted()
    change.wanting("m", True)
    change.commit()
    assert change.wanted == {"m"}


# -- leases --------------------------------------------------------------------------------------


@pytest.fixture
def leased(store: Store, mission: Mission) -> str:
    """An attempt under a lease of a minute."""
    item = store.item("m", key(1))
    put(store, item, with_attempt(item.record), lease=60)
    return "m/" + key(1) + "/1"


def lose(store: Store, attempt: str) -> None:
    """Take the attempt back, as whoever finds its lease run out does."""
    item = store.item("m", key(1))
    change = store.change()
    change.expect_expired(attempt)
    change.put_item(store.mission("m").record, item, reported(item.record, Report(outcome="lost")))
    change.commit()


def test_a_lease_is_renewed_by_its_holder_alone(store: Store, leased: str) -> None:
    assert store.renew(leased, "token", 90)
    assert store.client.zscore(store.keys.leases, leased) > (store.now() + 80) * 1000
    assert not store.renew(leased, "another", 90)
    assert not store.renew("m/nothing/1", "token", 90)
    assert not store.renew(leased, "", 90)


def test_a_sent_attempt_that_nobody_claimed_has_no_lease_to_renew(store: Store, mission: Mission) -> None:
    item = store.item("m", key(1))
    put(store, item, sent(item.record))
    assert not store.renew("m/" + key(1) + "/1", "token", 60)


def test_a_lease_that_runs_cannot_be_taken(store: Store, leased: str) -> None:
    before = dump(store)
    with pytest.raises(ConflictError):
        lose(store, leased)
    assert dump(store) == before


def test_a_lease_runs_out_by_the_servers_clock(store: Store, leased: str) -> None:
    """Then it may be taken, and is refused to its old holder."""
    assert store.renew(leased, "token", 0.05)
    wait_until(lambda: store.leased() == set(), timeout=5, description="the lease runs out")
    lose(store, leased)
    assert not store.renew(leased, "token", 60)
    assert store.item("m", key(1)).record.state is ItemState.READY


def test_a_lease_that_ran_out_unnoticed_is_renewed(store: Store, leased: str) -> None:
    """As after a restart of the server: nobody took the attempt, so its holder still has it."""
    store.renew(leased, "token", 0.01)
    wait_until(lambda: store.leased() == set(), timeout=5, description="the lease runs out")
    assert store.renew(leased, "token", 60)
    with pytest.raises(ConflictError):
        lose(store, leased)


def test_a_duty_is_taken_once_in_its_time(store: Store) -> None:
    assert duties.take(store, "tick", 0.2, holder="one")
    assert not duties.take(store, "tick", 0.2, holder="two")
    wait_until(lambda: duties.take(store, "tick", 60, holder="two"), timeout=5, description="the duty is free again")
    with duties.running(store, "tick"):
        pass
    assert abs(duties.ticks(store)["tick"] - store.now()) < 5
    assert 0 <= duties.took(store)["tick"] < 5


# -- records that cannot be read -----------------------------------------------------------------


@pytest.mark.parametrize("text", ["1\n{", "x\n{}", "", "1", '1\n{"key": 3}', "1\n[]"])
def test_a_damaged_record_is_named_and_never_skipped(store: Store, mission: Mission, text: str) -> None:
    store.client.hset(store.keys.items("m"), key(2), text)
    for read in (lambda: store.items("m"), lambda: store.item("m", key(2))):
        with pytest.raises(DamagedRecordError) as damaged:
            read()
        assert key(2) in str(damaged.value)
    store.client.hset(store.keys.mission("m"), "head", text)
    with pytest.raises(DamagedRecordError):
        store.mission("m")


def test_a_lost_record_is_no_shorter_list(store: Store, mission: Mission) -> None:
    """Else a mission could complete with items missing."""
    store.client.hdel(store.keys.items("m"), key(2))
    with pytest.raises(DamagedRecordError):
        store.items("m")


def test_a_newer_schema_is_refused(store: Store) -> None:
    save(store, a_mission(id="m", schema_version=contract.SCHEMA + 1), ready(1))
    for read in (lambda: store.mission("m"), lambda: store.admission_view("m")):
        with pytest.raises(TinytownError, match="newer tinytown"):
            read()


def test_fields_of_a_newer_release_are_kept(store: Store, mission: Mission) -> None:
    version, _, body = store.client.hget(store.keys.items("m"), key(1)).partition("\n")
    text = f"{version}\n{json.dumps(json.loads(body) | {'mood': 'good'})}"
    store.client.hset(store.keys.items("m"), key(1), text)
    item = store.item("m", key(1))
    put(store, item, item.record.evolve(title="changed"))
    assert json.loads(store.client.hget(store.keys.items("m"), key(1)).partition("\n")[2])["mood"] == "good"


def test_a_server_that_does_not_answer_is_one_sentence(server: Server) -> None:
    store = Store("unix:///nonexistent/redis.sock", "tt:none:", retries=0)
    with pytest.raises(UnreachableError, match="does not answer"):
        store.now()


# -- finding, history ----------------------------------------------------------------------------


def test_a_mission_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    for number, name in enumerate(("abc1", "abc2", "abd", "ab")):
        save(store, a_mission(id=name, created_at=float(number)), ready(number + 1))
    assert store.find_mission("abd") == "abd"
    assert store.find_mission("abc1") == "abc1"
    assert store.find_mission("ab") == "ab", "a whole id is meant as it stands"
    for text in ("abc", "x", ""):
        with pytest.raises(NotFoundError):
            store.find_mission(text)
    assert store.mission_ids(live=True) == ["abc1", "abc2", "abd", "ab"]


def test_history_is_read_from_any_position_and_waited_for(store: Store, mission: Mission) -> None:
    def tell(kind: str) -> None:
        change = store.change()
        change.event(Event(at=NOW, kind=kind, mission="m", data={"n": 1}))
        change.commit()

    assert store.events("m", after="0", block=0.01) == []
    tell("one")
    ((at, _),) = store.events("m")
    tell("two")
    assert [e.kind for _, e in store.events("m")] == ["one", "two"]
    ((last, event),) = store.events("m", after=at)
    assert event.kind == "two"
    assert [e.kind for _, e in store.events("m", after=at, block=1)] == ["two"]
    assert [e.kind for _, e in store.events()] == ["one", "two"], "the town's history has them too"
    assert store.events("m", after=last, block=0.01) == []


def test_finished_attempts_are_kept_in_order(store: Store, mission: Mission) -> None:
    for number in (1, 2):
        item = store.item("m", key(number))
        put(store, item, item.record.evolve(fence=3))
    for number, item in ((2, 1), (1, 1), (1, 2)):
        change = store.change()
        report = Report(outcome="succeeded", result=f"text {item}.{number}")
        change.end_attempt(
            "m",
            AttemptRecord(id=f"{item}/{number}", item=key(item), number=number, purpose=Purpose.WORK, sent_at=0.0,
                          ended_at=float(10 * item + number), report=report),
        )  # fmt: skip
        change.commit()
    assert [(r.item, r.number) for r in store.finished_attempts("m")] == [(key(1), 1), (key(1), 2), (key(2), 1)]
    assert [r.number for r in store.finished_attempts("m", key(2))] == [1]


# -- the schema ----------------------------------------------------------------------------------


def documented() -> list[re.Pattern[str]]:
    """The keys of the schema's table as patterns, each with the type it names."""
    rows = re.findall(r"^``([^`]+)``\s+(string|hash|set|zset|stream)\s", schema.__doc__ or "", re.MULTILINE)
    assert len(rows) > 15
    return [
        re.compile(re.sub(r"<[^>]+>", "[^:]+", re.sub(r"([.+*?])", r"\\\1", name)) + f"={kind}") for name, kind in rows
    ]


def test_every_key_that_is_written_is_in_the_schema(store: Store, mission: Mission) -> None:
    """And of the type that it says."""
    crew, mail = CrewStore(store), Mail(store)
    crew.put(None, Agent(name="ada", role="worker", cli="x", spawned_at=NOW))
    crew.announce(["ada"], 60)
    crew.note_full("here", "1 GiB more must be free", 60)
    told = store.change()
    told.message(Message(id=mail.next_id(), at=NOW, sender="ada", to="bob", text="hello"), pending=True)
    told.commit()
    mail.mark_seen("bob", "0-1")
    duties.take(store, "tick", 60, holder="me")
    with duties.running(store, "tick"):
        pass
    forge_away.note(store, "it answers 502", seconds=60)
    item = store.item("m", key(1))
    put(store, item, with_attempt(item.record), lease=60)
    put(store, store.item("m", key(2)), with_change(2))
    save(store, a_mission(id="n"), an_item(3), ready(4, not_before=NOW + 60), an_item(5, state=ItemState.FAILED))
    change = store.change()
    change.create_mission(a_mission(id="p"), [], [], graph={"order": []}, canvas={"sources": {}}, plan="")
    task = Item(key="hand:task/t1", title="One", state=ItemState.READY, directed_to="bob",
                messages=(MessageHead(id="m1", sender="ada"),))  # fmt: skip
    by_hand = a_mission(id="h", tasks="hand")
    change.create_mission(by_hand, [task], [], graph={"order": [task.key]}, canvas={"sources": {}})
    task_records.next_number(store)
    asked.begin(change, Asked(sender="ada", since=NOW, run="r", item="conductor:task/q1", at=NOW), after=0)
    record = AttemptRecord(id="x", item=key(1), number=1, purpose=Purpose.WORK, sent_at=0.0, ended_at=1.0,
                           report=Report(outcome="succeeded", result="text"))  # fmt: skip
    change.end_attempt("m", record)
    change.put_watch("m", key(1), ChangeWatch(head="head"))
    change.admissions(store.admission_view("m").version)
    change.wanting("m", True)
    change.count_round("ada")
    change.count_spent(Used(0.5, 7), role="worker", cli="x")
    change.answer_in("bob", "h", task.key, before="")
    change.note_sent("ada", "bob", (NOW,), version=0)
    change.event(Event(at=NOW, kind="x", mission="m"))
    change.commit()

    patterns = documented()
    written = {
        f"{name.removeprefix(store.keys.prefix)}={store.client.type(name)}"
        for name in store.client.scan_iter(match=f"{store.keys.prefix}*")
    }
    unknown = sorted(name for name in written if not any(p.fullmatch(name) for p in patterns))
    assert not unknown, "not in the docstring of tinytown.state.keys"
    # What this test does not write is what others do: a town's foundation, and a mission that is set aside.
    unused = {p.pattern for p in patterns if not any(p.fullmatch(name) for name in written)}
    older = {"mission:[^:]+:due=set"}
    # The tests of the backlog write these.
    older |= {"backlog=hash", "backlog:lines=zset", "backlog:number=string", "backlog:taken=hash"}
    # And those of what is sent again after its answer was lost.
    older |= {"once:[^:]+=string"}
    # And those of what is cleared away.
    older |= {"archived=zset", "archived:done=hash"}
    # And those of hosts.
    older |= {"hosts=hash", "hosts:alive=zset", "settings=string"}
    older |= {"tail:[^:]+=hash"}
    assert unused == {"epoch=string", "schema=string", "damaged=zset", "limits=hash", "notices:failed=string"} | older


def test_every_key_begins_with_the_prefix_of_its_town() -> None:
    known = schema.Keys("tt:x:")
    for name in (n for n in dir(schema.Keys) if not n.startswith("_") and n != "prefix"):
        value = getattr(known, name)
        made = value(*("y" for _ in inspect.signature(value).parameters)) if callable(value) else value
        assert str(made).startswith("tt:x:")
    assert dataclasses.is_dataclass(known)


# -- what one commit writes ----------------------------------------------------------------------


def test_what_one_commit_tells_is_one_entry_in_its_order(store: Store, mission: Mission) -> None:
    before = store.client.xlen(store.keys.mission_events("m"))
    change = store.change()
    for number in range(1200):
        change.event(Event(at=NOW, kind=f"k{number}", mission="m"))
    change.commit()
    told = [(i, e.kind) for i, e in store.events("m", count=5000) if e.kind.startswith("k")]
    assert [kind for _, kind in told] == [f"k{number}" for number in range(1200)]
    assert store.client.xlen(store.keys.mission_events("m")) == before + 2
    assert [e.kind for _, e in store.events(count=5000)][-1] == "k1199", "the town's history has it too"
    last = told[-1][0]
    assert store.events("m", after=last) == []
    first = told[0][0]
    assert [e.kind for _, e in store.events("m", after=first)] == [f"k{number}" for number in range(1000, 1200)]


def test_writes_of_one_key_keep_their_order(store: Store) -> None:
    """Fields that are set one after the other go together, but not past a removal between them."""
    key_of = f"{store.keys.prefix}agents"
    draft = store.change().draft
    draft.write("HSET", key_of, "a", "1")
    draft.write("HSET", key_of, "b", "1")
    draft.write("HDEL", key_of, "a")
    draft.write("HSET", key_of, "b", "2")
    draft.write("HSET", key_of, "a", "3")
    draft.write("HSET", key_of, "c", "3")
    draft.commit(store.scripts)
    assert store.client.hgetall(key_of) == {"a": "3", "b": "2", "c": "3"}


# -- steps in the history ------------------------------------------------------------------------


def told(store: Store) -> list[Event]:
    return [event for _, event in store.events()]


def test_what_moves_is_told_by_the_last_event_about_it(store: Store, mission: Mission) -> None:
    """From where to where, and by whom; the others about it say nothing of that."""
    before = len(told(store))
    store.by = "operator"
    item = store.item("m", key(1))
    change = store.change()
    change.put_item(mission, item, item.record.evolve(state=ItemState.CANCELLED))
    for kind in ("first", "second"):
        change.event(Event(at=NOW, kind=kind, mission="m", item=key(1), data={"n": 1}))
    change.event(Event(at=NOW, kind="other", mission="m", item=key(2)))
    change.commit()
    first, second, other = told(store)[before:]
    assert first.data == {"n": 1}
    assert second.data == {"n": 1, "from": item.record.state, "to": "cancelled", "by": "operator"}
    assert other.data == {}


def test_what_moves_without_a_word_is_told_all_the_same(store: Store, mission: Mission) -> None:
    before = len(told(store))
    item = store.item("m", key(1))
    change = store.change()
    change.put_item(mission, item, item.record.evolve(state=ItemState.CANCELLED))
    change.commit()
    (moved,) = told(store)[before:]
    assert (moved.kind, moved.item, moved.data) == (
        "item_moved", key(1), {"from": item.record.state, "to": "cancelled"},
    )  # fmt: skip


def test_what_stays_where_it_is_is_no_step(store: Store, mission: Mission) -> None:
    before = len(told(store))
    item = store.item("m", key(1))
    change = store.change()
    change.put_item(mission, item, item.record.evolve(news="its issue was edited"))
    change.commit()
    assert told(store)[before:] == []


def test_mail_is_marked_as_read_once(store: Store) -> None:
    """Of two who do so at once, one must look again."""
    mail = Mail(store)
    for position, before in (("5-0", "-"), ("9-0", "5-0")):
        change = store.change()
        change.mark_seen("bob", position, before=before)
        change.commit()
    assert mail.seen("bob") == "9-0"
    change = store.change()
    change.mark_seen("bob", "7-0", before="5-0")
    with pytest.raises(ConflictError):
        change.commit()


def test_a_pending_message_is_counted_and_is_got_once(store: Store) -> None:
    """Of two who count it as got, one must look again; how many there are is told without reading them."""
    mail = Mail(store)
    change = store.change()
    for kind, urgent in (("info", False), ("message", False), ("message", True)):
        change.message(
            Message(id=mail.next_id(), at=NOW, sender="ada", to="bob", kind=kind, text="hi", urgent=urgent),
            pending=True,
        )
    change.commit()
    pending = mail.pending("bob")
    assert [(m.id, m.kind) for m in pending] == [("m3", "message"), ("m1", "info"), ("m2", "message")]
    assert mail.counts(["bob", "eve"]) == {"bob": {"info": 1, "message": 2}, "eve": {}}
    assert [m.id for m in mail.read("bob")] == ["m1", "m2", "m3"]
    (found,) = mail.still_pending("bob", ["message m3", "message m9"])
    for _ in range(2):
        change = store.change()
        change.got("bob", found)
        if mail.still_pending("bob", ["message m3"]):
            change.commit()
        else:
            with pytest.raises(ConflictError):
                change.commit()
    assert mail.counts(["bob"]) == {"bob": {"info": 1, "message": 1}}
