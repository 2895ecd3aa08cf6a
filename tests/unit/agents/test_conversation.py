"""How CLIs are opened for a person: with what they take to begin with, and with no right of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinytown import plugins
from tinytown.agents import conversation
from tinytown.agents.arguments import fits
from tinytown.agents.driver import Opening
from tinytown.missions.conducting import WHOLE_LIMIT
from tinytown.settings import AgentCliSettings

FILE = Path("/town/.tt/conductor_context.md")
WORDS = f"Read {FILE} first."
TEXT = "# You are the conductor\n\n{prompt} {prompt_file} $(touch x)"
OPENING = Opening(WORDS, TEXT, FILE)
#: It takes nothing to begin with.
SILENT = {"kimi"}
VENDORS = [name for name in plugins.names(plugins.AGENTS) if name not in ("custom", "fake")]
#: What would have a CLI ask nobody, end after its answer, or answer for a program.
FORBIDDEN = (
    "-p", "--print", "exec", "run", "--yolo", "--auto", "--force", "--json", "-o", "--output-format", "--trust",
    "--dangerously-skip-permissions", "--dangerously-bypass-approvals-and-sandbox", "--allow-all-tools", "--yes-always",
    "--auto-approve", "--message-file", "--approval-mode", "--skip-trust",
)  # fmt: skip


def opened(name: str, **settings: object) -> list[str]:
    cli = AgentCliSettings.model_validate(settings)
    return conversation.argv(plugins.driver(name, cli), cli, OPENING)


@pytest.mark.parametrize("name", VENDORS)
def test_a_vendors_cli_is_told_once_and_allowed_nothing(name: str) -> None:
    argv = opened(name)
    assert argv[0] == plugins.driver(name, AgentCliSettings()).executable()
    told = [word for word in argv if word in (WORDS, TEXT, str(FILE))]
    assert len(told) == (0 if name in SILENT else 1)
    assert conversation.is_told(argv, OPENING) == bool(told)
    wrong = [word for word in argv if word in FORBIDDEN]
    assert wrong == (["--auto-approve"] if name == "cline" else [])
    assert name != "cline" or argv[argv.index("--auto-approve") + 1] == "false"


def test_the_longest_text_is_one_argument() -> None:
    assert fits("x" * WHOLE_LIMIT)


def test_what_moves_the_service_of_a_cli_does_so_here_too() -> None:
    env = {"OPENAI_BASE_URL": "http://models.example.org/v1", "OPENAI_API_KEY": "k"}
    assert 'model_providers.ours.base_url="http://models.example.org/v1"' in opened("codex", env=env)
    assert 'model_providers.ours.env_key="OPENAI_API_KEY"' in opened("codex", env=env)
    assert 'model_providers.ours.env_key="CODEX_API_KEY"' in opened("codex", env={**env, "CODEX_API_KEY": "k"})
    assert opened("qwen", env=env)[1:3] == ["--auth-type", "openai"]
    assert "-m" in opened("codex-mini")


def test_a_command_of_ones_own_has_its_placeholders_replaced_once() -> None:
    assert opened("mine", command="scribe 'say {prompt}' {prompt_file}") == ["scribe", f"say {WORDS}", str(FILE)]
    assert opened("mine", command="scribe -x") == ["scribe", "-x"]
    assert not conversation.is_told(opened("mine", command="scribe -x"), OPENING)


@pytest.mark.parametrize("name", ["mine", "claude"])
def test_another_command_may_be_for_the_terminal(name: str) -> None:
    argv = opened(name, command="scribe -p {prompt_file}", interactive="scribe chat --system={prompt_file}")
    assert argv == ["scribe", "chat", f"--system={FILE}"]
    assert conversation.is_told(argv, OPENING)


def test_a_driver_that_knows_no_way_opens_its_program() -> None:
    class Plain:
        def executable(self) -> str:
            return "plain"

    cli = AgentCliSettings()
    assert conversation.argv(Plain(), cli, OPENING) == ["plain"]  # type: ignore[arg-type]
