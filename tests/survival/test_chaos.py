"""Real processes, killed, stopped and cut off: nothing is lost, nothing is done twice, nothing begins early.

``CHAOS_SECS=120`` goes on for so long with faults by chance, ``CHAOS_SEED`` says which; else there is one of each kind
that costs little time. ``CHAOS_RESULTS`` names a folder for what was seen, a file a seed.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.survival.chaos import PASSWORD, Chaos, ServerProcess
from tests.survival.door import Door
from tinytown.host.lifecycle import stop

SECS = float(os.environ.get("CHAOS_SECS", "0"))
SEEDS = [int(seed) for seed in os.environ.get("CHAOS_SEED", "1").split(",")]
#: In every run of the tests, in this order or another.
FEW = ["reset", "kill worker", "kill server", "kill agent", "kill control"]


@pytest.mark.timeout(600 + 4 * SECS)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_done_twice_or_begun_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    with tempfile.TemporaryDirectory(prefix="tt-chaos-", dir="/tmp") as folder:  # The path of a socket is short.
        server = ServerProcess(Path(folder) / "server")
        project = Project(tmp_path / "project")
        try:
            with Door(server.path) as door:
                monkeypatch.setenv("REDIS_URL", door.url.replace("//", f"//:{PASSWORD}@"))
                chaos = Chaos(project, server, door, seed)
                try:
                    chaos.found(most=max(4, int(SECS / 4)))
                    kinds = [] if SECS else random.Random(seed).sample(FEW, len(FEW))
                    told = chaos.run(SECS, kinds=kinds)
                finally:
                    if (project.root / ".tt" / "town.json").exists():
                        stop(project.town)
        finally:
            server.kill()
    if results := os.environ.get("CHAOS_RESULTS"):
        (Path(results) / f"chaos-{seed}.json").write_text(json.dumps(told.as_data()), encoding="utf-8")
    assert (told.lost, told.twice, told.early, told.reused) == ([], [], [], [])
    # Where no agent runs at that moment, none is killed.
    assert len(told.recovered) >= (len(FEW) - 1 if not SECS else SECS / 10), told.recovered
