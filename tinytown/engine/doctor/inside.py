"""What an agent of one CLI can read, write and reach in the sandbox that its worker would give it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from tinytown import contract, processes
from tinytown.errors import ConfigurationError, StateError
from tinytown.town import Town

#: Seconds that it may take: the sandbox is tried.
PATIENCE = 40.0
#: What is said about approvals, by what may give one: the CLI's marked answer, or what `verdict_by` allows.
_APPROVING = {
    "answer": "by its final answer alone",
    "self": "by its own process alone",
    "cli": "by its own last line, or by `tt` as its child: a program of the change that it starts can become that one, "
    "so have it run by `tt review run`, or set `verdict_by`",
    "any": "by any program that runs in it, those of the change included (`verdict_by`)",
}
_TITLES = {"read": "It can read", "write": "It can write", "none": "Hidden from it"}


def inside(town: Town, cli: str) -> dict[str, Any]:
    """The answer of a worker's process; its keys are those of ``tt doctor --sandbox CLI --json``.

    Raises:
        ConfigurationError: there is no such CLI, or its settings are wrong.
        StateError: nothing could be found out.
    """
    argv = [sys.executable, "-P", "-m", "tinytown_workers.doctor.inventory", cli]
    env = {**contract.for_processes(os.environ), contract.ENV_TOWN: str(town.root)}
    done = processes.run(argv, cwd="/", env=env, timeout=PATIENCE, check=False)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.code}"]
        raise StateError(f"the sandbox could not be looked at: {last[0]}", remedy="see `tt doctor`") from None
    if "error" in answer:
        raise ConfigurationError(answer["error"], remedy=answer["remedy"])
    return answer


def lines(answer: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    yield f"An agent of {answer['cli']} ({answer['program'] or 'not installed'})"
    if answer["sandbox"] == "none":
        yield f"There is no sandbox: {answer['why']}"
        yield "It can read, write and reach all that you can."
        yield from _judging(answer)
        return
    yield "It can read the system:"
    yield from (f"  {path}" for path in answer["system"])
    for access, title in _TITLES.items():
        entries = [entry for entry in answer["entries"] if entry["access"] == access]
        if entries:
            yield f"{title}:"
            yield from (f"  {entry['path']}{_remark(entry['what'])}" for entry in entries)
    if answer["left_out"]:
        yield "Asked for, and not shown:"
        yield from (f"  {one['path']}: {one['why']}" for one in answer["left_out"])
    yield from _network(answer["network"])
    if answer["weak"]:
        yield "Weaker than it could be:"
        yield from (f"  {one['said']}: {one['remedy']}" for one in answer["weak"])
    yield from _judging(answer)


def _judging(answer: dict[str, Any]) -> Iterator[str]:
    """Whose approval counts in a review by this CLI."""
    yield f"In a review it approves {_APPROVING[answer['approves']]}"


def _remark(what: str) -> str:
    return "" if what in ("all of it", "hidden", "its own") else f" ({what})"


def _network(network: dict[str, Any]) -> Iterator[str]:
    if network["shared"]:
        yield f"It can reach all that this machine can, its own services included: {network['why']}"
        return
    if network["egress"] == "strict":
        yield f"It can reach only: {', '.join(network['hosts']) or 'nothing'}"
    else:
        more = f", and {', '.join(network['hosts'])}" if network["hosts"] else ""
        yield f"It can reach public hosts{more}"
    if network["loopback"]:
        yield f"It can reach these ports of this machine: {', '.join(map(str, network['loopback']))}"
