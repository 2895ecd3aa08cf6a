"""The vendors' CLIs as the conductor: opened in a terminal, what they were told reaches their model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.acceptance.terminal import Terminal
from tests.fakes.model_server import model_server
from tests.vendors.services import KEY, known_to, section
from tests.waiting import wait_until

#: Of what is told to each CLI: a sentence, or all of it.
WORDS = ("You are the conductor of th", "conductor_context.md")
#: Those that ask at their first start what no key press answers are not among them.
CLIS = ("claude", "cline", "codex", "copilot", "gemini", "opencode", "qwen")


@pytest.mark.parametrize("cli", CLIS)
def test_what_the_conductor_is_told_reaches_its_model(project: Project, cli: str) -> None:
    with model_server(key=KEY, command="true", closing="What do you want?") as model:
        env = known_to(cli, model.url)
        if cli == "claude":
            # What it asked at an earlier start: it would advise against the key.
            answered = {
                "hasCompletedOnboarding": True,
                "customApiKeyResponses": {"approved": [KEY], "rejected": []},
                "projects": {str(project.root): {"hasTrustDialogAccepted": True, "allowedTools": []}},
            }
            (Path(os.environ["HOME"]) / ".claude.json").write_text(json.dumps(answered))
        project.found({1: "# One\n"}, extra=section(cli, env))
        project.tt("config", "conductor_cli", cli)
        terminal = Terminal(project.root, "conductor")
        terminal.wait_for("The conductor:")
        turns = 0

        def told() -> bool:
            nonlocal turns
            terminal.read()
            turns += 1
            if turns % 80 == 0:
                # Whether it trusts the folder, and what else it asks at first: whatever it proposes.
                terminal.type("\r")
            return any(word in json.dumps(model.requests) for word in WORDS)

        try:
            wait_until(told, timeout=60, description=f"{cli} asks its model")
        finally:
            terminal.hang_up()
