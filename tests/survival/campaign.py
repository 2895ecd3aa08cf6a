"""The whole suite once, counted: ``make survival`` runs it and writes `results.json`, from which the page is made.

``python -m tests.survival.campaign stories 400`` runs one part of it, `chaos FOLDER` and `atlas FILE` read what tests
left there (``CHAOS_RESULTS``, ``ATLAS_RESULTS``); other parts stay as they are.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.story import test_hosts, test_mutants
from tests.story.backlog_town import tell_of_tasks
from tests.story.mail_town import tell_of_messages
from tests.story.simulation import StoryTown, tell
from tests.survival.chaos import PROMISED, ServerProcess
from tests.survival.test_atlas import EFFECTS

RESULTS = Path(__file__).with_name("results.json")

#: Kinds of stories: how one is told, and its share of the seeds.
STORIES: dict[str, tuple[Callable[[int, str], StoryTown], float]] = {
    "missions": (tell, 0.2),
    "tasks by hand, plans and a backlog": (tell_of_tasks, 0.1),
    "messages": (tell_of_messages, 0.1),
    "several hosts": (test_hosts.KINDS["quiet"][0], 0.3),
    "several hosts, all that a town does": (test_hosts.KINDS["busy"][0], 0.15),
    "several hosts and a database that forgets": (test_hosts.KINDS["old"][0], 0.15),
}
#: Stories with each planted fault.
NOTICING = 8


def mutants() -> dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[int, str], object]]]:
    """Every fault that is planted into the engine, and the stories that must notice it."""
    known: dict[str, Any] = {name: (plant, tell) for name, plant in test_mutants.PLANTS.items()}
    for name, (plant, kind, _) in test_hosts.FAULTS.items():
        known[f"hosts: {name}"] = (plant, test_hosts.KINDS[kind][0])
    return known


def _quiet() -> None:
    logging.disable(logging.CRITICAL)


def _one(order: tuple[str, int, str]) -> tuple[str, dict[str, int], float, str]:
    kind, seed, url = order
    try:
        town = STORIES[kind][0](seed, url)
    except AssertionError as error:
        return kind, {}, 0.0, str(error)
    return kind, dict(town.faults), town.passed, ""


def stories(count: int, url: str) -> dict[str, Any]:
    """So many stories in all; gives what is told of them on the page."""
    orders = [
        (kind, seed, url)
        for kind, (_, share) in STORIES.items()
        for seed in range(10_000, 10_000 + round(count * share))
    ]
    seeds, faults, violations = Counter[str](), Counter[str](), []
    hours = 0.0
    with multiprocessing.Pool(_processes(), _quiet) as pool:
        for kind, met, passed, error in pool.imap_unordered(_one, orders, chunksize=4):
            seeds[kind] += 1
            faults.update(met)
            hours += passed / 3600
            if error:
                violations.append(error)
                sys.stderr.write(f"{error}\n")
    return {"seeds": dict(seeds), "hours": round(hours, 1), "faults": dict(sorted(faults.items())),
            "violations": len(violations)}  # fmt: skip


def _noticed(order: tuple[str, int, str]) -> tuple[str, bool]:
    name, seed, url = order
    plant, told = mutants()[name]
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        try:
            told(seed, url)
        except AssertionError:
            return name, True
    return name, False


def noticing(url: str) -> dict[str, Any]:
    """How many of the first stories notice each planted fault."""
    orders = [(name, seed, url) for name in mutants() for seed in range(NOTICING)]
    found = Counter(dict.fromkeys(mutants(), 0))
    with multiprocessing.Pool(_processes(), _quiet) as pool:
        for name, seen in pool.imap_unordered(_noticed, orders, chunksize=2):
            found[name] += seen
    return {"stories": NOTICING, "noticed": dict(found)}


def _processes() -> int:
    return len(os.sched_getaffinity(0))


def chaos(folder: Path) -> dict[str, Any]:
    """What the runs with real processes left in a folder, a file each."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("chaos-*.json"))]
    times: dict[str, list[float]] = {kind: [] for kind in PROMISED}
    for run in runs:
        for kind, seconds in run["recovered"]:
            times[kind].append(seconds)
    return {
        "runs": len(runs),
        "seconds": round(sum(run["seconds"] for run in runs)),
        "items": sum(run["items"] for run in runs),
        "agents": sum(run["runs"] for run in runs),
        "asked": sum(run["asked"] for run in runs),
        **{name: sum(len(run[name]) for run in runs) for name in ("lost", "twice", "early", "reused")},
        "recovery": {kind: _spread(found) for kind, found in times.items() if found},
    }


def _spread(found: Iterable[float]) -> dict[str, float]:
    known = sorted(found)
    middle, last = (known[min(len(known) - 1, int(len(known) * share))] for share in (0.5, 0.99))
    return {"faults": len(known), "p50": round(middle, 1), "p99": round(last, 1)}


def atlas(file: Path) -> dict[str, Any]:
    """What was tried, a line a mission."""
    tried = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {"effects": EFFECTS, "tried": len(tried)}


def all_effects(file: Path) -> None:
    """Every fault at every effect."""
    environ = {**os.environ, "ATLAS": "all", "ATLAS_RESULTS": str(file)}
    subprocess.run([sys.executable, "-m", "pytest", "-q", "tests/survival/test_atlas.py"], env=environ, check=True)


def live(seeds: Iterable[int], seconds: float, folder: Path) -> None:
    """Runs with real processes, one after the other."""
    environ = {**os.environ, "CHAOS_SECS": str(seconds), "CHAOS_SEED": ",".join(map(str, seeds)),
               "CHAOS_RESULTS": str(folder)}  # fmt: skip
    subprocess.run([sys.executable, "-m", "pytest", "-q", "tests/survival/test_chaos.py"], env=environ, check=True)


def main(words: list[str]) -> None:
    """Run the parts that are named, or all."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    part, number = (*words, *("all", "2500")[len(words) :])
    with tempfile.TemporaryDirectory(prefix="tt-campaign-", dir="/tmp") as made:
        folder = Path(made)
        server = ServerProcess(folder / "server", password="")
        url = f"unix://{server.path}"
        try:
            if part in ("all", "stories"):
                known["stories"] = stories(int(number), url)
            if part in ("all", "mutants"):
                known["mutants"] = noticing(url)
        finally:
            server.kill()
        if part == "all":
            live(range(201, 219), 90, folder)
            known["chaos"] = chaos(folder)
            all_effects(folder / "atlas")
            known["atlas"] = atlas(folder / "atlas")
        elif part == "chaos":
            known["chaos"] = chaos(Path(number))
        elif part == "atlas":
            known["atlas"] = atlas(Path(number))
    known["processors"] = _processes()
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
