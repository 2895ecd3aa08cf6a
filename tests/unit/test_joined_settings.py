"""The settings of a host that joined: what travels, what the host says itself, and what it may not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tinytown import settings
from tinytown.errors import ConfigurationError
from tinytown.settings import Settings, joined

ENV = {"HOME": ""}


def host(root: Path, told: dict[str, Any], own: str = "") -> Path:
    (root / ".tt").mkdir(exist_ok=True)
    (root / joined.FILE).write_text(json.dumps(told), encoding="utf-8")
    (root / "tinytown.toml").write_text(own, encoding="utf-8")
    return root


def town(**values: Any) -> dict[str, Any]:
    return joined.published(Settings.model_validate(values), root=Path("/home"))


def test_what_the_home_decides_counts_on_its_hosts(tmp_path: Path) -> None:
    told = town(name="apples", policy={"max_attempts": 7}, roles={"cook": {"cli": "stove"}})
    found = settings.load(host(tmp_path, told), environ=ENV)
    assert (found.name, found.policy.max_attempts, found.roles["cook"].cli) == ("apples", 7, "stove")


def test_no_secret_travels() -> None:
    """Neither the server's address, nor a token's place, nor what any variable holds."""
    told = town(
        redis={"url": "redis://:geheim@example.org:6379/0", "insecure": True},
        forge={"github": {"token_file": "/geheim"}},
        workspace={"env": {"API_KEY": "geheim"}},
        agent_clis={"stove": {"command": "stove", "env": {"STOVE_KEY": "geheim"}}},
        notify={"command": ["geheim"], "env": {"X": "geheim"}},
    )
    assert "geheim" not in json.dumps(told)
    assert told["values"]["redis"] == {"insecure": True}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("../hub.git", "/home/../hub.git"),
        ("/srv/hub.git", "/srv/hub.git"),
        ("ssh://git@example.org/hub.git", "ssh://git@example.org/hub.git"),
        ("https://example.org/hub.git", "https://example.org/hub.git"),
    ],
)
def test_the_hub_is_the_same_wherever_it_is_read(url: str, told: str) -> None:
    assert town(hub={"url": url})["values"]["hub"]["url"] == told


def test_variables_have_the_values_of_the_hosts_environment(tmp_path: Path) -> None:
    told = town(workspace={"env": {"API_KEY": "of home"}}, agent_clis={"stove": {"env": {"STOVE_KEY": "of home"}}})
    root = host(tmp_path, told)
    found = settings.load(root, environ={**ENV, "STOVE_KEY": "of the host"})
    assert found.workspace.env == {}
    assert found.agent_clis["stove"].env == {"STOVE_KEY": "of the host"}
    assert joined.missing_variables(told, {"STOVE_KEY": ""}) == ["API_KEY"]


def test_a_host_says_where_its_programs_are(tmp_path: Path) -> None:
    told = town(agent_clis={"stove": {"command": "stove --hot", "timeout": 5}}, sandbox={"kind": "bwrap"})
    own = '[agent_clis.stove]\ncommand = "/opt/stove"\n[sandbox]\nkind = "none"\n[host]\nmax_agents = 2\n'
    found = settings.load(host(tmp_path, told, own), environ=ENV)
    assert (found.agent_clis["stove"].command, found.agent_clis["stove"].timeout) == ("/opt/stove", 5)
    assert (found.sandbox.kind, found.host.max_agents) == ("none", 2)


@pytest.mark.parametrize(
    ("own", "key"),
    [
        ("max_agents = 3\n", "max_agents"),
        ("[policy]\nmax_attempts = 1\n", "policy"),
        ("[agent_clis.stove]\ntimeout = 1\n", "agent_clis.stove.timeout"),
        ('[sandbox]\negress = "open"\n', "sandbox.egress"),
        ('[roles.cook]\ncli = "stove"\n', "roles"),
    ],
)
def test_what_the_home_decides_is_refused_in_a_hosts_own_file(tmp_path: Path, own: str, key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"`{key}` is decided by the town's home"):
        settings.load(host(tmp_path, town(name="apples"), own), environ=ENV)


def test_the_environment_of_a_host_and_its_users_file_decide_no_more(tmp_path: Path) -> None:
    """They are meant for all towns of that user; what is not the host's has no say."""
    (tmp_path / "home" / ".tt").mkdir(parents=True)
    (tmp_path / "home" / ".tt" / "config.toml").write_text(
        'default_cli = "other"\n[agent_clis.stove]\ncommand = "/my/stove"\n', encoding="utf-8"
    )
    root = tmp_path / "host"
    root.mkdir()
    env = {
        "HOME": str(tmp_path / "home"),
        "TINYTOWN_POLICY__MAX_ATTEMPTS": "9",
        "TINYTOWN_SANDBOX__KIND": "none",
        "REDIS_URL": "redis://example.org",
    }
    found = settings.load(host(root, town(default_cli="stove", agent_clis={"stove": {}})), environ=env)
    assert (found.default_cli, found.policy.max_attempts) == ("stove", 3)
    assert (found.agent_clis["stove"].command, found.sandbox.kind) == ("/my/stove", "none")
    assert found.redis.url == "redis://example.org"


def test_what_a_newer_home_has_is_left_alone_and_named(tmp_path: Path) -> None:
    told = town(name="apples", agent_clis={"stove": {"command": "stove"}})
    told["values"] |= {"orchard": {"trees": 3}, "policy": {"gentle": True}}
    told["values"]["agent_clis"]["stove"]["gas"] = True
    assert settings.load(host(tmp_path, told), environ=ENV).name == "apples"
    _, unknown = joined.layers_of(tmp_path, told, ENV, of_user=None)
    assert sorted(unknown) == ["agent_clis.stove.gas", "orchard", "policy.gentle"]


def test_a_damaged_copy_is_named_with_the_way_out(tmp_path: Path) -> None:
    root = host(tmp_path, {})
    with pytest.raises(ConfigurationError, match=r"settings\.json is damaged"):
        settings.load(root, environ=ENV)


def test_a_hosts_file_cannot_be_given_what_the_home_decides(tmp_path: Path) -> None:
    from tinytown import settings_file

    root = host(tmp_path, town(name="apples"))
    with pytest.raises(ConfigurationError, match="decided by the town's home"):
        settings_file.change(root, "policy.max_attempts", "2", environ=ENV)
    settings_file.change(root, "host.max_agents", "2", environ=ENV)
    assert settings.load(root, environ=ENV).host.max_agents == 2
