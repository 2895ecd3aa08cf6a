"""A host that is cut off beyond its lease: nothing is lost, nothing is done twice, nothing begins early.

``CUT_OFF=4`` cuts one off so many times, ``CHAOS_SEED`` says how; else it is left to `tests/acceptance/test_hosts.py`.
``CHAOS_RESULTS`` names a folder for what was seen, a file a seed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.two_hosts import PASSWORD, Home, Other, a_server
from tests.survival.cut_hosts import MISSIONS, PROMISED, CutHosts
from tests.survival.door import Door
from tinytown.host.lifecycle import stop

TIMES = int(os.environ.get("CUT_OFF", "0"))
SEEDS = [int(seed) for seed in os.environ.get("CHAOS_SEED", "1").split(",")]


@pytest.mark.skipif(not TIMES, reason="CUT_OFF says how often a host is cut off")
@pytest.mark.timeout(600 + 120 * TIMES)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_host_has_that_is_cut_off_is_done_once(tmp_path: Path, seed: int) -> None:
    with a_server(tmp_path / "server") as url, Door(port=urlsplit(url).port or 0) as door:
        home = Home(tmp_path / "home" / "project", url)
        isle = Other(tmp_path / "there" / "isle", door.url.replace("//", f"//:{PASSWORD}@"))
        trial = CutHosts(home, isle, door, seed)
        try:
            trial.found(most=MISSIONS * TIMES)
            told = trial.run(TIMES)
        finally:
            isle.end()
            if (home.root / ".tt" / "town.json").exists():
                stop(home.town)
    if results := os.environ.get("CHAOS_RESULTS"):
        (Path(results) / f"hosts-{seed}.json").write_text(json.dumps(told.as_data()), encoding="utf-8")
    assert (told.lost, told.twice, told.early, told.reused) == ([], [], [], [])
    assert [kind for kind, _ in told.recovered] == [*PROMISED] * TIMES
