"""An agent whose worker is slow to obey: what was asked for stands, and the refusal says how it goes on."""

from __future__ import annotations

import pytest

from tests.story.arranged import ATown
from tinytown.engine.operate import lives
from tinytown.errors import UnreachableError
from tinytown.host.server import Server
from tinytown.missions.states import AgentState


def test_an_interruption_that_takes_long_stands_and_can_be_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = ATown(server.url)
    try:
        crew = town.context.crew
        monkeypatch.setattr(lives, "OBEY_SECS", 0.0)
        with pytest.raises(UnreachableError, match="`ada` takes nothing more") as refused:
            lives.interrupt(town.context, "ada")
        assert refused.value.remedy == (
            "it does so as soon as it can; `tt interrupt ada` waits again, `tt kill ada` ends the run"
        )
        assert crew.agent("ada").record.state is AgentState.PAUSED
        change = town.context.store.change()
        old = crew.agent("ada")
        change.put_agent(old, old.record.evolve(still=True), why="obeyed", at=town.context.store.now())
        change.commit()
        assert lives.interrupt(town.context, "ada").state == "paused"
        assert crew.agent("ada").record.still
    finally:
        town.close()
