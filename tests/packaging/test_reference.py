"""The documentation says what the code says: generated pages, named commands, links, states."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import click
import pytest

from tinytown.cli import main as cli
from tinytown.missions import narrative
from tinytown.missions.states import AgentState, ItemState, MissionState, Outcome, Purpose, WaitReason
from tinytown.state import saved
from tinytown.state.keys import Keys
from tools import events, reference
from tools import map as rooms

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SOURCES = sorted(p for room in ("tinytown", "workers", "beat") for p in (ROOT / room).rglob("*.py"))


def test_what_is_made_from_the_code_is_up_to_date() -> None:
    """Otherwise `make docs` was forgotten."""
    pages = reference.pages().items()
    stale = [str(page.relative_to(ROOT)) for page, text in pages if not page.exists() or page.read_text() != text]
    assert not stale, f"run `make docs`: {', '.join(stale)}"


def test_the_map_of_rooms_names_each_of_them() -> None:
    """`make map` prints them from the code."""
    known = rooms.modules()
    folders = {rooms.room_of(name, known).rpartition(".")[2] for name in known} - set(rooms.PACKAGES)
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("| room |")[2].partition("\n\n")[0]
    named = {name.rpartition("/")[2] for name in re.findall(r"`([^`]+)`", text)}
    assert folders - {"engine"} <= named


def test_the_schema_names_every_key() -> None:
    """The table on top of `state/keys.py` and the functions below it."""
    keys = Keys("")
    words = {"mission": "<id>", "name": "<name>", "key": "<key>"}
    made = set()
    for name, member in vars(Keys).items():
        if isinstance(member, property):
            made.add(getattr(keys, name))
        elif inspect.isfunction(member) and not name.startswith("_"):
            made.add(getattr(keys, name)(*(words[p] for p in inspect.signature(member).parameters if p != "self")))
    assert {key for key, _, _ in reference.key_rows()} == made


def test_every_key_is_saved_or_said_not_to_be() -> None:
    """Whoever adds one decides whether `tt save` keeps it, with its type."""
    documented = {key: kind for key, kind, _ in reference.key_rows()}
    assert not saved.SAVED.keys() & saved.PASSING
    assert documented.keys() == saved.SAVED.keys() | saved.PASSING
    assert {key: documented[key] for key in saved.SAVED} == saved.SAVED


def test_every_event_is_described_with_its_fields() -> None:
    """Kinds are written in the engine, some in variables; each of them is in the table, and none else."""
    literal = reference.literal_kinds()
    for kind, fields in literal.items():
        assert set(events.KINDS[kind][1]) == fields, kind
    assert narrative._SENTENCES.keys() <= events.KINDS.keys()
    words = {
        node.value
        for path in [
            *(ROOT / "tinytown" / "engine").rglob("*.py"),
            ROOT / "tinytown/state/change.py",
            ROOT / "tinytown/state/steps.py",
        ]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    made = words | {f"mission_{state.value}" for state in MissionState}
    assert events.KINDS.keys() <= made


@pytest.mark.parametrize("kind", [MissionState, ItemState, Purpose, Outcome, WaitReason, AgentState])
def test_every_state_is_on_the_page_of_states(kind: type[MissionState]) -> None:
    """With a row of its own."""
    page = (ROOT / "docs/concepts/states.md").read_text()
    assert [member.value for member in kind if f"| `{member.value}` |" not in page] == []


def test_commands_that_are_named_exist() -> None:
    """In the documentation and in every message of the program."""
    known = dict(reference.commands())
    wrong = []
    for path in [*PAGES, *SOURCES]:
        for words, options in _named_commands(path.read_text()):
            command, rest = _resolve(words, known)
            if command is None or (isinstance(command, click.Group) and rest):
                wrong.append(f"{path.relative_to(ROOT)}: tt {' '.join(words)}")
            elif unknown := options - {o for p in command.params for o in p.opts} - {"--help", "--version"}:
                wrong.append(f"{path.relative_to(ROOT)}: tt {' '.join(words)} {' '.join(unknown)}")
    assert not wrong, "\n".join(wrong)


#: `tt word word … --option`, in backticks or at the beginning of a line of code.
_COMMAND = re.compile(r"(?:``?|^(?:\$ )?)tt((?: +[^\s`|…]+)*)", re.MULTILINE)
#: Said of what is not there yet, and said so.
_NOT_YET = {("conductor",)}


def _named_commands(text: str) -> list[tuple[list[str], set[str]]]:
    found = []
    for match in _COMMAND.finditer(text):
        parts = match[1].split()
        words = []
        for part in parts:
            if not re.fullmatch(r"[a-z][a-z-]*", part):
                break
            words.append(part)
        if words and tuple(words) not in _NOT_YET:
            options = {p.strip("[]").partition("=")[0] for p in parts if re.fullmatch(r"\[?--[a-z-]+(=.*)?\]?", p)}
            found.append((words, options))
    return found


def _resolve(words: list[str], known: dict[str, click.Command]) -> tuple[click.Command | None, list[str]]:
    for length in (2, 1):
        command = known.get(f"tt {' '.join(words[:length])}")
        if command is not None:
            return command, words[length:]
    return None, words


def test_every_command_is_known_to_the_finder() -> None:
    """So that the test above proves something."""
    assert _named_commands("run `tt spwan x --cli y`, then\ntt mission start -i 1 --doc=a\n") == [
        (["spwan", "x"], {"--cli"}),
        (["mission", "start"], {"--doc"}),
    ]
    known = dict(reference.commands())
    assert {words.split()[1] for words in known} == set(cli.COMMANDS)
    assert _resolve(["spwan", "x"], known)[0] is None


def test_every_link_leads_somewhere() -> None:
    """Files, and headings in them."""
    wrong = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, heading = target.partition("#")
            place = (page.parent / file).resolve() if file else page
            if not place.exists() or (heading and heading not in _headings(place.read_text())):
                wrong.append(f"{page.relative_to(ROOT)}: {target}")
    assert not wrong, "\n".join(wrong)


def _headings(text: str) -> set[str]:
    lines = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def test_every_page_can_be_found() -> None:
    """From the index of the documentation."""
    index = (ROOT / "docs/README.md").read_text()
    linked = {(ROOT / "docs" / target.partition("#")[0]).resolve() for target in re.findall(r"\]\(([^)\s]+)\)", index)}
    pages = {p.resolve() for p in (ROOT / "docs").rglob("*.md")} - {(ROOT / "docs/README.md").resolve()}
    assert pages <= linked, sorted(str(p.relative_to(ROOT)) for p in pages - linked)
