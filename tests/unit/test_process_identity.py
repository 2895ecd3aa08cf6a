"""A worker's name for its own process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tinytown.host import process_identity


def test_a_process_that_lives_has_not_ended_and_one_that_is_gone_has() -> None:
    """Told by whoever shares its pids."""
    code = "from tinytown.host import process_identity; print(process_identity.me())"
    gone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert process_identity.ended(gone)
    assert not process_identity.ended(process_identity.me())


@pytest.mark.parametrize(
    "worker", [None, "", "x", "another:1/1/1.0", f"{process_identity._place()}/x", f"{process_identity._place()}/1"]
)
def test_of_any_other_nobody_knows(worker: str | None) -> None:
    """Another machine, another boot, another container, or no name at all: its lease has to tell."""
    assert not process_identity.ended(worker)
