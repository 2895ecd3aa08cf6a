"""Once a day: clear away what is old. In a thread of its own, as control waits for nothing that takes long."""

from __future__ import annotations

import threading

from tinytown.engine.context import Context
from tinytown.engine.upkeep.gc import clear_quietly
from tinytown.state import duties

#: Seconds between two times: once a day, whatever hour the town is started at.
_EVERY = 20 * 3600.0


def run(context: Context) -> None:
    """The duty."""
    if context.town.home and duties.take(context.store, "cleared", _EVERY, holder=""):
        threading.Thread(target=clear_quietly, args=(context,), name="gc", daemon=True).start()
