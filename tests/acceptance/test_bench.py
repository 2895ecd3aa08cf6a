"""The bench runs, and every figure that it prints is one."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import idle, places
from tests import typist
from tests.waiting import patience

TT = Path(sys.executable).with_name("tt")


def typed(root: Path, *words: str) -> float:
    """As ``places.timed`` and ``places.tt``: by the typist, which takes a tenth of the time."""
    began = time.perf_counter()
    done = typist.type_tt([str(TT), *words], cwd=root, env=os.environ, timeout=patience(60))
    assert done.returncode == 0, f"tt {' '.join(words)}: {done.stdout}{done.stderr}"
    return time.perf_counter() - began


@pytest.mark.slow
def test_the_bench_measures_both_sides(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """At tiny sizes, which say nothing about speed."""
    monkeypatch.setattr(places, "tt", typed)
    monkeypatch.setattr(places, "timed", typed)
    # One bare worker shows as much as six that are all alike.
    bare = idle.bare
    monkeypatch.setattr(idle, "bare", lambda context, _, seconds, folder: bare(context, 1, seconds, folder))
    assert bench.main(["--quick", "--json", "--shapes", "random"]) == 0
    found = json.loads(capsys.readouterr().out)["rows"]
    rows = {row["name"]: row for row in found}
    # In the short time that it is looked at, what is idle may have used no tick of a processor.
    least = {name: 0.0 if row["unit"] == "%" else 1e-9 for name, row in rows.items()}
    assert [row for name, row in rows.items() if not math.isfinite(row["value"]) or row["value"] < least[name]] == []
    compared = [name for name, row in rows.items() if row["ratio"] is not None]
    assert {"tt --help, wall", "chain of 6: hand-off p50", "chain of 6: commands"} <= set(compared)
    boxed = {"chain of 2 with git in bubblewrap: hand-off p50", "chain of 2 with git in bubblewrap: processor"}
    assert boxed & set(compared) == (set() if places.no_sandbox() else boxed)
    assert {f"chain of 2{git}: hand-off across hosts p50" for git in ("", " with git")} <= set(compared)
    assert "idle, 2 agents of 2 roles: memory" in compared
    assert {"tt list, 2 agents: wall", "tt status, 2 agents: wall"} <= set(rows)
    assert "12 items that stand: tt mission status" in compared
    assert "a pull request that waits for checks, of 1: counted requests" in compared
    assert {"finished work to its pull request", "red check, once looked at, to its fix round"} <= set(compared)
    assert len(rows) == len(found), "two rows of one name"
    assert {"reading dependencies", "planning 50 issues", "bytes per item: random of 12 by of 6"} <= set(rows)
