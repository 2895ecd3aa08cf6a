"""The caps of a mission, in dollars and in tokens: what was reported, and an estimate for what runs."""

from __future__ import annotations

import math

from tinytown.missions.records.mission import Mission
from tinytown.missions.spending import FIRST_TOKENS, FIRST_USD, Used

#: What a run in flight counts for while no run of the mission has reported any.
FIRST_ESTIMATE = FIRST_USD
#: Why an item waits that a cap holds back while others run; once they have ended it goes on, or the mission pauses.
REMEDY = "running items may use up the budget"


def estimate(mission: Mission) -> float:
    """What a run of this mission is expected to cost, in USD: the mean of those that reported."""
    return mission.spent_usd / mission.costed_runs if mission.costed_runs else FIRST_ESTIMATE


def estimate_tokens(mission: Mission) -> float:
    """The tokens that a run of this mission is expected to use: the mean of those that reported."""
    return mission.spent_tokens / mission.counted_runs if mission.counted_runs else FIRST_TOKENS


def charge(mission: Mission, used: Used) -> Mission:
    """The mission after a run that reported this."""
    if used.usd is not None:
        mission = mission.evolve(spent_usd=mission.spent_usd + used.usd, costed_runs=mission.costed_runs + 1)
    if used.tokens is not None:
        mission = mission.evolve(spent_tokens=mission.spent_tokens + used.tokens, counted_runs=mission.counted_runs + 1)
    return mission


def runs_left(mission: Mission, flying: int) -> int | None:
    """How many more runs of agents may start while ``flying`` attempts are sent or claimed; ``None`` without a limit.

    A run may start as long as what was spent and what is in flight stay below the caps. The run itself is not
    counted, so that the first can always start.
    """
    policy = mission.policy
    found = [
        _left(policy.budget_usd, mission.spent_usd, estimate(mission), flying),
        _left(policy.budget_tokens, mission.spent_tokens, estimate_tokens(mission), flying),
    ]
    return min((left for left in found if left is not None), default=None)


def _left(cap: float | None, spent: float, expected: float, flying: int) -> int | None:
    if cap is None:
        return None
    room = cap - spent - flying * expected
    if room <= 0:
        return 0
    return math.ceil(room / expected) if expected > 0 else None


def used_up(mission: Mission) -> str:
    """Which cap is reached, and by how much; empty if none is."""
    policy = mission.policy
    if policy.budget_usd is not None and mission.spent_usd >= policy.budget_usd:
        return f"${mission.spent_usd:.2f} of ${policy.budget_usd:.2f}"
    if policy.budget_tokens is not None and mission.spent_tokens >= policy.budget_tokens:
        return f"{mission.spent_tokens:,} of {policy.budget_tokens:,} tokens"
    return ""


def command(mission: Mission) -> str:
    """What raises the cap that is reached, or will be."""
    policy = mission.policy
    dollars = policy.budget_usd is not None and (policy.budget_tokens is None or mission.spent_usd >= policy.budget_usd)
    return f"tt mission resume {mission.short} {'--budget-usd' if dollars else '--budget-tokens'} MORE"


def remedy(mission: Mission) -> str:
    """What to tell the operator of a mission that its cap has paused."""
    policy = mission.policy
    spent = used_up(mission)
    if not spent and policy.budget_usd is not None:
        spent = f"${mission.spent_usd:.2f} of ${policy.budget_usd:.2f}"
    return f"budget: {spent} spent; `{command(mission)}` continues"
