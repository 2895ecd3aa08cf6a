"""Every tick: take back what is lost, start and admit what may go, and tell how each mission stands."""

from __future__ import annotations

from tinytown.engine.context import Context
from tinytown.engine.dispatch.reconcile import reconcile_all
from tinytown.engine.plan import claims


def run(context: Context) -> None:
    """The duty."""
    reconcile_all(context)
    claims.take_up_quietly(context, tick=True)
