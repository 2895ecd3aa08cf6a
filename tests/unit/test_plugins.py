"""Finding drivers and forges by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from tinytown import plugins
from tinytown.agents.drivers.custom import CustomDriver
from tinytown.errors import ConfigurationError
from tinytown.settings import AgentCliSettings

NOTHING = AgentCliSettings.model_validate({})


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two agents besides the custom one, and a forge; the second agent cannot be imported."""
    entries = {
        plugins.AGENTS: {
            "custom": "tinytown.agents.drivers.custom:CustomDriver",
            "claude": "builtins:dict",
            "broken": "tinytown.no_such_module:Driver",
        },
        plugins.FORGES: {"local": "builtins:dict"},
    }
    monkeypatch.setattr(
        plugins, "_entry_points", lambda group: {n: EntryPoint(n, v, group) for n, v in entries[group].items()}
    )


def test_what_is_installed_has_names() -> None:
    assert "custom" in plugins.names(plugins.AGENTS)
    assert "local" in plugins.names(plugins.FORGES)


@pytest.mark.parametrize("name", ["mine", "claude"])
def test_a_configured_command_wins_for_any_name(installed: None, name: str) -> None:
    driver = plugins.driver(name, AgentCliSettings.model_validate({"command": "agent --go"}))
    assert isinstance(driver, CustomDriver)
    assert driver.executable() == "agent"


def test_an_unknown_cli_is_refused_with_the_nearest_and_both_ways_out(installed: None) -> None:
    with pytest.raises(ConfigurationError) as caught:
        plugins.driver("cluade", NOTHING)
    assert caught.value.message == "there is no agent CLI `cluade`, did you mean `claude`"
    assert caught.value.remedy == 'use broken, claude, or write `[agent_clis.cluade] command = "…"` in tinytown.toml'
    with pytest.raises(ConfigurationError, match="there is no agent CLI `custom`"):
        plugins.driver("custom", NOTHING)


def test_an_unknown_plugin_is_refused_with_those_that_exist(installed: None) -> None:
    with pytest.raises(ConfigurationError) as caught:
        plugins.load(plugins.FORGES, "lokal")
    assert str(caught.value) == "there is no forge `lokal`, did you mean `local`; use local"


def test_a_plugin_that_cannot_be_imported_is_named(installed: None) -> None:
    with pytest.raises(ConfigurationError) as caught:
        plugins.driver("broken", NOTHING)
    assert caught.value.message.startswith("the agent CLI `broken` (tinytown.no_such_module:Driver) cannot be loaded: ")
