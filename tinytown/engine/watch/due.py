"""Look at changes on a remote forge as soon as they are due, and leave a forge alone that does not answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tinytown.engine.context import Context
from tinytown.engine.dispatch.reconcile import reconcile
from tinytown.engine.watch.changes import look_at_changes
from tinytown.errors import ConflictError, NotFoundError, TinytownError, UnreachableError
from tinytown.state import forge_away, lookup

log = logging.getLogger(__name__)

#: What a forge that is left alone is called in ``Context.put_off``.
_FORGE = "forge"
#: Seconds between two tries to reach a database that does not answer.
_PAUSE = 2.0


@contextmanager
def turn(context: Context) -> Iterator[bool]:
    """Look in this block, if it gets ``True``: nobody else looks, and the forge may be asked.

    A remote forge that does not answer ends the block, and is left alone for a while.
    """
    if not context.town.settings.forge.remote:
        yield True
        return
    with context.looks.looking:
        if context.is_put_off(_FORGE):
            yield False
            return
        try:
            yield True
        except UnreachableError as error:
            pause = context.looks.failed(error)
            context.put_off(_FORGE, pause)
            forge_away.note(context.store, error.message, seconds=pause)
            raise
        if context.looks.answered():
            forge_away.forget(context.store)


def look_when_due(context: Context) -> None:
    """Look at the changes that are due now, of all missions."""
    with turn(context) as may:
        for mission_id in context.looks.take(context.store.now()):
            try:
                if may:
                    _look(context, mission_id)
            except UnreachableError:
                raise
            except (NotFoundError, ConflictError):
                continue  # It ended, or somebody was quicker: the tick sees it.
            except TinytownError as error:
                log.error("mission %s: %s", mission_id, error)


def _look(context: Context, mission_id: str) -> None:
    mission = context.store.mission(mission_id).record
    if not mission.state.active or not mission.policy.forge_judges:
        return
    if look_at_changes(context, mission, lookup.notable(context.store, mission_id)):
        reconcile(context, mission_id)


class Looker:
    """A thread that looks whenever something is due between two ticks."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="looks", daemon=True)

    def begin(self) -> None:
        """Start it."""
        self._thread.start()

    def end(self) -> None:
        """Have it end; nobody waits for a look that is under way."""
        self._ending.set()
        self._context.looks.wake()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._context.looks.wait(self._context.store.now, ended=self._ending.is_set)
                if not self._ending.is_set():
                    self._context.catch_up()
                    look_when_due(self._context)
            except TinytownError as error:
                log.warning("looks: %s", error)
                self._ending.wait(_PAUSE)
