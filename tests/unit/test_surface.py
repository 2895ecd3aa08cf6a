"""What every command has: examples, JSON, completion, the short forms of the reference. A new one cannot forget it."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from tests.unit.test_options import commands
from tinytown.cli import main, options

#: Commands without ``--json``, and why.
NO_JSON = {
    "tt completion": "prints a script",
    "tt conductor": "lends the terminal to a CLI",
    "tt flower": "serves a page",
    "tt help": "prints help",
    "tt logs": "prints logs as they are",
    "tt mission dispatch": "tells what happens while it runs; `tt events -f --json` is for programs",
    "tt review approve": "prints nothing but that it was heard",
    "tt review request-changes": "prints nothing but that it was heard",
    "tt review run": "prints what a program prints",
}
#: Words of placeholders that nothing can be proposed for: new names, texts, numbers, what is at the forge or in git.
FREE = {
    "COMMAND", "COMMIT", "ISSUE", "KEY", "N", "NOTE", "RESULT", "SECS", "TEXT", "USD", "VALUE", "WHY",
    "FILE", "FOLDER", "PATH", "SERVER", "TOWN",
}  # fmt: skip
#: Options of the reference whose users type the short form.
SHORT = {
    "tt init": {"--name": "-n"},
    "tt spawn": {"--cli": "-c"},
    "tt history": {"--limit": "-n", "--agent": "-a"},
    "tt events": {"--count": "-c", "--follow": "-f"},
    "tt inbox": {"--all": "-a"},
    "tt plan": {"--init": "-i"},
    "tt mission start": {"--issue": "-i", "--doc": "-d"},
    "tt mission status": {"--run": "-r"},
    "tt mission dispatch": {"--run": "-r"},
}
LEAVES = [(words, one) for words, one in commands() if not isinstance(one, click.Group)]
PATHS = [words for words, _ in LEAVES]


@pytest.mark.parametrize(("words", "command"), LEAVES, ids=PATHS)
def test_every_command_has_examples_that_it_takes(words: str, command: click.Command) -> None:
    lines = (command.epilog or "").splitlines()
    assert lines[:1] == ["\b"], f"{words} has no examples: give it an epilog"
    assert lines[1].strip() == "Examples:"
    typed = [
        part for line in lines[2:] for part in re.split(r"\s&&\s|\s\|\s", re.split(r"\S\s{2,}", f"{line.strip()} ")[0])
    ]
    assert any(part.startswith((words, f"tt -t ~/shop {words[3:]}")) for part in typed), typed
    assert "Examples:" not in (command.help or ""), f"{words}: examples belong into the epilog"


@pytest.mark.parametrize(("words", "command"), LEAVES, ids=PATHS)
def test_every_command_prints_json(words: str, command: click.Command) -> None:
    takes = any("--json" in parameter.opts for parameter in command.params)
    assert takes != (words in NO_JSON)


def test_what_is_excused_exists() -> None:
    assert NO_JSON.keys() <= set(PATHS)
    assert SHORT.keys() <= set(PATHS)


@pytest.mark.parametrize(("words", "command"), LEAVES, ids=PATHS)
def test_whatever_has_names_completes_them(words: str, command: click.Command) -> None:
    """Agents, roles, missions, items, tasks, CLIs; every parameter says by its placeholder what it takes."""
    for parameter in command.params:
        if parameter.name in ("town", "verbose") or getattr(parameter, "is_flag", False):
            continue
        if isinstance(parameter.type, click.Choice | click.Path | click.IntRange | click.FloatRange):
            continue
        said = re.findall("[A-Z]+", parameter.metavar or parameter.make_metavar(click.Context(command)))
        unknown = set(said) - FREE - options.NAMES.keys()
        assert not unknown, f"{words}: {unknown} of {parameter.name} is neither completed nor known as free"
        if set(said) & options.NAMES.keys():
            assert parameter._custom_shell_complete is not None, f"{words}: {parameter.name}"


@pytest.mark.parametrize(("words", "command"), LEAVES, ids=PATHS)
def test_the_short_forms_of_the_reference_are_there(words: str, command: click.Command) -> None:
    for long, short in SHORT.get(words, {}).items():
        found = next(parameter for parameter in command.params if long in parameter.opts)
        assert short in found.opts, f"{words} {short}"


@pytest.mark.parametrize(("words", "command"), LEAVES, ids=PATHS)
def test_the_examples_can_be_read(words: str, command: click.Command) -> None:
    """Their options and arguments are those of the command."""
    for line in (command.epilog or "").splitlines()[2:]:
        for part in re.split(r"\s&&\s|\s\|\s", re.sub(r"\s{3,}.*", "", line.strip())):
            if part.startswith(f"{words} ") or part == words:
                rest = shlex.split(part.removeprefix(words))
                context = click.Context(command, info_name=words)
                context.resilient_parsing = True
                context.allow_interspersed_args = command.allow_interspersed_args
                command.make_parser(context).parse_args(rest)


def test_completion_of_names_that_no_town_is_needed_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_TT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "tt spawn x --role te")
    monkeypatch.setenv("COMP_CWORD", "4")
    assert main.run([]) == 0
    assert "tester" in capsys.readouterr().out
