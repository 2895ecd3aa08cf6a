"""Cleaning up on this machine what no live attempt owns: processes, costs that nobody counted, and folders."""

from __future__ import annotations

import logging
import threading

from tinytown.attempt_paths import all_scratch, attempt_of, paths_of
from tinytown.engine.context import Context
from tinytown.engine.start.base_check import under_way
from tinytown.errors import TinytownError
from tinytown.forge import use
from tinytown.state import duties
from tinytown.town import Town
from tinytown_workers.attempt import bills, earlier_work, exchange, folder_lock
from tinytown_workers.run import orphans
from tinytown_workers.sandbox import containers
from tinytown_workers.workspace import workspace

log = logging.getLogger(__name__)

#: Seconds between two times that a host clears up: once a day, whenever it is started.
_CLEAR_SECS = 20 * 3600.0


def sweep(context: Context) -> int:
    """End processes of this town on this machine that no worker looks after; gives how many attempts they were of."""
    marked = orphans.marked(context.town.root)
    live = context.store.leased() if marked else set()
    gone = [m for m in marked if orphans.attempt_of(m) not in live and not _looked_after(context.town, m)]
    for marker in gone:
        orphans.kill_marked(marker, str(context.town.root))
    containers.sweep(context.town)
    bills.pay(context)
    sweep_folders(context)
    if context.town.settings.hub.url:
        with use.used(context.town.mirrors):
            exchange.sweep(context)
    _clear_up(context)
    return len(gone)


def _clear_up(context: Context) -> None:
    """On a host that joined, once a day: clear away what is old. At home the clock sees to that."""
    town = context.town
    if not town.home and duties.take(context.store, f"cleared/{town.machine}", _CLEAR_SECS, holder=""):
        from tinytown.engine.upkeep.gc import clear_quietly

        threading.Thread(target=clear_quietly, args=(context,), name="gc", daemon=True).start()


def sweep_folders(context: Context) -> None:
    """Save and remove the clones on this machine that no live attempt owns, and what lies beside them."""
    clones = workspace.folders(context.town.work)
    scratch = all_scratch(context.town)
    if not clones and not scratch:
        return
    live = {paths_of(context.town, a.mission, a.item, a.number).clone for a in context.store.live_attempts()}
    for folder in (*clones, *scratch):
        owner = attempt_of(folder)
        if owner in live:
            continue
        try:
            with folder_lock.held(owner) as ours:
                if ours and folder in clones:
                    with use.used(context.town.mirrors):
                        earlier_work.save(folder, workspace.mirror_of(folder))
                elif ours:
                    workspace.discard(folder)
        except (TinytownError, OSError) as error:
            log.warning("%s stays: %s", folder, error)


def _looked_after(town: Town, marker: str) -> bool:
    """Whether a living process of this machine is about to end the run with this marker.

    One that lost its lease is ended by its own worker, with the grace in which it may say what it cost.
    """
    mission, _, rest = marker.partition("/")
    key, _, number = rest.rpartition("/")
    number = number.partition("+")[0]  # Programs that it runs beside its agent belong to the attempt too.
    if key and number.isdecimal() and folder_lock.is_held(paths_of(town, mission, key, int(number)).clone):
        return True
    return under_way(town, marker)
