"""Every tick: look at what lies outside the town: changes merged by hand, issues that others depend on."""

from __future__ import annotations

from tinytown.engine.context import Context
from tinytown.engine.watch.outside import watch_all


def run(context: Context) -> None:
    """The duty."""
    watch_all(context)
