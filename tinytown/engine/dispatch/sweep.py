"""Have every machine clean up what no live attempt owns: processes first, then work folders."""

from __future__ import annotations

from typing import Any

from tinytown.engine.context import Context


def sweep(context: Context) -> None:
    """Ask all workers; each sweeps its own machine, one at a time."""
    control: Any = context.app.control
    control.broadcast("tinytown_sweep")
