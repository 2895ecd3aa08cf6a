"""What the town's limits allow at a moment, as an admission has read it."""

from __future__ import annotations

from collections.abc import Iterable

from tinytown.engine.context import Context
from tinytown.missions import spending as rules
from tinytown.missions.spending import Allowance, Caps, Kind
from tinytown.missions.states import Purpose
from tinytown.settings import Settings
from tinytown.state import spending
from tinytown.state.records import AdmissionView, LiveAttempt


def caps_of(settings: Settings) -> Caps:
    """The limits of the settings."""
    found = settings.limits
    return Caps(found.usd_per_day, found.tokens_per_day, found.starts_per_minute)


def allowance_of(caps: Caps, view: AdmissionView) -> Allowance | None:
    """What is allowed now; ``None`` where nothing is limited."""
    if not (caps.any or view.day.raised.any):
        return None
    return Allowance(caps, view.day, spending.costs_of(view.costs), flying(view.attempts), now=view.now)


def flying(attempts: Iterable[LiveAttempt]) -> list[Kind]:
    """The runs of agents that are sent or claimed."""
    return [Kind(one.role, one.cli) for one in attempts if Purpose(one.purpose).runs_agent]


def limited(context: Context) -> str:
    """Which limit of the day is used up; empty if none is."""
    caps = caps_of(context.town.settings)
    day, _ = spending.today(context.store)
    return rules.reached(day, day.caps(caps))
