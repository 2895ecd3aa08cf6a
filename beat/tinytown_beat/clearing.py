"""Once a day: clear away what is old. In a thread of its own, as control waits for nothing that takes long."""

from __future__ import annotations

import threading

from tinytown.engine.context import Context
from tinytown.engine.upkeep.gc import clear_quietly


def run(context: Context) -> None:
    """The duty."""
    if context.town.home:
        threading.Thread(target=clear_quietly, args=(context,), name="gc", daemon=True).start()
