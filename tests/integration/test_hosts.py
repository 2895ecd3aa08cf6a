"""Hosts on record: leases by the server's clock, words, answers, settings, and what attempts said last."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest

from tests.waiting import wait_until
from tinytown.errors import ConflictError
from tinytown.host.server import Server
from tinytown.missions.records.agent import Agent
from tinytown.missions.records.host import Host, Published
from tinytown.missions.states import AgentState
from tinytown.state import tails
from tinytown.state.agents import CrewStore
from tinytown.state.hosts import Hosts, towns_in
from tinytown.state.store import Store


@pytest.fixture
def hosts(server: Server) -> Iterator[Hosts]:
    made = Hosts(Store(server.url, f"tt:{uuid.uuid4().hex}:"))
    yield made
    for key in made.store.client.scan_iter(match=f"{made.store.keys.prefix}*"):
        made.store.client.delete(key)


def a_host(name: str = "barn", folder: str = "one") -> Host:
    return Host(name=name, folder=folder)


def test_a_host_is_there_as_long_as_its_lease(hosts: Hosts) -> None:
    hosts.put(None, a_host(), seconds=0.2)
    assert hosts.all()["barn"].live
    wait_until(lambda: not hosts.all()["barn"].live, description="its lease has run out")
    known = hosts.get("barn")
    assert known is not None
    hosts.renew(known, 60)
    assert hosts.all()["barn"].live


def test_of_two_that_take_a_name_one_has_it(hosts: Hosts) -> None:
    hosts.put(None, a_host(folder="one"), seconds=60)
    with pytest.raises(ConflictError):
        hosts.put(None, a_host(folder="two"), seconds=60)
    known = hosts.get("barn")
    assert known is not None
    assert known.record.folder == "one"


def test_a_host_whose_record_changed_learns_of_it_when_it_renews(hosts: Hosts) -> None:
    hosts.put(None, a_host(), seconds=60)
    known = hosts.get("barn")
    assert known is not None
    hosts.put(known, known.record.evolve(draining=True))
    with pytest.raises(ConflictError):
        hosts.renew(known, 60)
    with pytest.raises(ConflictError):
        hosts.remove(known)


def test_what_a_newer_release_wrote_of_a_host_is_left_alone(hosts: Hosts) -> None:
    hosts.put(None, a_host().evolve(moons=3), seconds=60)
    known = hosts.get("barn")
    assert known is not None
    hosts.put(known, known.record.evolve(draining=True))
    again = hosts.get("barn")
    assert again is not None
    assert again.record.model_extra == {"moons": 3}


def test_a_word_wakes_a_host_and_an_answer_comes_back(hosts: Hosts) -> None:
    """One that does not answer is left out, once the time is over."""

    def answer() -> None:
        word = hosts.hear("barn", 5) or ""
        hosts.answer("barn", word.partition(" ")[2], [word.partition(" ")[0]])

    listener = threading.Thread(target=answer)
    listener.start()
    assert hosts.ask(["barn", "away"], "doctor", seconds=1.0) == {"barn": ["doctor"]}
    listener.join()
    assert hosts.hear("barn", 0.1) is None


def test_words_for_a_host_that_is_away_do_not_pile_up(hosts: Hosts) -> None:
    for _ in range(200):
        hosts.tell(["barn"])
    assert hosts.store.client.llen(hosts.store.keys.host_words("barn")) <= 50


def test_a_host_sees_which_agents_it_is_to_start(hosts: Hosts) -> None:
    crew = CrewStore(hosts.store)
    for name, host, state in (
        ("ann", "barn", AgentState.STARTING),
        ("bob", "barn", AgentState.IDLE),
        ("cem", "barn", AgentState.STOPPED),
        ("dan", "shed", AgentState.STARTING),
    ):
        crew.put(None, Agent(name=name, role="worker", cli="x", host=host, state=state, spawned_at=1.0))
    wanted, there = hosts.seated_at("barn")
    assert set(wanted) == {"ann"}
    assert there == {"ann", "bob"}


def test_new_settings_wake_every_host_and_the_same_ones_nobody(hosts: Hosts) -> None:
    hosts.put(None, a_host(), seconds=60)
    told = Published(name="apples", release="1.4.0", settings={"values": {}, "variables": {}})
    assert hosts.publish(told)
    assert hosts.hear("barn", 5) is not None
    assert not hosts.publish(told)
    assert hosts.hear("barn", 0.1) is None
    assert hosts.published() == told


def test_the_towns_of_a_database_are_found_by_their_epochs(hosts: Hosts, server: Server) -> None:
    hosts.store.client.set(hosts.store.keys.epoch, "e")
    town = hosts.store.keys.prefix.split(":")[1]
    assert towns_in(server.url)[town] == "e"


def test_what_an_attempt_said_is_kept_with_its_host_and_ends_by_itself(hosts: Hosts) -> None:
    store = hosts.store
    assert tails.read(store, "m/k/1") is None
    tails.keep(store, "m/k/1", "barn", {"agent.log": "one", "brief.md": "do it"})
    tails.keep(store, "m/k/1", "barn", {"agent.log": "one two"})
    kept = tails.read(store, "m/k/1")
    assert kept is not None
    assert (kept.host, dict(kept.texts)) == ("barn", {"agent.log": "one two", "brief.md": "do it"})
    assert 0 < store.client.ttl(store.keys.tail("m/k/1")) <= tails.KEPT_SECS
