"""What whoever sends a message is told of it."""

from __future__ import annotations

import pytest

from tests.fakes import builders
from tinytown.missions import messages
from tinytown.missions.delivery import outlook
from tinytown.missions.records.agent import Message
from tinytown.missions.states import AgentState

QUERY = Message(id="m1", at=1.0, sender="operator", to="ada", kind="query", text="how far?")
INFO = QUERY.evolve(kind="info")


@pytest.mark.parametrize(
    ("state", "returns", "query", "info"),
    [
        ("idle", False, "it waits; `tt task show 1` says for what", "it gets it with its next brief; no run"),
        ("working", False, "it is at work, and gets it with its next brief", "it gets it with its next brief; no run"),
        ("starting", False, "it gets it as soon as it is here", "it gets it with its next brief; no run"),
        ("cold", True, "it is started again for it", "it gets it with its next brief; no run"),
        ("cold", False, "`ada` is cold, and gets it when", "`ada` is cold, and gets it when"),
        ("stopped", False, "`tt restart ada` brings it back", "`tt restart ada` brings it back"),
        ("draining", False, "`ada` is being closed", "`ada` is being closed"),
        ("paused", False, "`tt resume ada`", "`tt resume ada`"),
        ("error", True, "fails again and again", "fails again and again"),
    ],
)
def test_it_depends_on_the_agent_whether_it_starts(state: str, returns: bool, query: str, info: str) -> None:
    for message, item, said in ((QUERY, builders.ready(), query), (INFO, None, info)):
        assert said in outlook(message, item, state=AgentState(state), returns=returns)


def test_what_was_sent_starts_and_what_is_held_back_says_how_it_goes_on() -> None:
    assert outlook(QUERY, builders.sent(builders.ready()), state=AgentState.IDLE, returns=False) == "it starts now"
    held = messages.hold(builders.ready(), "too often", now=1.0)
    assert "`tt task retry 1` lets it go on" in outlook(QUERY, held, state=AgentState.IDLE, returns=False)
