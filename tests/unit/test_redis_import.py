"""How redis-py is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest


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
