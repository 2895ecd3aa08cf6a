"""Where starts are spread over a minute: have the next run begin when its turn comes."""

from __future__ import annotations

from tinytown.engine.context import Context
from tinytown.engine.dispatch.advance import advance_all


def run(context: Context) -> None:
    """The duty."""
    if waiting := context.store.wanting():
        advance_all(context, waiting)
