"""Every tick: ask the conductor for help where a mission needs it, with growing pauses, or have it answered."""

from __future__ import annotations

from tinytown.engine.conductor.escalate import escalate_all
from tinytown.engine.context import Context
from tinytown.engine.operate import unattended


def run(context: Context) -> None:
    """The duty."""
    escalate_all(context)
    unattended.keep(context)
