"""The bench runs, and every figure that it prints is one."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from bench import places

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_bench_measures_both_sides() -> None:
    """At tiny sizes, which say nothing about speed."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["rows"]
    rows = {row["name"]: row for row in found}
    # In the short time that it is looked at, what is idle may have used no tick of a processor.
    least = {name: 0.0 if row["unit"] == "%" else 1e-9 for name, row in rows.items()}
    assert all(math.isfinite(row["value"]) and row["value"] >= least[name] for name, row in rows.items())
    compared = [name for name, row in rows.items() if row["ratio"] is not None]
    assert {"tt --help, wall", "chain of 6: hand-off p50", "chain of 6: commands"} <= set(compared)
    boxed = {"chain of 2 with git in bubblewrap: hand-off p50", "chain of 2 with git in bubblewrap: processor"}
    assert boxed & set(compared) == (set() if places.no_sandbox() else boxed)
    assert "idle, 5 agents of 4 roles: memory" in compared
    assert {"tt list, 5 agents: wall", "tt status, 5 agents: wall"} <= set(rows)
    assert "12 items that stand: tt mission status" in compared
    assert len(rows) == len(found), "two rows of one name"
    assert {"reading dependencies", "planning 50 issues", "bytes per item: random of 12 by of 6"} <= set(rows)
