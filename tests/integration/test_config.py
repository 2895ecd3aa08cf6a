"""`tt config`: what is shown, what is written, and that a mistake writes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.test_misuse import told, traces
from tinytown.settings import load
from tinytown.settings.sections import PolicySettings
from tinytown.town import Town

Typed = Callable[..., tuple[int, str, str]]
TT = Path(sys.executable).with_name("tt")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a user without settings of their own."""
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home")}


def test_a_setting_is_written_among_the_comments_and_counts(typed: Typed, town: Town, home: dict[str, str]) -> None:
    """One line more; the value alone is printed, and where it comes from is told."""
    file = town.root / "tinytown.toml"
    file.chmod(0o640)
    before = file.read_text()
    assert typed("config", "policy.max_attempts", cwd=town.root, env=home) == (0, "3\n", "")
    said = f"policy.max_attempts is 5 in {file}\n"
    assert typed("config", "policy.max_attempts", "5", cwd=town.root, env=home) == (0, said, "")
    assert file.read_text() == before.replace("# max_attempts = 3\n", "# max_attempts = 3\nmax_attempts = 5\n")
    assert file.stat().st_mode & 0o777 == 0o640
    assert load(town.root).policy.max_attempts == 5
    assert typed("config", "policy.max_attempts", cwd=town.root, env=home) == (0, "5\n", "")
    state = traces(town.root)["tinytown.toml"]
    assert typed("config", "policy.max_attempts", "5", cwd=town.root, env=home)[1] == said.replace(
        "is 5", "is already 5"
    )
    assert traces(town.root)["tinytown.toml"] == state

    listed = typed("config", cwd=town.root, env=home)[1].splitlines()
    assert listed[0].split() == ["SETTING", "VALUE", "SET", "BY"]
    assert ["policy.max_attempts", "5", str(file)] in [line.split() for line in listed]
    assert not any("max_fix_rounds" in line for line in listed)
    found = json.loads(typed("config", "--all", "--json", cwd=town.root, env=home)[1])
    assert {"key": "policy.max_fix_rounds", "value": PolicySettings().max_fix_rounds, "source": "default"} in found
    one = json.loads(typed("config", "policy.max_attempts", "--json", cwd=town.root, env=home)[1])
    assert one == {"key": "policy.max_attempts", "value": 5, "source": str(file)}
    changed = json.loads(typed("config", "policy.max_attempts", "4", "--json", cwd=town.root, env=home)[1])
    assert changed == {"key": "policy.max_attempts", "value": 4, "was": 5, "file": str(file)}


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("name", "5", "5"),
        ("name", "true", "true"),
        ("name", 'say "x"\ny = 1', 'say "x"\ny = 1'),
        ("max_agents", "5", 5),
        ("policy.budget_usd", "2.5", 2.5),
        ("policy.auto_merge", "false", False),
        ("sandbox.memory", "8G", "8G"),
        ("forge.local.checks", '["make test", "make lint"]', ["make test", "make lint"]),
        ("agent_clis.scribe", "scribe {prompt}", {"command": "scribe {prompt}"}),
        ("agent_clis.scribe.env.A-B", "1", "1"),
        ("forge.local.repos.web", "../web", "../web"),
        ("roles.backend.fallback", '["codex"]', ["codex"]),
    ],
)
def test_a_value_is_what_fits(typed: Typed, town: Town, key: str, text: str, value: object) -> None:
    """As TOML has it, else as a text."""
    done = typed("config", key, text, "--json", cwd=town.root)
    assert done[0] == 0, done
    said = json.loads(done[1])["value"]
    assert said == (value["command"] if isinstance(value, dict) else value)
    load(town.root)
    assert typed("config", key, cwd=town.root)[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "sentence", "remedy"),
    [
        (["max_agnets"], 2, "there is no setting `max_agnets`, did you mean `max_agents`", "tt config --all"),
        (["max_agnets", "5"], 2, "there is no setting `max_agnets`, did you mean `max_agents`", "tt config --all"),
        (["max_agents", "many"], 2, "`max_agents`: input should be a valid integer", "nothing was changed"),
        (["max_agents", "0"], 2, "`max_agents`: input should be greater than or equal to 1", "nothing was changed"),
        (["policy", "5"], 2, "`policy` is a section, not a single setting", "`policy.max_parallel_items`"),
        (["forge.local.checks", "make test"], 2, "`forge.local.checks`: input should be a valid list", "nothing was"),
        (["sandbox.required", "true"], 0, "", ""),
        (["sandbox.kind", "jail"], 2, "`sandbox.kind`: input should be 'auto'", "nothing was changed"),
        (["agent_clis.nobody"], 3, "`agent_clis.nobody` is not configured", "tt config"),
        (["redis.url", "http://u:secret@h"], 2, "`redis.url`: must begin with `redis://`", "nothing was changed"),
        (["a..b", "1"], 2, "`a..b` is not the name of a setting", "tt config --all"),
    ],
)
def test_a_mistake_changes_nothing(
    typed: Typed, town: Town, words: list[str], code: int, sentence: str, remedy: str
) -> None:
    """A sentence, and the file as it was."""
    before = (town.root / "tinytown.toml").read_bytes()
    done = typed("config", *words, cwd=town.root)
    if code:
        told(done, code, sentence, remedy)
        assert "secret" not in done[2]
        assert (town.root / "tinytown.toml").read_bytes() == before


def test_a_broken_file_is_mended_or_left(typed: Typed, town: Town) -> None:
    """One wrong value can be set right by the command; what is not TOML is a person's."""
    file = town.root / "tinytown.toml"
    whole = file.read_text()
    file.write_text(whole.replace("[policy]\n", "[policy]\nmax_attempts = 'x'\n"))
    told(typed("config", cwd=town.root), 2, "`policy.max_attempts`: input should be", "correct or remove it")
    told(typed("config", "max_agents", "3", cwd=town.root), 2, "`policy.max_attempts`: input", "nothing was changed")
    assert typed("config", "policy.max_attempts", "4", cwd=town.root)[0] == 0
    assert load(town.root).policy.max_attempts == 4
    file.write_text("[policy\n")
    told(typed("config", "max_agents", "3", cwd=town.root), 2, "is not valid TOML", "correct the line")
    assert file.read_text() == "[policy\n"
    file.unlink()
    told(typed("config", "max_agents", "3", cwd=town.root), 2, "is gone", "tt init")
    assert not file.exists()


def test_the_users_own_settings_need_no_town(typed: Typed, tmp_path: Path, home: dict[str, str]) -> None:
    """They are made when first set, private, through a link where the file is one; a town's win."""
    assert typed("config", "--global", "--json", cwd=tmp_path, env=home) == (0, "[]\n", "")
    assert typed("config", "--global", "default_cli", cwd=tmp_path, env=home) == (0, "claude\n", "")
    file = tmp_path / "home" / ".tt" / "config.toml"
    assert not file.parent.exists()
    told(typed("config", "--global", "max_agents", "x", cwd=tmp_path, env=home), 2, "`max_agents`", "nothing was")
    assert not file.exists()
    done = typed("config", "--global", "default_cli", "codex", cwd=tmp_path, env=home)
    assert done == (0, f'default_cli is "codex" in {file}\n', "")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ('default_cli = "codex"\n', 0o600)
    real = tmp_path / "dotfiles.toml"
    file.rename(real)
    file.symlink_to(real)
    assert typed("config", "--global", "max_agents", "3", cwd=tmp_path, env=home)[0] == 0
    assert file.is_symlink()
    assert real.read_text() == 'default_cli = "codex"\nmax_agents = 3\n'
    told(typed("config", cwd=tmp_path, env=home), 4, "is not in a town", "or give --global")


def test_what_is_listed_for_others_holds_no_secret(typed: Typed, town: Town) -> None:
    """An address without its password, a variable without its value; whoever names one sees it."""
    (town.root / "tinytown.toml").write_text(
        "[redis]\nurl = 'redis://me:secret1@h:1/0'\n[agent_clis.x]\ncommand = 'x'\nenv = { KEY = 'secret2' }\n"
        "[notify]\nenv = { TOKEN = 'secret3' }\n"
    )
    for words in (["config"], ["config", "--json"], ["config", "--all"]):
        said = typed(*words, cwd=town.root)
        assert said[0] == 0
        assert "secret" not in said[1] + said[2]
        assert "…@h:1" in said[1].encode().decode("unicode_escape" if "--json" in words else "utf-8")
    assert typed("config", "redis.url", cwd=town.root)[1] == "redis://me:secret1@h:1/0\n"


def test_what_wins_over_the_file_is_told(typed: Typed, town: Town) -> None:
    """A variable of the shell; a setting that nothing uses yet; one that waits for the next start."""
    env = {"TINYTOWN_POLICY__MAX_ATTEMPTS": "9"}
    done = typed("config", "policy.max_attempts", "5", cwd=town.root, env=env)
    assert done[2] == "note: TINYTOWN_POLICY__MAX_ATTEMPTS is set in this shell, and wins over the file\n"
    one = json.loads(typed("config", "policy.max_attempts", "--json", cwd=town.root, env=env)[1])
    assert (one["value"], one["source"]) == (9, "TINYTOWN_POLICY__MAX_ATTEMPTS")
    assert "after `tt stop` and `tt start`" in typed("config", "timing.tick_secs", "20", cwd=town.root)[2]


def test_commands_at_the_same_time_lose_nothing_of_each_other(town: Town) -> None:
    """Each sets another setting; all of them are in the file afterwards."""
    wanted = {f"agent_clis.a{number}.timeout": number for number in range(1, 7)}
    running = [
        subprocess.Popen([TT, "config", key, str(value)], cwd=town.root, stdout=subprocess.DEVNULL)
        for key, value in wanted.items()
    ]
    assert [one.wait(timeout=60) for one in running] == [0] * len(wanted)
    assert {name: cli.timeout for name, cli in load(town.root).agent_clis.items()} == {
        f"a{number}": number for number in range(1, 7)
    }


def test_keys_are_completed(town: Town) -> None:
    shell = {**os.environ, "COMP_WORDS": "tt config policy.max_a", "COMP_CWORD": "2", "_TT_COMPLETE": "bash_complete"}
    said = subprocess.run([TT], cwd=town.root, env=shell, capture_output=True, text=True, check=False)
    assert said.stdout == "plain,policy.max_attempts\n"
