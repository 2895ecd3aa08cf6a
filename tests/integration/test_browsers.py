"""What happens where aider would log in: the real ``webbrowser``, by which it opens what it wants to be seen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tinytown import plugins
from tinytown.agents.driver import Request
from tinytown.settings import AgentCliSettings

OPENS = "import sys, webbrowser; print('opens', flush=True); webbrowser.open(sys.argv[1]); print('goes on')"


@pytest.mark.parametrize(
    ("url", "ends"),
    [
        ("https://openrouter.ai/auth?callback_url=http://localhost:8484/callback/aider&code_challenge=$(x)'", True),
        ("https://aider.chat/docs/troubleshooting/token-limits.html", False),
    ],
)
def test_only_the_log_in_that_would_be_waited_for_ends_it(tmp_path: Path, url: str, *, ends: bool) -> None:
    request = Request(prompt="do it", prompt_file=tmp_path / "brief.md", workspace=tmp_path)
    env = plugins.driver("aider", AgentCliSettings()).invocation(request).env
    done = subprocess.run(
        [sys.executable, "-c", OPENS, url],
        env={**os.environ, **env},
        # As the guard starts it: whoever typed the test may have chosen otherwise.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ("opens\n" if ends else "opens\ngoes on\n"), done.stderr
    assert done.returncode == (-signal.SIGINT if ends else 0)
