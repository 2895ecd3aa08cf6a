"""Every second tick: let every machine end processes and folders that no live attempt owns."""

from __future__ import annotations

from tinytown.engine.context import Context
from tinytown.engine.dispatch.sweep import sweep


def run(context: Context) -> None:
    """The duty."""
    sweep(context)
