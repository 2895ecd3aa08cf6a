"""What the processes of a town load, and what they don't: each megabyte is there once for each of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: What most processes never use, and load once they do.
SELDOM = ("difflib", "h11", "statistics", "tarfile", "urllib.request", "yaml")


@pytest.mark.parametrize("module", ["tinytown_workers.__main__", "tinytown_beat.__main__"])
def test_redis_does_not_bring_telemetry_and_tracing_still_finds_it(module: str) -> None:
    """The library is installed where the tests run."""
    script = (
        f"import sys, {module}, redis\n"
        "print('opentelemetry' in sys.modules)\n"
        "import opentelemetry.sdk.trace\n"
        "print(redis.Redis().get_connection_kwargs() is not None)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_what_is_seldom_used_is_not_loaded_until_it_is() -> None:
    """By a process of agents that waits for work; YAML is there for whoever asks for it later."""
    script = (
        "import sys, tinytown_workers.__main__, tinytown_workers.pipeline\n"
        f"print(*sorted({{*{SELDOM!r}}} & sys.modules.keys()))\n"
        "import yaml\n"
        "print(yaml.safe_load('[1]'))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["", "[1]"]
