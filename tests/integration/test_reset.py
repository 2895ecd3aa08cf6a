"""`tt reset`: a look changes nothing, and what is removed is saved before."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.integration.saved_town import populate, records, running
from tests.integration.test_misuse import told
from tinytown.engine.upkeep import reset as resetting
from tinytown.engine.upkeep.restore import restore
from tinytown.errors import DiskFullError, StateError
from tinytown.host import seats, unattended
from tinytown.host.server import server_process, stop_server
from tinytown.town import Town

Typed = Callable[..., tuple[int, str, str]]


def test_a_look_changes_nothing(typed: Typed, town: Town) -> None:
    """Not a byte of the database, with or without the town running."""
    context = running(town)
    populate(context)
    for _ in range(2):
        before = records(running(town))
        for words in (["reset"], ["reset", "--agents-only"], ["reset", "--json"]):
            code, said, _ = typed(*words, cwd=town.root)
            assert code == 0
            assert "1 agent, 2 messages" in said or '"messages": 2' in said or "1 agent, 0 messages" in said
        assert records(running(town)) == before
        assert not (town.folder / "saved").exists()
        stop_server(town)
    found = json.loads(typed("reset", "--json", cwd=town.root)[1])
    assert found == {
        "done": False, "agents": 1, "messages": 2, "missions": 3, "active": 2, "items": 6, "backlog": 1, "before": "",
    }  # fmt: skip


def test_everything_is_saved_and_removed_in_one_step(typed: Typed, town: Town) -> None:
    """In a stopped town, which stays stopped; it is the same town, and twice is once."""
    context = running(town)
    populate(context)
    seats.take(town, "ann", "worker")
    unattended.switch_on(town, cli_folder="")
    before = records(context)
    stop_server(town)
    code, said, notes = typed("reset", "--force", cwd=town.root)
    assert code == 0
    assert said == "🗑️  Removed 3 missions with 6 items, 1 agent, 2 messages, 1 task in the backlog (active: 2)\n"
    assert server_process(town) is None
    assert seats.processes(town) == {}
    assert not unattended.is_on(town)
    assert records(running(town)) == {}
    stop_server(town)
    [kept] = (town.folder / "saved").iterdir()
    assert str(kept) in notes
    assert typed("reset", "--force", cwd=town.root)[1:] == (
        "🗑️  Removed 0 missions with 0 items, 0 agents, 0 messages\n", "",
    )  # fmt: skip
    assert [path.name for path in (town.folder / "saved").iterdir()] == [kept.name]
    restore(town.root, kept)
    found = records(running(town))
    assert found.keys() - {"events"} == before.keys() - {"events"}


def test_nothing_is_removed_that_could_not_be_saved(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room, or somebody who works for it elsewhere."""
    context = running(town)
    populate(context)
    before = records(context)
    context.crew.announce(["ann"], 60)
    with pytest.raises(StateError, match="ann still works for this town"):
        resetting.reset(town)
    assert records(running(town)) == before
    running(town).crew.leave("ann")

    def full(*_: object) -> str:
        raise DiskFullError("no space left on the disk", remedy="free some space")

    monkeypatch.setattr(resetting.quiet, "set_aside", full)
    with pytest.raises(DiskFullError):
        resetting.reset(town)
    assert records(running(town)) == before


def test_options_that_do_not_exist_are_refused(typed: Typed, town: Town) -> None:
    told(typed("reset", "--forse", cwd=town.root), 2, "no such option '--forse', did you mean '--force'", "--help")
