"""The whole suite once, counted: ``make survival`` runs it and writes `results.json`, from which the page is made.

``make survival ARGS="mutants --minutes 20"`` runs one part of it and stops after a while; the next time it goes on
where it stopped: each part has a file in `build/survival` with a line for each thing that it did. ``--new`` begins it
anew. What is counted goes into `results.json` once a part is whole; of the atlas, whatever there is.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.story import test_hosts, test_message_mutants, test_mutants, test_plan_mutants
from tests.story.backlog_town import tell_of_tasks
from tests.story.invariants import ViolationError
from tests.story.mail_town import tell_of_messages
from tests.story.noticing import first_noticing
from tests.story.simulation import StoryTown, tell
from tests.survival import cut_hosts
from tests.survival.chaos import PROMISED, ServerProcess
from tests.survival.done import read
from tests.survival.life import SABOTAGES
from tests.survival.test_atlas import EFFECTS, PAIRS
from tests.survival.test_scripts import FAULTS as SCRIPT_FAULTS
from tinytown.state.database import connect

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("results.json")
#: A file for each part, a line for each thing that was done.
DONE = ROOT / "build" / "survival"


def file_of(part: str) -> Path:
    """Where its lines are: those of the atlas, which takes longest, stay with the tests, so that anybody goes on."""
    return RESULTS.with_name("atlas.jsonl") if part == "atlas" else DONE / f"{part}.jsonl"


#: Kinds of stories: how one is told, and its share of the seeds.
STORIES: dict[str, tuple[Callable[[int, str], StoryTown], float]] = {
    "missions": (tell, 0.2),
    "tasks by hand, plans and a backlog": (tell_of_tasks, 0.1),
    "messages": (tell_of_messages, 0.1),
    "several hosts": (test_hosts.KINDS["quiet"][0], 0.3),
    "several hosts, all that a town does": (test_hosts.KINDS["busy"][0], 0.15),
    "several hosts and a database that forgets": (test_hosts.KINDS["old"][0], 0.15),
}
#: Stories in all, and the number of the first of each kind.
COUNT, FIRST = 2000, 10_000
#: Of so many stories one is told twice, by processes that have hashes in another order, each with a server of its own.
AGAIN, HASHES = 80, ("1", "2")
#: Runs with real processes, by part: the test, its seeds, the kinds of times that it measures, and what tells it how
#: much to do.
LIVE: dict[str, tuple[str, range, Iterable[str], dict[str, str]]] = {
    "chaos": ("tests/survival/test_chaos.py", range(201, 219), PROMISED, {"CHAOS_SECS": "90"}),
    "hosts": ("tests/survival/test_cut_hosts.py", range(301, 303), cut_hosts.PROMISED, {"CUT_OFF": "3"}),
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Mutant:
    """A fault that is planted into the engine, and the stories of which one must notice it."""

    plant: Callable[[pytest.MonkeyPatch], None]
    told: Callable[[int, str], object]
    stories: int


def mutants() -> Mapping[str, Mutant]:
    """All of them; a name says what the stories are of."""
    known: dict[str, Mutant] = {}
    for name, plant in test_mutants.PLANTS.items():
        known[f"missions: {name}"] = Mutant(plant, tell, test_mutants.STORIES)
    for module, kind, usual in (
        (test_plan_mutants, "tasks by hand, plans and a backlog", tell_of_tasks),
        (test_message_mutants, "messages", tell_of_messages),
    ):
        for name, plant in module.PLANTS.items():
            known[f"{kind}: {name}"] = Mutant(plant, module.TOLD.get(name, usual), module.STORIES)
    for name, (plant, told, stories) in test_hosts.FAULTS.items():
        known[f"several hosts: {name}"] = Mutant(plant, told, stories)
    return known


# -- parts: what is left to do, and how one thing is done -------------------------------------------


def _quiet() -> None:
    logging.disable(logging.CRITICAL)


def _told(order: tuple[str, int, str]) -> Row:
    kind, seed, url = order
    row = {"kind": kind, "seed": seed, "hashes": os.environ.get("PYTHONHASHSEED")}
    try:
        town = STORIES[kind][0](seed, url)
    except AssertionError as error:
        sys.stderr.write(f"{error}\n")
        return row | {"faults": {}, "seconds": 0.0, "broken": True, "history": None}
    return row | {"faults": dict(town.faults), "seconds": town.passed, "broken": False, "history": town.history()}


def _noticed(order: tuple[str, str]) -> Row:
    """Which story was the first to notice it; it went well without the fault."""
    name, url = order
    mutant = mutants()[name]
    row = {"name": name, "seed": None, "stories": mutant.stories, "fits": True}
    try:
        row["seed"] = first_noticing(mutant.plant, mutant.told, url, stories=mutant.stories)
    except ViolationError as error:  # What is planted does not fit the code any more.
        sys.stderr.write(f"{name}: {error}\n")
        row["fits"] = False
    return row


def _stories(done: list[Row], url: str, every: int = 1) -> tuple[Callable[..., Row], list[Any]]:
    known = {(row["kind"], row["seed"]) for row in done}
    orders = [(kind, FIRST + n, url) for kind, (_, share) in STORIES.items() for n in range(round(COUNT * share))]
    return _told, [order for order in orders[::every] if order[:2] not in known]


def _again(done: list[Row], url: str) -> tuple[Callable[..., Row], list[Any]]:
    return _stories([row for row in done if row["hashes"] == os.environ["PYTHONHASHSEED"]], url, AGAIN)


def _mutants(done: list[Row], url: str) -> tuple[Callable[..., Row], list[Any]]:
    known = {row["name"] for row in done if row["fits"]}
    return _noticed, [(name, url) for name in mutants() if name not in known]


#: Parts that need no processes of the town.
TOLD = {"stories": _stories, "again": _again, "mutants": _mutants}


def tell_part(part: str, until: float, jobs: int) -> None:
    """Go on with stories or mutants until then."""
    file, started = file_of(part), multiprocessing.get_context("spawn" if part == "again" else "fork")
    with tempfile.TemporaryDirectory(prefix="tt-campaign-", dir="/tmp") as made:
        server = ServerProcess(Path(made) / "server", password="")
        try:
            url = f"unix://{server.path}"
            # A host of a story takes a server that is not there yet for one that is away.
            with connect(url, retries=20) as client:
                client.ping()
            do, orders = TOLD[part](_done(part), url)
            with started.Pool(jobs, _quiet) as pool, file.open("a", encoding="utf-8") as out:
                for row in pool.imap_unordered(_in_time, [(do, order, until) for order in orders]):
                    if row is not None:
                        out.write(json.dumps(row) + "\n")
                        out.flush()
        finally:
            server.kill()


def tell_twice(until: float, jobs: int) -> None:
    """Go on with the stories that are told twice until then."""
    for hashes in HASHES:
        with mock.patch.dict(os.environ, PYTHONHASHSEED=hashes):
            tell_part("again", until, jobs)


def _in_time(asked: tuple[Callable[..., Row], Any, float]) -> Row | None:
    """One of them, if there is time left; the clock is the same in all processes."""
    do, order, until = asked
    return do(order) if time.monotonic() < until else None


#: Parts that are tests: which, and what tells them to go through all that is not in their file yet.
TESTED = {
    "atlas": (("tests/survival/test_atlas.py", "-k", "whatever"), "ATLAS"),
    "sabotages": (("tests/survival/test_atlas.py", "-k", "sabotage"), "ATLAS"),
    "scripts": (("tests/survival/test_scripts.py", "-k", "fault"), "SCRIPT_FAULTS"),
}


def test_part(part: str, until: float) -> None:
    """Go on with these tests until then."""
    words, name = TESTED[part]
    environ = {**os.environ, name: "all", "SURVIVAL_DONE": str(file_of(part))}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *words], env=environ, cwd=ROOT
    )
    try:
        code = process.wait(max(1.0, until - time.monotonic()))
        if code:
            sys.stderr.write(f"{part}: pytest ended with {code}\n")
    except subprocess.TimeoutExpired:
        process.send_signal(2)  # As Ctrl-C: its fixtures clear up.
        process.wait()


def live(part: str, until: float) -> None:
    """Runs with real processes, one after the other, until then."""
    test, seeds, _, much = LIVE[part]
    for seed in seeds:
        if not (DONE / f"{part}-{seed}.json").exists() and time.monotonic() < until:
            environ = {**os.environ, **much, "CHAOS_SEED": str(seed), "CHAOS_RESULTS": str(DONE)}
            subprocess.run([sys.executable, "-m", "pytest", "-q", test], env=environ, cwd=ROOT, check=False)


# -- what is counted -------------------------------------------------------------------------------


def _done(part: str) -> list[Row]:
    return read(file_of(part))


def count_stories() -> dict[str, Any] | None:
    done = _done("stories")
    if len(done) < sum(round(COUNT * share) for _, share in STORIES.values()):
        return None
    faults: Counter[str] = Counter()
    for row in done:
        faults.update(row["faults"])
    return {
        "seeds": {kind: sum(row["kind"] == kind for row in done) for kind in STORIES},
        "hours": round(sum(row["seconds"] for row in done) / 3600, 1),
        "faults": dict(sorted(faults.items())),
        "violations": sum(row["broken"] for row in done),
    }


def count_again() -> dict[str, int] | None:
    """Of the stories that were told twice, how many had the same history."""
    told: dict[tuple[str, int], list[str | None]] = {}
    for row in _done("again"):
        told.setdefault((row["kind"], row["seed"]), []).append(row["history"])
    pairs = [both for both in told.values() if len(both) == len(HASHES)]
    whole = len(pairs) * AGAIN >= sum(round(COUNT * share) for _, share in STORIES.values())
    return {"told": len(pairs), "same": sum(first == second is not None for first, second in pairs)} if whole else None


def count_mutants() -> dict[str, Any] | None:
    done = {row["name"]: row for row in _done("mutants") if row["fits"]}
    found = {name: {word: done[name][word] for word in ("seed", "stories")} for name in mutants() if name in done}
    return found if done.keys() >= mutants().keys() else None


def count_atlas() -> dict[str, Any] | None:
    """Of all pairs of an effect's number and a fault; also while there are more to run."""
    done = {(row["at"], row["fault"]): row for row in _done("atlas")}
    struck = [row for row in done.values() if row["what"]]
    if not struck:
        return None
    return {
        "pairs": len(PAIRS),
        "run": len(done),
        "tried": len(struck),
        "effects": EFFECTS,
        "good": sum(row["good"] for row in struck),
        "faults": dict(sorted(Counter(row["fault"] for row in struck).items())),
        "kinds": dict(sorted(Counter(row["what"].split(" ")[0] for row in struck).items())),
    }


def count_sabotages() -> dict[str, bool] | None:
    """By each of them, whether it was seen."""
    done = {row["name"]: row["seen"] for row in _done("sabotages")}
    return {name: done[name] for name in SABOTAGES} if done.keys() >= SABOTAGES.keys() else None


def count_scripts() -> dict[str, Any] | None:
    """By each fault, the sequence that sees it, and whether random ones do."""
    found: dict[str, Row] = {}
    for row in _done("scripts"):
        found.setdefault(row.pop("name"), {}).update(row)
    whole = all(found.get(name, {}).keys() == {"by", "chance"} for name in SCRIPT_FAULTS)
    return {name: found[name] for name in SCRIPT_FAULTS} if whole else None


def count_live(part: str) -> dict[str, Any] | None:
    """What the runs with real processes left, a file each."""
    _, seeds, kinds, _ = LIVE[part]
    files = sorted(DONE.glob(f"{part}-*.json"))
    if len(files) < len(seeds):
        return None
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
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


#: How each part is counted, in the order in which they are run.
COUNTED: dict[str, Callable[[], Any]] = {
    "stories": count_stories,
    "again": count_again,
    "mutants": count_mutants,
    "scripts": count_scripts,
    "sabotages": count_sabotages,
    "atlas": count_atlas,
    "chaos": partial(count_live, "chaos"),
    "hosts": partial(count_live, "hosts"),
}


def main(words: list[str]) -> None:
    """Run the parts that are named, or all; what is left is done the next time."""
    parser = argparse.ArgumentParser(prog="python -m tests.survival.campaign")
    parser.add_argument("parts", nargs="*", default=list(COUNTED), help=f"some of {', '.join(COUNTED)}")
    parser.add_argument("--minutes", type=float, default=60 * 24, help="stop after so many; the next time goes on")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="stories that are told at once")
    parser.add_argument("--new", action="store_true", help="forget what was done of these parts")
    asked = parser.parse_args(words)
    if unknown := set(asked.parts) - COUNTED.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(COUNTED)}")
    if asked.new:
        for part in asked.parts:
            for path in (file_of(part), *DONE.glob(f"{part}-*")):
                path.unlink(missing_ok=True)
    DONE.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * asked.minutes
    whole = True
    for part in asked.parts:
        if part == "again":
            tell_twice(until, asked.jobs)
        elif part in TOLD:
            tell_part(part, until, asked.jobs)
        elif part in TESTED:
            test_part(part, until)
        else:
            live(part, until)
        found = COUNTED[part]()
        whole = whole and found is not None
        if found is not None:
            known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
            known |= {part: found, "processors": len(os.sched_getaffinity(0))}
            RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    if not whole:
        sys.stderr.write("there is more to do: run it again, and it goes on\n")


if __name__ == "__main__":
    main(sys.argv[1:])
