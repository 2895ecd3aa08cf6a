"""Joining a town, what keeps a folder from it, settings that change, and leaving."""

from __future__ import annotations

import json
import uuid
from functools import partial
from pathlib import Path

from tests.acceptance.two_hosts import PASSWORD, Home, Other, agents, at_once, hosts, wait_agent
from tests.waiting import wait_until
from tinytown.host import process_specs
from tinytown.state.keys import Keys


def test_joining_again_changes_nothing(home: Home, barn: Other) -> None:
    before = (barn.root / ".tt" / "town.json").read_bytes()
    assert "already: nothing was changed" in barn.tt("join").stdout
    assert (barn.root / ".tt" / "town.json").read_bytes() == before
    assert barn.json("join")["joined"] is False


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


def test_a_host_notices_what_changes_at_home(home: Home, barn: Other) -> None:
    home.tt("config", "policy.max_attempts", "5")
    wait_until(
        lambda: barn.json("config", "policy.max_attempts")["value"] == 5, timeout=20, description="barn knows of it"
    )
    refused = barn.tt("config", "policy.max_attempts", "2", code=2).stderr
    assert "is decided by the town's home" in refused
