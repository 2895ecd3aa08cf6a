"""The spend cap of a mission: what was reported, and an estimate for what runs."""

from __future__ import annotations

import math

from tinytown.missions.records.mission import Mission

#: Cost in USD that a run in flight counts for while no run of the mission has reported any.
FIRST_ESTIMATE = 0.5
#: Why an item waits that the cap holds back while others run; once they have ended it goes on, or the mission pauses.
REMEDY = "running items may use up the budget"


def estimate(mission: Mission) -> float:
    """What a run of this mission is expected to cost, in USD: the mean of those that reported."""
    return mission.spent_usd / mission.costed_runs if mission.costed_runs else FIRST_ESTIMATE


def charge(mission: Mission, cost: float) -> Mission:
    """The mission after a run that reported this cost, in USD."""
    return mission.evolve(spent_usd=mission.spent_usd + cost, costed_runs=mission.costed_runs + 1)


def runs_left(mission: Mission, flying: int) -> int | None:
    """How many more runs of agents may start while ``flying`` attempts are sent or claimed; ``None`` without a limit.

    A run may start as long as what was spent and what is in flight stay below the cap. The run itself is not
    counted, so that the first can always start.
    """
    cap = mission.policy.budget_usd
    if cap is None:
        return None
    expected = estimate(mission)
    room = cap - mission.spent_usd - flying * expected
    if room <= 0:
        return 0
    return math.ceil(room / expected) if expected > 0 else None


def remedy(mission: Mission) -> str:
    """What to tell the operator of a mission that its cap has paused."""
    return (
        f"budget: ${mission.spent_usd:.2f} of ${mission.policy.budget_usd or 0:.2f} spent;"
        f" `tt mission resume {mission.short} --budget-usd MORE` continues"
    )
