"""What the configuration may show to a CLI in the sandbox, and what nothing may show."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest

from tinytown.agents.shown import shown
from tinytown.errors import ConfigurationError
from tinytown.settings import AgentCliSettings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in ("home/.scribe", "home/project/src", "home/.local/state/tinytown/t"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path / "home"


def kept(home: Path) -> list[Path]:
    return [home / "project", home / ".local/state/tinytown/t"]


def test_paths_are_absolute_or_of_the_home(home: Path) -> None:
    cli = AgentCliSettings(readable=["~/.scribe", "/opt/data"], writable=["~/.scribe/login"])
    found = shown("scribe", cli, home=home, kept=kept(home))
    assert list(found.readable) == [home / ".scribe", Path("/opt/data")]
    assert list(found.writable) == [home / ".scribe/login"]
    assert list(found.missing()) == [Path("/opt/data"), home / ".scribe/login"]


@pytest.mark.parametrize("text", ["", ".", ".scribe", "../x", "~", "~root/x", "~/../x", "/a/../b", "a\0b", "$HOME/x"])
def test_what_is_no_such_path_is_refused_where_it_is_read(text: str) -> None:
    for key in ("readable", "writable"):
        with pytest.raises(pydantic.ValidationError, match="absolute path"):
            AgentCliSettings.model_validate({key: [text]})


@pytest.mark.parametrize("key", ["readable", "writable"])
@pytest.mark.parametrize(
    "text",
    ["~/", "/", "~/project", "~/project/src", "~/project/tinytown.toml", "~/.local", "~/.local/state/tinytown/t/x"],
)
def test_neither_the_home_nor_the_town_nor_a_repository_is_ever_shown(home: Path, key: str, text: str) -> None:
    cli = AgentCliSettings.model_validate({key: [text]})
    with pytest.raises(ConfigurationError, match=f"agent_clis.scribe.{key}") as caught:
        shown("scribe", cli, home=home, kept=kept(home))
    assert f"[agent_clis.scribe] {key}" in caught.value.remedy


def test_a_link_into_the_town_shows_the_town(home: Path) -> None:
    (home / "link").symlink_to(home / "project")
    with pytest.raises(ConfigurationError):
        shown("scribe", AgentCliSettings(readable=["~/link"]), home=home, kept=kept(home))


def test_a_command_within_the_town_is_refused(home: Path) -> None:
    """What is merged there would run as the agent."""
    for command in (
        f"{home}/project/agent",
        f"python3 {home}/project/src/agent.py",
        f"scribe --plugin={home}/project/x",
    ):
        with pytest.raises(ConfigurationError, match="which agents can change"):
            shown("scribe", AgentCliSettings(command=command), home=home, kept=kept(home))
    assert shown("scribe", AgentCliSettings(command=f"{home}/.scribe/agent"), home=home, kept=kept(home)).readable == []
