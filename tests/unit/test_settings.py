"""The configuration: read, merged, checked, and written with comments."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tinytown import settings
from tinytown.errors import ConfigurationError
from tinytown.settings_file import new_file


def test_what_stands_nearer_wins(tmp_path: Path) -> None:
    """Environment, then the town's file, then the user's, then the default."""
    home, root = tmp_path / "home", tmp_path / "town"
    (home / ".tt").mkdir(parents=True)
    root.mkdir()
    (home / ".tt" / "config.toml").write_text('default_cli = "codex"\nmax_agents = 3\n[timing]\ntick_secs = 7\n')
    (root / "tinytown.toml").write_text("max_agents = 4\n[forge]\nbase = 'main'\n")
    env = {"HOME": str(home), "TINYTOWN_FORGE__BASE": "trunk", "REDIS_URL": "redis://somewhere"}
    found = settings.load(root, environ=env)
    assert (found.default_cli, found.max_agents, found.timing.tick_secs) == ("codex", 4, 7)
    assert (found.forge.base, found.redis.url, found.timing.lease_secs) == ("trunk", "redis://somewhere", 60)


@pytest.mark.parametrize("half", ["", "[forge.local]\nchecks = ["])
def test_what_an_editor_is_writing_just_now_is_read_once_it_is_whole(
    half: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tinytown.toml"
    file.write_text(half)
    monkeypatch.setattr("time.sleep", lambda secs: file.write_text('[forge.local]\nchecks = ["true"]\n'))
    assert settings.load(tmp_path, environ={}).forge.local.checks == ["true"]


def test_a_variable_of_a_run_is_no_setting(tmp_path: Path) -> None:
    """Only names with a section are settings."""
    (tmp_path / "tinytown.toml").write_text("")
    env = {"TINYTOWN_TOWN": "/x", "TINYTOWN_CONFIG__NAME": "Tiny", "TINYTOWN_FORGE__LOCAL__CHECKS": '["make"]'}
    found = settings.load(tmp_path, environ=env)
    assert (found.name, found.forge.local.checks) == ("Tiny", ["make"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_agnets = 1", "unknown key `max_agnets`, did you mean `max_agents`"),
        ("[policy]\nmax_attempts = 'x'", "`policy.max_attempts`: input should be a valid integer"),
        ("[policy]\nbudget_usd = inf", "`policy.budget_usd`: input should be a finite number"),
        ("[policy]\nbudget_usd = nan", "`policy.budget_usd`: input should be"),
        ("[timing]\nlease_secs = 20", "timing.lease_secs must be at least twice timing.heartbeat_secs"),
        ("[roles.backend]\ncil = 'x'", "unknown key `roles.backend.cil`"),
        (
            "[sandbox]\nrequired = true\nkind = 'none'",
            'sandbox.required needs sandbox.kind "auto", "bwrap" or "container"',
        ),
        ("[sandbox]\nmemory = '8X'", "`sandbox.memory`: must be a number of bytes, or one such as `8G`"),
        ("[sandbox]\ndisk = -1", "`sandbox.disk`: must be a number of bytes, or one such as `8G`"),
        ("[sandbox]\nopen_files = 3", "nothing runs with sandbox.open_files below 64; 0 is no limit"),
        ("[sandbox]\nuid = 0", "`sandbox.uid`: input should be greater than or equal to 1"),
        ("[sandbox]\nkind = 'jail'", "`sandbox.kind`: input should be 'auto', 'bwrap', 'container' or 'none'"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    """In one sentence."""
    (tmp_path / "tinytown.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        settings.load(tmp_path, environ={})
    assert said in str(caught.value)


def test_a_file_that_is_not_text_is_an_error_too(tmp_path: Path) -> None:
    """As is a folder of that name."""
    (tmp_path / "tinytown.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        settings.load(tmp_path, environ={})


def test_the_written_file_says_the_same_as_the_values() -> None:
    """Whatever stands in them."""
    values = {
        "name": 'a "quoted"\\ näme',
        "forge": {"kind": "local", "base": "b", "local": {"checks": ["make 'x'"]}, "github": {}},
    }
    text = new_file(values, remarks={"forge.local.checks": "A remark."})
    assert tomllib.loads(text) == {
        **values,
        "agent": {},
        "redis": {},
        "hub": {},
        "host": {},
        "workspace": {},
        "policy": {},
        "limits": {},
        "retention": {},
        "timing": {},
        "sandbox": {},
        "messages": {},
        "notify": {},
        "conductor": {},
        "metrics": {},
    }
    assert "# A remark.\nchecks = " in text


def test_every_key_of_the_configuration_stands_in_the_written_file() -> None:
    """With its default, as a comment that could be activated."""
    text = new_file({})
    active = re.sub(r"^# (\w+ = (?!\(not set\)).*)$", r"\1", text, flags=re.MULTILINE)
    parsed = settings.parse(tomllib.loads(active), source="the file")
    assert parsed.model_dump() == settings.Settings().model_dump()
    assert [name for name in settings.Settings.model_fields if name not in text] == []
    assert 'conductor_cli = "codex"' in new_file({"conductor_cli": "codex"})
