"""A process that can be killed, and does all that those of a town do in a mission: decide, work, check and merge."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.github import mortal
from tinytown import contract, settings
from tinytown.engine.dispatch import attempts, reconcile
from tinytown.engine.dispatch.advance import advance_all
from tinytown.engine.start.start import Order, start
from tinytown.errors import TinytownError
from tinytown.host import process_identity
from tinytown.missions import lifecycle, mission_state
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, Purpose
from tinytown.state.database import Draft
from tinytown.town import Town
from tinytown_workers.pipeline import Attempts
from tinytown_workers.serve.slots import Slot, Slots

#: Who works, and who checks.
AGENT, CHECKS = "ann", "checks"


def _blind(patch: pytest.MonkeyPatch) -> None:
    """Nothing is compared before it is written."""
    patch.setattr(Draft, "expect", lambda self, key, field, version: self._key(key))
    patch.setattr(Draft, "once", lambda self, key: None)


def _early(patch: pytest.MonkeyPatch) -> None:
    """Nothing waits for what it depends on."""
    patch.setattr(mission_state, "startable", lambda item, items: item.state is ItemState.PENDING)


def _never_given_back(patch: pytest.MonkeyPatch) -> None:
    """Whoever died keeps its attempt, and its lease never ends."""
    patch.setattr(attempts, "abandon", lambda *_, **__: None)


def _same_number(patch: pytest.MonkeyPatch) -> None:
    """What is sent again has the number that it had."""
    send = lifecycle.send

    def again(item: Item, **words: Any) -> Item | None:
        new = send(item, **words)
        number = 1 if new is None or new.attempt is None or new.attempt.purpose is not Purpose.WORK else item.fence or 1
        return new and new.evolve(fence=number, attempt=new.attempt and new.attempt.evolve(number=number))

    patch.setattr(lifecycle, "send", again)


def _taken_without_a_lease(patch: pytest.MonkeyPatch) -> None:
    """A report counts whoever has the attempt by now, and leaves its lease."""
    write = Draft.write

    def keep(self: Draft, command: str, key: str, *words: str | float) -> None:
        if not (command == "ZREM" and key.endswith(":leases")):
            write(self, command, key, *words)

    patch.setattr(Draft, "write", keep)


#: Faults that are planted into the process, by their names.
SABOTAGES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "nothing_is_compared": _blind,
    "nothing_waits": _early,
    "the_dead_keep_what_they_have": _never_given_back,
    "a_number_is_used_again": _same_number,
    "a_lease_stays": _taken_without_a_lease,
}


class Life:
    """What one does, from its first order to its end."""

    def __init__(self, order: dict[str, Any]) -> None:
        town = Town(
            root=Path(order["root"]), id=order["id"], settings=settings.parse(order["settings"], source="a test")
        )
        if planted := os.environ.get("TT_TESTS_SABOTAGE"):
            SABOTAGES[planted](pytest.MonkeyPatch())
        self._context = mortal._Silent(town, order["url"])
        self._runs: dict[str, Attempts] = {}
        self._slots = {AGENT: Slots(contract.role_queue("worker")), CHECKS: Slots(contract.QUEUE_CHECKS)}
        for name, slots in self._slots.items():
            self._runs[name] = Attempts(self._context, slots, last_run=lambda _: None)

    def begin(self) -> None:
        """What held the place before has ended, and so has what it was at."""
        try:
            attempts.abandon(self._context, {AGENT, CHECKS}, ended=process_identity.ended)
            advance_all(self._context, self._context.store.mission_ids(live=True))
        except TinytownError:
            return  # The next tick does it.
        finally:
            self._slots[AGENT].add(Slot(AGENT, "worker", "fake"))
            self._slots[CHECKS].add(Slot(CHECKS, CHECKS))

    def start(self, *numbers: str) -> None:
        """A mission, unless it is on record already."""
        with contextlib.suppress(TinytownError):
            if self._context.store.mission_ids(live=False):
                return
            start(self._context, Order(issues=list(numbers), no_reviewer=True, base_check=False))

    def tick(self) -> None:
        """What the clock has done."""
        with contextlib.suppress(TinytownError):
            reconcile.reconcile_all(self._context)

    def attempt(self, mission: str, key: str, number: int, queue: str) -> None:
        """Take an attempt, carry it out, and report."""
        name = CHECKS if queue == contract.QUEUE_CHECKS else AGENT
        self._runs[name].run(mission, key, number, queue=queue)


if __name__ == "__main__":
    mortal._hatch(sys.argv[1], Life)
