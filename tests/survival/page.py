"""Writes `docs/survival.md` from what a campaign counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.survival.campaign import RESULTS

PAGE = Path(__file__).parents[2] / "docs" / "survival.md"

#: What each real fault is, and what is promised of it at the usual timing.
FAULTS: Mapping[str, tuple[str, str]] = {
    "kill worker": ("`kill -9` of the process that serves the agents of a role", "a lease and a tick: 120 s"),
    "kill agent": ("`kill -9` of an agent's program", "a lease and a tick: 120 s"),
    "stop worker": (
        "`SIGSTOP` of that process beyond its lease; counted from where it wakes",
        "a lease and a tick: 120 s",
    ),
    "kill control": ("`kill -9` of the process that decides", "a tick: 30 s"),
    "kill beat": ("`kill -9` of the clock", "a tick: 30 s"),
    "kill checks": ("`kill -9` of the process that checks and merges", "a tick: 30 s"),
    "kill supervisor": ("`kill -9` of what starts the others again", "a tick: 30 s"),
    "kill server": ("`kill -9` of the database; it is started again at once", "30 s"),
    "reset": ("all connections to the database are reset", "25 s"),
    "cut": ("nobody can connect to it for up to 3 s", "25 s"),
    "swallow": ("nothing passes for up to 3 s, and nobody is told", "25 s"),
    "slow": ("everything comes 0.12 s late, for up to 3 s", "25 s"),
    "half open": ("connections look open, and nothing ever passes again", "25 s"),
}

_HEAD = """# What it survives

This page is written by `make survival`, which runs the whole suite in `tests/story` and `tests/survival` with faults by
chance and counts what it saw. A smaller part of it is in `make check`, a larger one in `make soak`. It was last run on
{processors} processors that other work shared.

| | |
|---|---|
| stories told (seeds) | {seeds:,} |
| hours that passed in them | {hours:,.0f} |
| faults in them | {simulated:,} |
| faults in real processes | {real:,} |
| items lost | {lost} |
| items done twice | {twice} |
| items begun early | {early} |
| numbers of attempts used twice | {reused} |
| rules broken in stories | {violations} |
"""

_MENDED = """
What broke a rule was mended afterwards, with a test of its own:

{tests}
"""

_STORIES = """
## Stories

A story is a whole town from one seed, on the real database and the real engine: Celery, git and the clock are
replaced, and everything goes wrong that a seed says. After each commit the rules are looked at: no fence falls, no
attempt counts twice, nothing begins before what it waits for, no slot is taken twice, and whoever is told to go on
holds the attempt that its item has. Once the faults stop, every mission must end, or ask a person and say what for, and
money must be counted once. A seed decides all of its story: {told} of them were told twice, on two servers and with
hashes in another order, and {same} of these went the same way both times, step by step.
"""

_LIVE = """
## Real processes

A town with four agents in two processes, its database behind a proxy that breaks, and one fault after the other.
Judged by the journal that agents write, by git, and by the town's history. The town runs with a lease of 5 s and a tick
of 1 s, so that much happens; the promises are for the usual 90 s and 30 s. {runs} runs took {minutes:,.0f} minutes, in
which {agents:,} agents ran for {items:,} items; {asked} times the town asked a person, who let it go on.

| fault | what it is | times | p50 | p99 | promised |
|---|---|---|---|---|---|
"""

_HOSTS = """
Beside it, a town of two hosts with two agents each: the way of one to the database broke {times} times for longer than
its lease, while it was at work. In {minutes:,.0f} minutes {agents:,} agents ran for {items:,} items, of which {lost}
were lost, {twice} done twice and {early} begun early.

| until | times | p50 | p99 | promised |
|---|---|---|---|---|
"""
#: What the times of a host that was cut off are, and what is promised of them at the usual timing.
UNTIL: Mapping[str, tuple[str, str]] = {
    "cut off": ("others are at what it had, and the town takes it for away", "a lease and a tick: 120 s"),
    "back": ("it works again, once its way is open", "its longest pause between tries to connect, and a tick: 60 s"),
}

_ATLAS = """
## Every effect

A mission of two issues with real git and real agents has up to {effects} effects on the world: commits to the database,
changes of refs, agents begun. At one of them a process is killed before or after it, its answer is lost, or it happens
twice. {run} of {pairs} such pairs of an effect and a fault were run, a mission each. In {tried} of these missions there
were as many effects, and {good} of {tried} came to their end with everything done once and in order.
"""

_SABOTAGES = """
In such missions faults were planted into the engine, and {seen} of {count} were seen:

{names}
"""

_MUTANTS = """
## Faults that are planted

A suite that finds nothing proves nothing unless it finds what is planted. {seen} of {count} faults in the engine were
noticed by a story that goes well without them: the first, or one of the next that were told.

| fault in the engine | stories of | noticed by story |
|---|---|---|
"""

_SCRIPTS = """
Each Lua script runs beside a model of it: through a sequence that leads to each kind of its answers, and through random
sequences of all scripts. Of {count} faults in scripts, {directed} were seen by the former, and {chance} by the latter:

| fault in a script | seen by the sequence that leads to | by chance |
|---|---|---|
"""


def render(known: Mapping[str, Any]) -> str:
    """The page, from results."""
    told, live, cut = known["stories"], known["chaos"], known["hosts"]
    parts = [
        _HEAD.format(
            processors=known["processors"], seeds=sum(told["seeds"].values()), hours=told["hours"],
            simulated=sum(told["faults"].values()),
            real=sum(row["faults"] for row in live["recovery"].values()) + cut["recovery"]["cut off"]["faults"],
            violations=told["violations"],
            **{name: live[name] + cut[name] for name in ("lost", "twice", "early", "reused")},
        ),
        _MENDED.format(tests="\n".join(map("- `{}`".format, told["mended"]))) if told.get("mended") else "",
        _STORIES.format(**known["again"]),
        _table(("stories of", "seeds"), told["seeds"].items()),
        _table(("fault in a story", "times"), told["faults"].items()),
        _LIVE.format(minutes=live["seconds"] / 60, **{n: live[n] for n in ("runs", "agents", "items", "asked")}),
        *(
            f"| {kind} | {FAULTS[kind][0]} | {row['faults']} | {row['p50']} s | {row['p99']} s | {FAULTS[kind][1]} |\n"
            for kind, row in live["recovery"].items()
        ),
        *_of_hosts(known["hosts"]),
        *(line for part, lines in _PARTS.items() if part in known for line in lines(known[part])),
    ]  # fmt: skip
    return "".join(parts)


def _of_hosts(found: Mapping[str, Any]) -> Iterable[str]:
    names = ("agents", "items", "lost", "twice", "early")
    times = found["recovery"]["cut off"]["faults"]
    yield _HOSTS.format(times=times, minutes=found["seconds"] / 60, **{name: found[name] for name in names})
    for kind, row in found["recovery"].items():
        what, promised = UNTIL[kind]
        yield f"| {what} | {row['faults']} | {row['p50']} s | {row['p99']} s | {promised} |\n"


def _effects(atlas: Mapping[str, Any]) -> Iterable[str]:
    yield _ATLAS.format(**atlas)
    yield _table(("what happened", "missions"), atlas["faults"].items())
    yield _table(("at an effect on", "missions"), atlas["kinds"].items())


def _in_missions(sabotages: Mapping[str, bool]) -> Iterable[str]:
    seen = [_words(name) for name, met in sabotages.items() if met]
    yield _SABOTAGES.format(seen=len(seen), count=len(sabotages), names="\n".join(map("- {}".format, seen)))


def _planted(mutants: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    yield _MUTANTS.format(seen=sum(row["seed"] is not None for row in mutants.values()), count=len(mutants))
    for name, row in mutants.items():
        kind, fault = name.split(": ")
        number = f"none of {row['stories']}" if row["seed"] is None else row["seed"] + 1
        yield f"| {_words(fault)} | {kind} | {number} |\n"


def _in_scripts(scripts: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    directed, chance = (sum(bool(row[word]) for row in scripts.values()) for word in ("by", "chance"))
    yield _SCRIPTS.format(count=len(scripts), directed=directed, chance=chance)
    for name, row in scripts.items():
        yield f"| {_words(name)} | {row['by'] or 'none of them'} | {'yes' if row['chance'] else 'no'} |\n"


#: Parts that are told as far as they were run, in this order.
_PARTS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "atlas": _effects,
    "sabotages": _in_missions,
    "mutants": _planted,
    "scripts": _in_scripts,
}


def _table(head: tuple[str, str], rows: Iterable[tuple[str, int]]) -> str:
    lines = [f"\n| {head[0]} | {head[1]} |", "|---|---|", *(f"| {name} | {count:,} |" for name, count in rows)]
    return "\n".join(lines) + "\n"


def _words(name: str) -> str:
    return name.replace("_", " ")


def main() -> None:
    """Write it."""
    PAGE.write_text(render(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
