"""Every tick: ask the conductor for help where a mission needs it, with growing pauses."""

from __future__ import annotations

from tinytown.engine.context import Context
from tinytown.engine.escalate import escalate_all


def run(context: Context) -> None:
    """The duty."""
    escalate_all(context)
