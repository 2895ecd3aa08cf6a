"""Without a log-in an item is parked and costs nobody an attempt; with one it goes on.

All of it happens in the sandbox, where the machine has one.
"""

from __future__ import annotations

import json
import os
import shutil
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


@pytest.mark.parametrize(
    "cli", ["aider", "claude", "cline", "codex", "copilot", "gemini", "kimi", "opencode", "pi", "qwen", "vibe"]
)
def test_without_a_log_in_it_is_parked(project: Project, cli: str) -> None:
    """Without starting it: its files say so."""
    if shutil.which(cli) is None:
        pytest.skip(f"{cli} is not installed here")
    project.found(ISSUES, clis=(), timing=SLOW, sandbox="auto")
    parked(project, cli)
    assert f"{cli} was not started" in project.help()


@pytest.mark.parametrize("cli", ["aider", "claude", "copilot", "gemini", "kimi", "pi", "qwen", "vibe"])
def test_its_own_refusal_is_known(project: Project, cli: str) -> None:
    """Where the town gives it a variable, nobody but the CLI itself knows whether it is logged in."""
    if shutil.which(cli) is None:
        pytest.skip(f"{cli} is not installed here")
    extra = f'\n[agent_clis.{cli}]\nenv = {{ WHATEVER = "1" }}\n'
    project.found(ISSUES, clis=(), timing=SLOW, sandbox="auto", extra=extra)
    parked(project, cli)
    assert "was not started" not in project.help()


def test_codex_is_parked_by_the_refusal_of_its_service(project: Project) -> None:
    """It does not look whether it is logged in: it asks, and where nobody answers it asks for ever."""
    with model_server(key="sk-test", command="true", closing="") as model:
        env = f'\n[agent_clis.codex]\nenv = {{ OPENAI_BASE_URL = "{model.url}/v1" }}\n'
        project.found(ISSUES, clis=(), timing=SLOW, sandbox="auto", extra=env)
        parked(project, "codex")
        assert model.refused


#: aider runs no commands of its model: it is tried at the review, not at the work.
WORKERS = sorted(set(SERVICES) - {"aider"})
#: How many times as long as an ordinary test they may take: they are large programs.
PATIENCE = 4


@pytest.mark.parametrize("cli", WORKERS)
def test_with_a_service_of_ours_it_works_reviews_and_is_merged(project: Project, cli: str) -> None:
    """The work of one issue, a fix round after a failing check, a second issue on top of it, and their reviews."""
    command = "date +%N > made-$TINYTOWN_ATTEMPT.txt"
    with model_server(key="sk-test", command=command, closing="It is there.\n\nVERDICT: APPROVE") as model:
        env = known_to(cli, model.url)
        two = "sh -c 'test $(ls made-* | wc -l) -ge 2'"
        project.found(ISSUES, clis=(), sandbox="auto", checks=[two], extra=env)
        project.spawn("worker", "reviewer", cli=cli)
        mission = project.start(1, 2)
        view = project.wait_state(mission, "completed", timeout=90 * PATIENCE)
    assert [item["fix_rounds"] for item in view["items"]] == [1, 0]
    assert len(project.merges()) == 2
    assert model.refused == 0


def test_aider_gives_a_verdict_and_a_result(project: Project) -> None:
    """Its banner and its costs stand around what its model says."""
    with model_server(key="sk-test", command="", closing="It does what it should.\n\nVERDICT: APPROVE") as model:
        env = known_to("aider", model.url)
        project.found({1: "# One\n\ndo: write one.txt 1\n"}, sandbox="auto", extra=env)
        project.spawn("worker")
        project.spawn("reviewer", cli="aider")
        mission = project.start(1)
        project.wait_state(mission, "completed", timeout=90 * PATIENCE)
    assert len(project.merges()) == 1
    assert model.requests


@pytest.mark.parametrize("cli", sorted(SERVICES))
def test_at_a_limit_it_is_parked_and_uses_no_attempt(project: Project, cli: str) -> None:
    """Its own tries again have an end, and what it says then is understood."""
    with model_server(key="sk-test", command="true", closing="", status=429) as model:
        project.found(ISSUES, clis=(), timing=SLOW, sandbox="auto", extra=known_to(cli, model.url))
        project.spawn("worker", cli=cli)
        mission = project.start(1, 2, options=("--no-reviewer",))
        project.wait_waiting(mission, 1, "usage_limit", timeout=120 * PATIENCE)
        item = project.item(mission, 1)
        assert (item.state.value, item.failures) == ("ready", {})
        assert 0 < model.refused < 40


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
