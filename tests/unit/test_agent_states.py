"""Who counts as a worker: those that are there, and for a moment those that are coming."""

from __future__ import annotations

import pytest

from tinytown.missions.records.agent import Agent
from tinytown.missions.scheduler import Worker
from tinytown.missions.states import AgentState
from tinytown.state.agents import COMING_SECS, gather

NOW = 1_000_000.0
LONG_AGO = NOW - 10 * COMING_SECS


def agent(*, spawned_at: float = LONG_AGO, state: AgentState = AgentState.IDLE) -> Agent:
    return Agent(name="rita", role="reviewer", cli="fake", spawned_at=spawned_at, state=state)


@pytest.mark.parametrize(
    ("spawned_at", "until", "found"),
    [
        pytest.param(LONG_AGO, NOW + 1, True, id="there"),
        pytest.param(NOW - 1, None, False, id="just spawned"),
        pytest.param(LONG_AGO, NOW - 1, False, id="silent for a moment"),
        pytest.param(NOW - COMING_SECS, NOW - COMING_SECS, None, id="gone"),
    ],
)
def test_an_agent_that_is_coming_counts_as_busy(spawned_at: float, until: float | None, found: bool | None) -> None:
    """Its role's work is not given to others while it starts; ``found`` says whether it is idle."""
    presence = {} if until is None else {"rita": until}
    crew = gather([agent(spawned_at=spawned_at)], [], presence=presence, now=NOW)
    assert crew.workers == ([] if found is None else [Worker("rita", "reviewer", idle=found, clis=("fake",))])


def test_one_that_takes_no_work_is_no_worker() -> None:
    """Whether it is there or not."""
    paused = agent(spawned_at=NOW, state=AgentState.PAUSED)
    assert gather([paused], [], presence={"rita": NOW + 1}, now=NOW).workers == []
