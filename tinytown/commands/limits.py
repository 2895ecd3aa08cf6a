"""Commands on the limits of a town."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinytown.commands.table import ACTS, LOOKS, Caller, command


@dataclass(frozen=True)
class Today:
    """The limits of today."""


@dataclass(frozen=True)
class ForToday:
    """Limits for today alone: US dollars, and tokens; what is not named stays as it is."""

    usd: float | None = None
    tokens: int | None = None


@command("limits", Today, by=LOOKS)
def show(caller: Caller, _today: Today) -> Mapping[str, Any]:
    """What all missions used today, and what they may use."""
    from tinytown.engine.views.limits import limits_json

    return limits_json(caller.context)


@command("limits.today", ForToday, by=ACTS)
def set_today(caller: Caller, wanted: ForToday) -> Mapping[str, Any]:
    """Give today other limits than the settings do; gives what counts then."""
    from tinytown.engine.operate import limits
    from tinytown.engine.views.limits import limits_json

    limits.set_today(caller.context, usd=wanted.usd, tokens=wanted.tokens)
    return limits_json(caller.context)
