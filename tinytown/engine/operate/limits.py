"""What people do with the town's limits: raise those of today."""

from __future__ import annotations

from dataclasses import replace

from tinytown.engine.commit import commit
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.advance import advance_all
from tinytown.missions.spending import Caps
from tinytown.state import spending
from tinytown.state.change import Change


def set_today(context: Context, *, usd: float | None = None, tokens: int | None = None) -> None:
    """Give today other limits than the settings do, until midnight UTC; all that may go on then goes on at once."""

    def decide(change: Change) -> None:
        day, _ = spending.today(context.store)
        caps = day.raised
        caps = replace(caps, usd=caps.usd if usd is None else usd, tokens=caps.tokens if tokens is None else tokens)
        change.raise_limits(day, Caps(caps.usd, caps.tokens))
        change.event(event("day_limit_set", at=context.store.now(), usd=caps.usd, tokens=caps.tokens))

    commit(context, decide)
    advance_all(context, context.store.mission_ids(live=True))
