"""A host is there as long as its supervisor lives, whatever is wrong with its settings."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from tests.waiting import wait_until
from tinytown.host import machine, telling
from tinytown.host.presence import Presence
from tinytown.host.server import Server
from tinytown.missions.records.host import Published
from tinytown.state.hosts import Host, Hosts
from tinytown.state.store import Store
from tinytown.town import Identity, Town, open_town

TOLD = {"values": {"timing": {"heartbeat_secs": 0.5}}, "variables": {}}


@dataclass
class Barn:
    """A host's folder, and what speaks for it."""

    town: Town
    hosts: Hosts
    ended: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> Presence:
        made = Presence(self.town, self.ended.set)
        made.begin()
        return made

    def until(self) -> float:
        return self.hosts.all()["barn"].until

    def wait_renewed(self) -> None:
        before = self.until()
        wait_until(lambda: self.until() > before, description="its lease is renewed")


@pytest.fixture
def barn(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Barn]:
    monkeypatch.setenv("REDIS_URL", server.url)
    root, town_id = tmp_path / "barn", uuid.uuid4().hex
    (root / ".tt" / "run").mkdir(parents=True)
    identity = Identity(town_id, "e", 1.0, initialised=True, root=str(root), host="barn", folder="mine")
    (root / ".tt" / "town.json").write_text(json.dumps(asdict(identity)))
    (root / ".tt" / "settings.json").write_text(json.dumps(TOLD))
    (root / "tinytown.toml").write_text("[host]\nmax_agents = 2\n")
    hosts = Hosts(Store(server.url, f"tt:{town_id}:"))
    hosts.put(None, Host(name="barn", folder="mine"), seconds=5)
    yield Barn(open_town(root), hosts)
    for key in hosts.store.client.scan_iter(match=f"{hosts.store.keys.prefix}*"):
        hosts.store.client.delete(key)


def test_a_host_whose_own_file_has_a_mistake_is_there_all_the_same(
    barn: Barn, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the settings that it has, also when it is described anew; and it takes the file over once that is mended."""
    caplog.set_level(logging.INFO, "tinytown.supervisor")
    presence = barn.begin()
    try:
        wait_until(lambda: barn.hosts.all()["barn"].record.max_agents == 2, description="it said what it is")
        monkeypatch.setattr("tinytown.host.presence._DESCRIBE_SECS", 0.0)
        file = barn.town.root / "tinytown.toml"
        file.write_text("[host\n")
        wait_until(lambda: "goes on with the settings that it has" in caplog.text, description="it says so")
        barn.wait_renewed()
        barn.wait_renewed()
        assert caplog.text.count("goes on with the settings that it has") == 1
        assert barn.hosts.all()["barn"].record.max_agents == 2
        file.write_text("[host]\nmax_agents = 3\n")
        wait_until(lambda: barn.hosts.all()["barn"].record.max_agents == 3, description="it has the new settings")
        assert not barn.ended.is_set()
    finally:
        presence.leave()
    assert not barn.hosts.all()["barn"].live


def test_a_host_that_cannot_write_what_it_is_told_is_there_all_the_same(
    barn: Barn, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(telling, "take_over", full)
    telling.hosts_of(barn.town).publish(Published(name="apples", release=machine.release(), settings=TOLD))
    presence = barn.begin()
    try:
        wait_until(lambda: "No space left on device" in caplog.text, description="it says so")
        barn.wait_renewed()
    finally:
        presence.leave()


def test_a_host_ends_when_its_home_is_two_releases_ahead(barn: Barn, caplog: pytest.LogCaptureFixture) -> None:
    """By itself, and says why; nobody starts it again."""
    presence = barn.begin()
    try:
        barn.wait_renewed()
        telling.hosts_of(barn.town).publish(Published(name="apples", release="7.0.0", settings=TOLD))
        assert barn.ended.wait(20)
    finally:
        presence.leave()
    assert "only neighbours work together: this host ends" in caplog.text
