"""What all missions used today against the town's limits, as plain data."""

from __future__ import annotations

import time
from typing import Any

from tinytown.engine.allowance import caps_of
from tinytown.engine.context import Context
from tinytown.missions import spending as rules
from tinytown.missions.spending import DAY_SECS, Costs, Day
from tinytown.settings import Settings
from tinytown.state import spending


def limits_json(context: Context) -> dict[str, Any]:
    """Today's use and limits."""
    return today_json(context.town.settings, *spending.today(context.store))


def today_json(settings: Settings, day: Day, costs: Costs) -> dict[str, Any]:
    """Stable keys for scripts; a day is the server's day in UTC."""
    caps = day.caps(caps_of(settings))
    return {
        "day": time.strftime("%Y-%m-%d", time.gmtime(day.number * DAY_SECS)),
        "ends_at": day.ends,
        "spent_usd": round(day.usd, 6),
        "usd_limit": caps.usd,
        "spent_tokens": day.tokens,
        "tokens_limit": caps.tokens,
        "runs": day.runs,
        "untold_runs": day.untold,
        "silent_clis": costs.silent(),
        "starts_per_minute": caps.starts_per_minute,
        "raised": day.raised.any,
        "reached": rules.reached(day, caps),
        "answer": rules.answer(caps, day) if rules.reached(day, caps) else "",
    }
