"""Every tick: ask the conductor for help where a mission needs it, with growing pauses."""

from __future__ import annotations

from tinytown.engine.conductor.escalate import escalate_all
from tinytown.engine.context import Context


def run(context: Context) -> None:
    """The duty."""
    escalate_all(context)
