"""Without a log-in an item is parked and costs nobody an attempt; with one it goes on.

All of it happens in the sandbox, where the machine has one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.acceptance.project import TIMING, Project
from tests.fakes.model_server import model_server

ISSUES = {1: "# Add a greeting\n\nWrite hello.txt with the word hello.\n", 2: "# Add another\n\nDepends on #1.\n"}
#: So long a pause that it is a person's word, and not the clock, which lets an item go on.
SLOW = {**TIMING, "backoff_secs": 600}


def parked(project: Project, cli: str) -> str:
    """A mission whose first item waits for a log-in, with all that must be true then."""
    project.spawn("worker", cli=cli)
    mission = project.start(1, 2, options=("--no-reviewer",))
    waiting = project.wait_waiting(mission, 1, "not_logged_in", timeout=120)
    assert waiting.remedy
    project.wait(mission, lambda: "not logged in" in project.help(), description="the conductor is asked for help")
    item = project.item(mission, 1)
    assert (item.state.value, item.failures, item.faults, item.cost_usd) == ("ready", {}, 1, 0)
    assert project.item(mission, 2).attempts == 0
    assert project.merges() == []
    return mission


@pytest.mark.parametrize("cli", ["claude", "gemini", "copilot", "qwen"])
def test_without_a_log_in_it_is_parked(project: Project, cli: str) -> None:
    project.found(ISSUES, clis=(), timing=SLOW, sandbox="auto")
    parked(project, cli)


def test_codex_is_parked_by_the_refusal_of_its_service(project: Project) -> None:
    """It does not look whether it is logged in: it asks, and where nobody answers it asks for ever."""
    with model_server(key="sk-test", command="true", closing="") as model:
        env = f'\n[agent_clis.codex]\nenv = {{ OPENAI_BASE_URL = "{model.url}/v1" }}\n'
        project.found(ISSUES, clis=(), timing=SLOW, sandbox="auto", extra=env)
        parked(project, "codex")
        assert model.refused


SERVICES = {
    "codex": 'OPENAI_BASE_URL = "{url}/v1"\nOPENAI_API_KEY = "sk-test"',
    "copilot": 'COPILOT_PROVIDER_BASE_URL = "{url}/v1"\nCOPILOT_PROVIDER_TYPE = "openai"\n'
    'COPILOT_PROVIDER_API_KEY = "sk-test"\nCOPILOT_MODEL = "test"\nCOPILOT_OFFLINE = "true"',
    "gemini": 'GOOGLE_GEMINI_BASE_URL = "{url}"\nGEMINI_API_KEY = "sk-test"\nGEMINI_MODEL = "gemini-2.5-pro"',
    "opencode": 'OPENCODE_DISABLE_MODELS_FETCH = "1"\nOPENCODE_CONFIG = "{home}/opencode-test.json"',
    "qwen": 'OPENAI_BASE_URL = "{url}/v1"\nOPENAI_API_KEY = "sk-test"\nOPENAI_MODEL = "test"',
}


@pytest.mark.parametrize("cli", sorted(SERVICES))
def test_with_a_service_of_ours_it_works_mends_and_is_merged(project: Project, cli: str) -> None:
    """The work of one issue, a fix round after a failing check, and a second issue on top of it."""
    home = Path(os.environ["HOME"])
    (home / ".gemini").mkdir()
    (home / ".gemini" / "settings.json").write_text('{"security":{"auth":{"selectedType":"gemini-api-key"}}}')
    # Somebody who has used it before.
    (home / ".config" / "opencode").mkdir(parents=True)
    command = "date +%N > made-$TINYTOWN_ATTEMPT.txt"
    with model_server(key="sk-test", command=command, closing="It is there.") as model:
        options = {"baseURL": f"{model.url}/v1", "apiKey": "sk-test"}
        provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"test": {}}}
        config = {"model": "ours/test", "provider": {"ours": provider}}
        (home / "opencode-test.json").write_text(json.dumps(config))
        env = SERVICES[cli].format(url=model.url, home=home)
        two = "sh -c 'test $(ls made-* | wc -l) -ge 2'"
        project.found(
            ISSUES,
            clis=(),
            sandbox="auto",
            checks=[two],
            extra=f"\n[agent_clis.{cli}]\n[agent_clis.{cli}.env]\n{env}\n",
        )
        project.spawn("worker", cli=cli)
        mission = project.start(1, 2, options=("--no-reviewer",))
        view = project.wait_state(mission, "completed", timeout=90)
    assert [item["fix_rounds"] for item in view["items"]] == [1, 0]
    assert len(project.merges()) == 2
    assert model.refused == 0


def test_after_the_log_in_claude_goes_on(project: Project, tmp_path: Path) -> None:
    """The same item, with a key and a scripted model: it works in its clone, and its work is merged."""
    with model_server(key="sk-test", command="date +%N > hello-$TINYTOWN_ATTEMPT.txt", closing="It is there.") as model:
        project.found(ISSUES, clis=(), timing=SLOW, sandbox="auto")
        mission = parked(project, "claude")
        settings = project.root / "tinytown.toml"
        env = f'env = {{ ANTHROPIC_BASE_URL = "{model.url}", ANTHROPIC_API_KEY = "{model.key}" }}'
        settings.write_text(f"{settings.read_text()}\n[agent_clis.claude]\n{env}\n", encoding="utf-8")
        project.tt("kill", "worker")
        project.spawn("worker", cli="claude")
        project.tt("mission", "retry", mission, "1")
        view = project.wait_state(mission, "completed")
        assert len(project.merges()) == 2
        assert view["spent_usd"] > 0
        assert any("Add a greeting" in str(request["messages"]) for request in model.requests)
