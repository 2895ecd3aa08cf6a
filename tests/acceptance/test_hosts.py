"""Hosts of a town: work on them, spawning from anywhere, one agent one host, limits."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tests.acceptance.two_hosts import PASSWORD, Home, Other, agents, at_once, hosts, two_hours_off, wait_agent
from tests.survival.door import Door, Mode
from tests.waiting import wait_until
from tinytown.host import process_specs, seats


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
