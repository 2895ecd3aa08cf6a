"""What every command takes."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from tinytown.cli import main


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its words, as `tt` finds them."""

    def below(words: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        yield words, command
        if isinstance(command, click.Group):
            for name, inner in command.commands.items():
                yield from below(f"{words} {name}", inner)

    context = click.Context(main.tt)
    for name in main.COMMANDS:
        found = main.tt.get_command(context, name)
        assert found is not None
        yield from below(f"tt {name}", found)


@pytest.mark.parametrize("option", ["-t", "--town", "-v", "--verbose"])
def test_every_command_takes_the_town_and_verbose(option: str) -> None:
    """Before the command's name and behind it; but for those that an agent types inside its run."""
    lacking = {words for words, one in commands() if not any(option in p.opts for p in one.params)}
    assert {words.split()[1] for words in lacking} <= {"task", "review"}
    assert any(option in parameter.opts for parameter in main.tt.params)


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_shown(capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert main.run([option]) == 0
    assert capsys.readouterr().out.startswith("tinytown ")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["help"], 0, "Usage: tt [OPTIONS] COMMAND"),
        (["help", "save"], 0, "Usage: tt save [OPTIONS] FILE"),
        (["help", "mission", "start"], 0, "Usage: tt mission start"),
        (["help", "sav"], 2, "no such command 'sav', did you mean 'save'"),
        (["help", "save", "more"], 2, "no such command 'more'"),
    ],
)
def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str) -> None:
    assert main.run(words) == code
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
