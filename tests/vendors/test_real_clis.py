"""Every CLI through ``tt``: without a log-in an item is parked and costs nobody an attempt; at a limit too, until that
ends; then it works, fixes, reviews, and is merged.

All of it happens in the sandbox, where the machine has one.
"""

from __future__ import annotations

import pytest

from tests.acceptance.project import TIMING, Project
from tests.fakes.model_faults import Fault
from tests.fakes.model_server import model_server
from tests.vendors.services import CLIS, KEY, known_to, ports, require, section

ISSUES = {1: "# Add a greeting\n\nWrite hello.txt with the word hello.\n", 2: "# Add another\n\nDepends on #1.\n"}
#: So long a pause that it is a person's word, and not the clock, which lets an item go on.
SLOW = {**TIMING, "backoff_secs": 600}
#: How many times as long as an ordinary test they may take: they are large programs.
PATIENCE = 4
COMMAND = "date +%N > made-$TINYTOWN_ATTEMPT.txt"
CLOSING = "It is there.\n\nVERDICT: APPROVE"
#: aider runs no commands of its model: it writes what the answer holds.
EDITING = "made-{count}.txt\n```\n{count}\n```\n\nIt is there.\n\nVERDICT: APPROVE"
#: How long the limit of the tests lasts, in seconds; codex names its end by the minute.
LIMIT = 40
CODEX_LIMIT = 120


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


@pytest.mark.parametrize("cli", CLIS)
def test_without_a_log_in_it_is_parked(project: Project, cli: str) -> None:
    """Without starting it: its files say so."""
    require(cli)
    project.found(ISSUES, clis=(), timing=SLOW, sandbox="auto")
    parked(project, cli)
    assert f"{cli} was not started" in project.help()


@pytest.mark.parametrize("cli", ["aider", "claude", "copilot", "gemini", "kimi", "pi", "qwen", "vibe"])
def test_its_own_refusal_is_known(project: Project, cli: str) -> None:
    """Where the town gives it a variable, nobody but the CLI itself knows whether it is logged in."""
    require(cli)
    extra = f'\n[agent_clis.{cli}]\nenv = {{ WHATEVER = "1" }}\n'
    project.found(ISSUES, clis=(), timing=SLOW, sandbox="auto", extra=extra)
    parked(project, cli)
    assert "was not started" not in project.help()


def test_after_the_log_in_claude_goes_on(project: Project) -> None:
    """The same item, with a key and a scripted model: it works in its clone, and its work is merged."""
    with model_server(key=KEY, command=COMMAND, closing=CLOSING) as model:
        require("claude")
        project.found(ISSUES, clis=(), timing=SLOW, sandbox="auto")
        mission = parked(project, "claude")
        settings = project.root / "tinytown.toml"
        settings.write_text(settings.read_text() + section("claude", known_to("claude", model.url)), encoding="utf-8")
        project.tt("kill", "worker")
        project.spawn("worker", cli="claude")
        project.tt("mission", "retry", mission, "1")
        view = project.wait_state(mission, "completed")
        assert len(project.merges()) == 2
        assert view["spent_usd"] > 0
        assert any("Add a greeting" in str(request["messages"]) for request in model.requests)


@pytest.mark.parametrize("cli", CLIS)
def test_at_its_limit_it_waits_until_that_ends_and_then_works_to_the_merge(project: Project, cli: str) -> None:
    """Two issues on top of each other, with a fix round after a failing check, and a review of each."""
    secs = CODEX_LIMIT if cli == "codex" else LIMIT
    limit = Fault("refused", 429, f"You have hit your usage limit. Please try again in {secs} seconds.", ends=secs)
    closing = EDITING if cli == "aider" else CLOSING
    with model_server(key=KEY, command=COMMAND, closing=closing, fault=limit) as model:
        env = section(cli, known_to(cli, model.url))
        two = "sh -c 'test $(ls made-* | wc -l) -ge 2'"
        project.found(ISSUES, clis=(), sandbox="auto", checks=[two], extra=env, loopback=ports(cli, model.url))
        project.spawn("worker", "reviewer", cli=cli)
        mission = project.start(1, 2)
        waiting = project.wait_waiting(mission, 1, "usage_limit", timeout=120 * PATIENCE)
        assert waiting.until is not None
        # Without an end it would be tried again at once.
        assert waiting.until - waiting.since >= LIMIT, waiting
        item = project.item(mission, 1)
        assert (item.state.value, item.failures) == ("ready", {})
        assert 0 < model.refused < 40
        model.fault = None
        view = project.wait_state(mission, "completed", timeout=120 * PATIENCE)
    assert [item["fix_rounds"] for item in view["items"]] == [1, 0]
    assert len(project.merges()) == 2
