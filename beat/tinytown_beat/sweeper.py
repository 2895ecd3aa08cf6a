"""Every second tick: let every machine end processes and folders that no live attempt owns."""

from __future__ import annotations

from tinytown.engine.context import Context


def run(context: Context) -> None:
    """The duty."""
    context.sweep()
