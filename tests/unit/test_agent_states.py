"""Who counts as a worker: those that are there, and for a moment those that are coming."""

from __future__ import annotations

import pytest

from tinytown.missions import agent_states
from tinytown.missions.crew import Worker
from tinytown.missions.records.agent import Agent
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


@pytest.mark.parametrize("until", [None, NOW - 1000, NOW + 1])
def test_one_that_comes_back_for_work_is_a_worker_that_sleeps(until: float | None) -> None:
    """Whatever is known of its presence; one that was closed does not come back by itself."""
    cold = agent(state=AgentState.COLD)
    presence = {} if until is None else {"rita": until}
    assert gather([cold], [], presence=presence, now=NOW).workers == []
    crew = gather([cold.evolve(returns=True)], [], presence=presence, now=NOW)
    assert crew.workers == [Worker("rita", "reviewer", idle=False, clis=("fake",), asleep=True)]


def test_one_that_was_woken_is_waited_for_as_one_that_was_spawned() -> None:
    woken = agent(state=AgentState.STARTING).evolve(returns=True, since=NOW - 1)
    assert [w.asleep for w in gather([woken], [], presence={}, now=NOW).workers] == [False]
    assert gather([woken.evolve(since=LONG_AGO)], [], presence={}, now=NOW).workers == []


@pytest.mark.parametrize(
    ("stored", "seen", "expected"),
    [
        (AgentState.STARTING, {}, AgentState.STARTING),
        (AgentState.IDLE, {"alive": True}, AgentState.IDLE),
        (AgentState.IDLE, {"alive": True, "at_work": True}, AgentState.WORKING),
        (AgentState.IDLE, {}, AgentState.STOPPED),
        (AgentState.IDLE, {"begins": True}, AgentState.STARTING),
        (AgentState.IDLE, {"begins": True, "fails": True}, AgentState.ERROR),
        (AgentState.PAUSED, {"alive": True}, AgentState.PAUSED),
        (AgentState.PAUSED, {"alive": True, "at_work": True}, AgentState.WORKING),
        (AgentState.PAUSED, {"alive": True, "at_work": True, "still": True}, AgentState.PAUSED),
        (AgentState.IDLE, {"alive": True, "at_work": True, "still": True}, AgentState.PAUSED),
        (AgentState.DRAINING, {"alive": True, "at_work": True}, AgentState.DRAINING),
        (AgentState.STOPPED, {"alive": True, "at_work": True}, AgentState.DRAINING),
        (AgentState.STOPPED, {"alive": True}, AgentState.STOPPED),
        (AgentState.COLD, {}, AgentState.COLD),
    ],
)
def test_the_state_that_is_shown_is_what_is_so(stored: AgentState, seen: dict[str, bool], expected: AgentState) -> None:
    """Not what an operator asked for."""
    record = agent(state=stored).evolve(still=seen.pop("still", False))
    nothing = {"alive": False, "at_work": False, "begins": False, "fails": False}
    assert agent_states.shown(record, **{**nothing, **seen}) is expected
