"""The commands that the AI conductor is told of: all that a person may use, but for what stays a person's."""

from __future__ import annotations

from tinytown.cli import main, manual
from tinytown.missions.conducting import COMMANDS_LIMIT


def test_it_has_every_command_for_people_with_examples() -> None:
    text = manual.manual()
    told = [line for line in text.splitlines() if line.startswith("- `tt ")]
    for words in (
        "spawn NAME",
        "mission start",
        "mission note [RUN] NOTE",
        "send TO TEXT|-",
        "inbox [AGENT]",
        "task complete",
        "task fail",
        "sync push",
    ):
        assert any(line.startswith(f"- `tt {words}") for line in told), words
    assert '      tt mission note 0a1b2c3d "retry 12"' in text.splitlines()
    missing = {name for name in main.COMMANDS if f"- `tt {name}" not in text}
    assert missing == {"init", "join", "leave", "restore", "reset", "conductor", "flower", "completion", "review"}


def test_what_is_a_persons_decision_and_what_is_an_agents_is_not_in_it() -> None:
    text = manual.manual()
    for name in (
        "mission approve",
        "mission merge",
        "reset",
        "restore",
        "review approve",
        "conductor",
    ):
        assert f"- `tt {name}" not in text, name


def test_it_has_its_room_in_what_the_conductor_is_told() -> None:
    assert len(manual.manual().encode()) < COMMANDS_LIMIT * 3 // 4
