"""Hosts of a town: joining, spawning from anywhere, one agent one host, settings, limits, leaving."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.acceptance.project import TIMING, Project
from tests.acceptance.two_hosts import PASSWORD, Home, Other, a_server, two_hours_off
from tests.survival.door import Door, Mode
from tests.waiting import wait_until
from tinytown.engine.operate.present import AgentView, agent_views
from tinytown.host import process_specs, seats
from tinytown.host.lifecycle import stop
from tinytown.state.keys import Keys


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with a_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, url: str) -> Iterator[Home]:
    made = Home(tmp_path_factory.mktemp("home") / "project", url)
    issues = {
        1: "# Backend: one\n\ndo: write one.txt 1\n",
        2: "# Tester: two\n\ndo: write two.txt 2\ndo: sleep 5\n",
        3: "# Docs: three\n\ndo: write three.txt 3\ndo: wait go\n",
        4: "# Docs: four\n\ndo: write four.txt 4\ndo: wait ashore\n",
    }
    made.found(issues, timing={**TIMING, "heartbeat_secs": 1, "lease_secs": 4})
    yield made
    stop(made.town)


@pytest.fixture(scope="module")
def barn(tmp_path_factory: pytest.TempPathFactory, home: Home, url: str) -> Iterator[Other]:
    made = Other(tmp_path_factory.mktemp("barn") / "barn", url)
    try:
        made.tt("join", "--name", "barn", "--max-agents", "3")
        yield made
    finally:
        made.end()


@pytest.fixture
def other(tmp_path: Path, home: Home, url: str) -> Iterator[Other]:
    made = Other(tmp_path / "other", url)
    yield made
    made.end()
    for name, host in hosts(home).items():
        if host["root"] == str(made.root):  # Where the test failed.
            home.tt("leave", name, "--gone", code=None)


def hosts(project: Project) -> dict[str, dict[str, Any]]:
    return {host["name"]: host for host in project.json("hosts")}


def agents(project: Project) -> dict[str, AgentView]:
    return {agent.name: agent for agent in agent_views(project.context())}


def wait_agent(project: Project, name: str, state: str, *, host: str | None = None) -> None:
    def is_so() -> bool:
        agent = agents(project).get(name)
        return agent is not None and agent.state == state and host in (None, agent.host)

    wait_until(is_so, timeout=60, description=f"{name} is {state}")


def test_a_host_says_what_it_is_and_has(home: Home, barn: Other) -> None:
    """The same from both sides, but for which of them is `here`."""
    for project, here in ((home, home.town.machine), (barn, "barn")):
        found = hosts(project)
        assert list(found) == [home.town.machine, "barn"]
        assert [name for name, host in found.items() if host["here"]] == [here]
        assert found["barn"]["max_agents"] == 3
        assert found["barn"]["root"] == str(barn.root)
        assert "fake" in [cli["name"] for cli in found["barn"]["clis"]]
    assert "(home)" in barn.tt("hosts").stdout
    [listed] = barn.json("towns")
    assert (listed["host"], listed["state"], listed["root"]) == ("barn", "running", str(barn.root))
    assert "project (host barn)" in barn.tt("towns").stdout
    # The password is nowhere on the disk.
    for path in barn.root.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


def test_work_is_done_on_the_host_where_its_agent_is(home: Home, barn: Other) -> None:
    """And comes back by the hub: the host knows no repository, and home ran no agent."""
    home.tt("spawn", "backend", "--cli", "fake", "--host", "barn")
    mission = home.start(1, options=("--no-reviewer",))
    home.wait_state(mission, "completed")
    assert home.git("show", "main:one.txt") == "1"
    [run] = barn.runs("start", item=1)
    assert run["agent"] == "backend"
    assert home.runs(item=1) == []
    # What it was told and said is read at home, though all of it is on the host.
    assert "one.txt" in home.tt("work", "show", "1", "--brief").stdout
    assert "on barn" in home.tt("work", "show", "1", "--log").stdout
    assert "on barn" in home.tt("logs", "1").stdout
    assert not (home.town.attempts / mission[:8]).exists()
    # What is of that host alone is cleared up there; nothing of it is old.
    assert "Nothing is old enough to go" in barn.tt("gc", "--dry-run").stdout
    home.tt("kill", "backend")
    home.tt("prune")


def test_the_doctor_asks_every_host(home: Home, barn: Other) -> None:
    """And says which host each finding is of; a host that is asked answers for itself alone."""
    found = json.loads(home.tt("doctor", "--json", code=None).stdout)
    of_barn = {finding["name"] for finding in found if finding["host"] == "barn"}
    assert {"host", "python", "process supervisor", "hub", "cli fake", "disk"} <= of_barn
    assert not of_barn & {"records", "clock", "messages", "forge"}
    assert "barn: hub:" in home.tt("doctor", code=None).stdout
    alone = json.loads(barn.tt("doctor", "--here", "--json", code=None).stdout)
    assert {finding["host"] for finding in alone} == {""}


def test_a_host_whose_clock_is_two_hours_off_works_as_any_other(home: Home, tmp_path: Path, url: str) -> None:
    """Leases, presence, history and limits go by the server's clock."""
    early = Other(tmp_path / "early", url, variables=two_hours_off(tmp_path / "clock"))
    try:
        early.tt("join", "--name", "early")
        assert 7000 < hosts(home)["early"]["clock_ahead"] < 7400
        early.tt("spawn", "tester", "--cli", "fake")
        wait_agent(home, "tester", "idle", host="early")
        mission = home.start(2, options=("--no-reviewer",))
        home.wait_state(mission, "completed")
        [run] = early.runs("start")
        assert run["attempt"] == 1
        now = home.context().store.now()
        context = home.context()
        times = [event.at for _, event in context.store.events(mission, count=1000)]
        assert max(times) <= now, "nothing is from the future"
        [ended] = context.store.finished_attempts(mission, home.item(mission, 2).key)[:1]
        assert ended.claimed_at is not None
        assert 0 <= ended.ended_at - ended.claimed_at < 600
        early.tt("leave")
    finally:
        early.end()
    home.tt("prune")


def test_what_a_killed_host_had_goes_on_elsewhere_and_it_comes_back(home: Home, other: Other) -> None:
    """With the next number, once; and what it finds when it returns is that its claims are over."""
    other.tt("join", "--name", "lair")
    home.tt("spawn", "lou", "--role", "docs", "--cli", "fake", "--host", "lair")
    wait_agent(home, "lou", "idle", host="lair")
    mission = home.start(3, options=("--no-reviewer",))
    wait_until(lambda: other.runs("start"), timeout=60, description="lou is at it")
    states = process_specs.read_states(other.town)
    found = process_specs.supervisor(other.town)
    assert found is not None
    for pid in (found.pid, *(state.pid for state in states.values() if state.pid)):
        os.kill(pid, signal.SIGKILL)
    home.tt("spawn", "kim", "--role", "docs", "--cli", "fake")
    home.allow("go")
    home.wait_state(mission, "completed")
    [run] = home.runs("start", item=3)
    assert (run["agent"], run["attempt"]) == ("kim", 2)
    assert home.git("show", "main:three.txt") == "3"

    other.tt("start")
    wait_agent(home, "lou", "idle", host="lair")
    assert len(other.runs("start")) == 1, "nothing was done again"
    assert home.item(mission, 3).state == "done"
    home.tt("kill", "kim")
    home.tt("leave", "lair", "--now")
    home.tt("prune")


def test_what_a_host_says_that_was_cut_off_beyond_its_lease_counts_no_more(
    home: Home, tmp_path: Path, url: str
) -> None:
    """Its item goes on elsewhere, once; it hears so when it is back, and goes on working."""
    with Door(port=int(urlsplit(url).port or 0)) as door:
        isle = Other(tmp_path / "isle", door.url.replace("//", f"//:{PASSWORD}@"))
        try:
            isle.tt("join", "--name", "isle")
            home.tt("spawn", "lea", "--role", "docs", "--cli", "fake", "--host", "isle")
            wait_agent(home, "lea", "idle", host="isle")
            mission = home.start(4, options=("--no-reviewer",))
            wait_until(lambda: isle.runs("start"), timeout=60, description="lea is at it")
            door.be(Mode.SWALLOW)
            isle.allow("ashore")
            wait_until(lambda: isle.runs("end"), timeout=60, description="lea has finished, and nobody hears it")
            home.tt("spawn", "noa", "--role", "docs", "--cli", "fake")
            home.wait_runs(mission, 1, item=4)
            door.be(Mode.PASS)
            log = isle.root / ".tt" / "logs" / "agent-lea.log"
            wait_until(lambda: "/1 was refused; nothing of it counts" in log.read_text(), description="it is told so")
            home.allow("ashore")
            home.wait_state(mission, "completed")
            [run] = home.runs("start", item=4)
            assert (run["agent"], run["attempt"]) == ("noa", 2)
            assert home.git("show", "main:four.txt") == "4"
            assert len([line for line in home.merges() if "#4" in line]) == 1
            done = [e for e in home.events(mission, "attempt_ended") if e.data["purpose"] == "work"]
            assert [(e.data["number"], e.data["outcome"]) for e in done if e.data["outcome"] == "succeeded"] == [
                (2, "succeeded")
            ]
            wait_until(lambda: hosts(home)["isle"]["state"] == "live", description="the host is there again")
            wait_agent(home, "lea", "idle", host="isle")
            assert len(isle.runs("start")) == 1, "nothing was done again"
            home.tt("kill", "noa")
            home.tt("leave", "isle", "--now")
        finally:
            isle.end()
    home.tt("prune")


def test_joining_again_changes_nothing(home: Home, barn: Other) -> None:
    before = (barn.root / ".tt" / "town.json").read_bytes()
    assert "already: nothing was changed" in barn.tt("join").stdout
    assert (barn.root / ".tt" / "town.json").read_bytes() == before
    assert barn.json("join")["joined"] is False


def test_a_host_has_agents_alone(home: Home, barn: Other) -> None:
    """No clock, no control, no checks; and its commands find the server while it runs, also without a variable."""
    known = {process["name"] for process in barn.json("status")["processes"]}
    assert not known & {"server", "control", "checks", "beat", "forge"}
    barn.env = {name: text for name, text in barn.env.items() if name != "REDIS_URL"}
    try:
        assert "barn" in hosts(barn)
    finally:
        barn.env = {**barn.env, "REDIS_URL": home.url}


def test_agents_are_spawned_steered_and_ended_from_any_host(home: Home, barn: Other) -> None:
    assert home.tt("spawn", "ann", "--cli", "fake", "--host", "barn").stdout == "🤖 ann: worker with fake on barn\n"
    wait_agent(home, "ann", "idle", host="barn")
    assert barn.tt("spawn", "bob", "--cli", "fake", "--host", home.town.machine).stdout.count(home.town.machine) == 1
    wait_agent(barn, "bob", "idle", host=home.town.machine)
    assert "HOST" in home.tt("list").stdout

    assert home.json("interrupt", "ann")["state"] == "paused"
    home.tt("resume", "ann")
    home.tt("close", "ann")
    wait_agent(home, "ann", "cold")
    home.tt("restart", "ann")
    wait_agent(home, "ann", "idle", host="barn")
    home.tt("kill", "ann")
    barn.tt("kill", "bob")
    for project, name in ((barn, "ann"), (home, "bob")):
        wait_agent(project, name, "stopped")
    wait_until(
        lambda: "role-worker" not in process_specs.read_states(barn.town),
        description="the process of its role has ended on barn",
    )
    home.tt("prune")


def test_one_agent_is_on_one_host(home: Home, barn: Other) -> None:
    """Two hosts start the same name: one has it, the other says who."""
    home.tt("spawn", "eve", "--cli", "fake", "--host", "barn")
    wait_agent(home, "eve", "idle", host="barn")
    assert "on barn (already there)" in home.tt("spawn", "eve", "--cli", "fake").stdout
    refused = home.tt("spawn", "eve", "--cli", "fake", "--host", home.town.machine, code=4)
    assert "`eve` is on barn already" in refused.stderr
    # As an interrupted command, or an older release, would leave it: a seat at both.
    seats.take(home.town, "eve", "worker")
    wait_until(lambda: "eve" not in seats.processes(home.town), description="home gives its seat up")
    assert agents(home)["eve"].host == "barn"
    log = (home.town.logs / "role-worker.log").read_text()
    assert "eve is served on barn: not here" in log
    home.tt("kill", "eve")
    wait_agent(barn, "eve", "stopped")
    home.tt("prune")


def at_once(*calls: Callable[[], subprocess.CompletedProcess[str]]) -> list[subprocess.CompletedProcess[str]]:
    """What each said that were begun at one moment."""
    together = threading.Barrier(len(calls))

    def call(one: Callable[[], subprocess.CompletedProcess[str]]) -> subprocess.CompletedProcess[str]:
        together.wait()
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def test_of_two_hosts_that_spawn_one_agent_at_one_moment_one_has_it(home: Home, barn: Other) -> None:
    """Each here or on the other; the other command says who has it, and one host alone serves it."""
    pairs = [(home.town.machine, "barn"), ("barn", home.town.machine), (home.town.machine, "barn")]
    for number, places in enumerate(pairs):
        name = f"two-{number}"
        words = [("spawn", name, "--cli", "fake", "--host", place) for place in places]
        said = at_once(*(partial(one.tt, *w, code=None) for one, w in zip((home, barn), words, strict=True)))
        assert sorted(done.returncode for done in said) == [0, 4], said
        [won], [lost] = ([done for done in said if done.returncode == code] for code in (0, 4))
        where = places[said.index(won)]
        assert f"`{name}` is on {where} already" in lost.stderr
        wait_agent(home, name, "idle", host=where)
    for number, places in enumerate(pairs):
        served = [one for one in (home, barn) if f"two-{number}" in seats.processes(one.town)]
        assert [one.town.machine for one in served] == [agents(home)[f"two-{number}"].host], places
        home.tt("kill", f"two-{number}")
        wait_agent(home, f"two-{number}", "stopped")
    home.tt("prune")


def test_an_agent_that_a_host_is_yet_to_start_is_that_hosts(home: Home, barn: Other) -> None:
    """Also for a command there, which comes before the host has looked."""
    found = process_specs.supervisor(barn.town)
    assert found is not None
    os.kill(found.pid, signal.SIGSTOP)
    try:
        home.tt("spawn", "yet", "--cli", "fake", "--host", "barn")
        assert "yet" not in seats.processes(barn.town)
        refused = barn.tt("spawn", "yet", "--cli", "fake", "--host", home.town.machine, code=4)
        assert "`yet` is on barn already" in refused.stderr
        home.tt("spawn", "not-yet", "--cli", "fake", "--host", "barn")
        home.tt("close", "not-yet")
        assert agents(home)["not-yet"].state == "cold", "nobody would say that it has finished"
    finally:
        os.kill(found.pid, signal.SIGCONT)
    wait_agent(home, "yet", "idle", host="barn")
    assert agents(home)["not-yet"].state == "cold"
    home.tt("kill", "yet")
    wait_agent(home, "yet", "stopped")
    home.tt("prune")


def test_of_two_hosts_that_join_under_one_name_at_one_moment_one_has_it(home: Home, tmp_path: Path, url: str) -> None:
    """The other says who, and leaves nothing behind."""
    both = [Other(tmp_path / name / "twin", url) for name in ("one", "two")]
    try:
        said = at_once(*(partial(one.tt, "join", "--name", "twin", code=None) for one in both))
        assert sorted(done.returncode for done in said) == [0, 4], said
        won, lost = sorted(both, key=lambda one: said[both.index(one)].returncode)
        assert f"another host, {won.root} on " in said[both.index(lost)].stderr
        assert list(lost.root.iterdir()) == []
        found = hosts(home)["twin"]
        assert (found["root"], found["state"]) == (str(won.root), "live")
        assert process_specs.supervisor(won.town) is not None
        home.tt("leave", "twin")
    finally:
        for one in both:
            one.end()


def test_a_host_takes_no_more_agents_than_it_may(home: Home, barn: Other) -> None:
    for number in range(3):
        home.tt("spawn", f"many-{number}", "--cli", "fake", "--host", "barn")
    refused = home.tt("spawn", "more", "--cli", "fake", "--host", "barn", code=4)
    assert "the host barn already has 3 agents" in refused.stderr
    assert "the host barn already has 3 agents" in barn.tt("spawn", "more", "--cli", "fake", code=4).stderr
    for number in range(3):
        home.tt("kill", f"many-{number}")
    wait_until(
        lambda: {a.state for n, a in agents(home).items() if n.startswith("many")} == {"stopped"},
        description="they are stopped",
    )
    home.tt("prune")


def test_an_unknown_or_unfit_host_is_refused(home: Home, barn: Other) -> None:
    assert "the town has no host `sty`" in home.tt("spawn", "x", "--cli", "fake", "--host", "sty", code=3).stderr
    assert "does not have `claude`" in home.tt("spawn", "x", "--cli", "claude", "--host", "barn", code=4).stderr
    both = home.tt("spawn", "x", "--cli", "claude", code=4).stderr
    assert "is not installed here" in both
    assert "barn does not have `claude`" in both


def test_a_host_notices_what_changes_at_home(home: Home, barn: Other) -> None:
    home.tt("config", "policy.max_attempts", "5")
    wait_until(
        lambda: barn.json("config", "policy.max_attempts")["value"] == 5, timeout=20, description="barn knows of it"
    )
    refused = barn.tt("config", "policy.max_attempts", "2", code=2).stderr
    assert "is decided by the town's home" in refused


def test_what_keeps_a_folder_from_joining(home: Home, barn: Other, other: Other, url: str) -> None:
    """Each is one sentence with what to do, and leaves nothing behind."""
    (other.root / "file").touch()
    assert "is not empty" in other.tt("join", code=4).stderr
    (other.root / "file").unlink()
    wrong = other.tt("join", url.replace(PASSWORD, "plums"), code=5).stderr
    assert "cannot be used from here" in wrong
    assert "plums" not in wrong
    assert PASSWORD not in wrong
    assert "no town whose id begins with `ffff`" in other.tt("join", "--id", "ffff", code=3).stderr
    assert "another host" in other.tt("join", "--name", "barn", code=4).stderr
    assert "cannot be a host's name" in other.tt("join", "--name", "Big Barn", code=2).stderr
    assert "must begin with `redis://`" in other.tt("join", "http://example.org", code=2).stderr
    (other.root / "tinytown.toml").write_text("[policy]\nmax_attempts = 1\n")
    assert "is decided by the town's home" in other.tt("join", code=4).stderr
    (other.root / "tinytown.toml").unlink()
    assert list(other.root.iterdir()) == []
    assert "is the home of a town" in home.tt("join", url, code=4).stderr
    (home.root / "inner").mkdir(exist_ok=True)
    inner = Other(home.root / "inner", url)
    assert "is inside the town" in inner.tt("join", code=4).stderr
    inner.end()
    (home.root / "inner").rmdir()
    assert set(hosts(home)) == {home.town.machine, "barn"}


def test_a_host_of_another_release_is_refused(home: Home, other: Other) -> None:
    """As the home of another town on this server tells it: what this one tells is obeyed by the hosts that it has."""
    context = home.context()
    there = Keys(f"tt:{uuid.uuid4().hex}:")
    told = json.loads(str(context.store.client.get(context.store.keys.settings)))
    context.store.client.mset({there.epoch: "e", there.settings: json.dumps({**told, "release": "7.0.0"})})
    try:
        refused = other.tt("join", "--id", there.prefix.split(":")[1], code=4).stderr
    finally:
        context.store.client.delete(there.epoch, there.settings)
    assert "only neighbours work together" in refused
    assert list(other.root.iterdir()) == []


def test_a_host_leaves_and_comes_back(home: Home, other: Other) -> None:
    """Its agents end with it; nothing of it is left on record, and its folder can join again."""
    other.tt("join", "--name", "shed")
    home.tt("spawn", "sid", "--cli", "fake", "--host", "shed")
    wait_agent(home, "sid", "idle", host="shed")
    assert "home of the town" in home.tt("leave", home.town.machine, code=4).stderr
    assert "is there" in home.tt("leave", "shed", "--gone", code=4).stderr
    left = home.tt("leave", "shed")
    assert left.stdout == "shed has left the town; 1 agent ended\n"
    assert "shed" not in hosts(home)
    assert agents(home)["sid"].why == "its host shed left the town"
    assert "is no host of project any more" in other.tt("start", code=4).stderr
    assert other.json("join")["joined"] is True
    assert hosts(home)["shed"]["state"] == "live"
    other.tt("leave", "--now")
    assert "shed" not in hosts(home)
    home.tt("prune")


def test_a_host_that_is_gone_is_forgotten(home: Home, other: Other) -> None:
    other.tt("join", "--name", "hut")
    home.tt("spawn", "hal", "--cli", "fake", "--host", "hut")
    wait_agent(home, "hal", "idle", host="hut")
    other.tt("stop")
    assert hosts(home)["hut"]["state"] == "away"
    assert "is away" in home.tt("spawn", "x", "--cli", "fake", "--host", "hut", code=5).stderr
    assert "is away" in home.tt("leave", "hut", code=5).stderr
    home.tt("leave", "hut", "--gone")
    assert "hut" not in hosts(home)
    assert agents(home)["hal"].state == "stopped"
    home.tt("prune")
