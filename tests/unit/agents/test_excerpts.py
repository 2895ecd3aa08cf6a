"""What of the files that a CLI keeps is shown to it in the sandbox: its log-in, and nothing of another service."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kept_files import CANARY, KEPT, LOGIN, WHOLE
from tinytown import plugins
from tinytown.agents import providers
from tinytown.agents.driver import Driver, Invocation, Request
from tinytown.agents.excerpts import JsonPart, exact_toml, exactly, json_fields, split, variables
from tinytown.settings import AgentCliSettings


def invocation(cli: str, home: Path, **env: str) -> Invocation:
    """How a run begins at somebody's who keeps all of it."""
    for name, text in KEPT[cli].items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    driver: Driver = plugins.driver(cli, AgentCliSettings(env=env))
    return driver.invocation(Request("x", home / "brief.md", home / "clone", home=home, sandboxed=True))


def shown(cli: str, name: str, home: Path) -> str:
    """What of a file is shown."""
    made = invocation(cli, home)
    path, text = home / name, KEPT[cli][name]
    return made.parts[path].pick(text) if path in made.parts else made.excerpts[path](text)


@pytest.mark.parametrize(("cli", "name"), [(cli, name) for cli, names in KEPT.items() for name in {*names} - WHOLE])
def test_of_each_file_the_log_in_is_kept_and_nothing_else(cli: str, name: str, tmp_path: Path) -> None:
    text = shown(cli, name, tmp_path)
    assert LOGIN in text
    assert CANARY not in text
    assert tomllib.loads(text) if name.endswith(".toml") else text


@pytest.mark.parametrize("cli", sorted(KEPT))
def test_each_excerpt_has_an_example(cli: str, tmp_path: Path) -> None:
    made = invocation(cli, tmp_path)
    files = {str(path.relative_to(tmp_path)) for path in (*made.excerpts, *made.parts)}
    assert files - {".claude/.credentials.json"} == {*KEPT[cli]} - WHOLE
    assert not made.undecided


def test_no_file_is_shown_as_a_whole_of_which_there_is_an_excerpt(tmp_path: Path) -> None:
    for cli in KEPT:
        made = invocation(cli, tmp_path)
        assert not {*made.excerpts, *made.parts} & {*made.readable, *made.writable}
        names = {path.name for path in made.readable}
        assert not names & {"mcp.json", "mcp-config.json", "hooks", "extensions", "installed-plugins", ".env"} - (
            {"extensions"} if cli == "pi" else set()
        )


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "null", "{'a': 1}", "\x00", '{"a": 1} {"b": 2}', "[" * 5000])
def test_what_is_no_document_gives_nothing(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        json_fields("a *")(text)


@pytest.mark.parametrize("text", ["a = ", "[x", "a = 1\na = 2\n", "\x00"])
def test_what_is_no_toml_gives_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        exact_toml(split("*"))(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", {}),
        ('{"a": {"b": 1, "c": 2}, "d": 3}', {"a": {"b": 1}}),
        ('{"a": "// no comment", /* one */ "x_1": ["," , 1,], }', {"x_1": [",", 1]}),
        ('{"a": [{"b": 1}]}', {}),
        (r'{"x_": "\"//\"", "A": 1}', {"x_": '"//"'}),
    ],
)
def test_fields_are_taken_by_their_names(text: str, part: dict[str, Any]) -> None:
    assert json.loads(json_fields("a.b x_*")(text)) == part


def test_variables_are_taken_by_their_names() -> None:
    text = "A_1=1\nB=2\n export A_2 = 'two\nlines'\nA_3=\"x\\\"y\"\n#A_4=4\nC='A_5=5\nA_6=6'\nXA_7=7\n"
    assert variables(r"A_\w+")(text) == 'A_1=1\nA_2=\'two\nlines\'\nA_3="x\\"y"\n'


def test_files_that_variables_move_are_excerpts_too(tmp_path: Path) -> None:
    for cli, variable, name in (
        ("claude", "CLAUDE_CONFIG_DIR", "settings.json"),
        ("codex", "CODEX_HOME", "config.toml"),
        ("opencode", "OPENCODE_CONFIG", ""),
    ):
        assert tmp_path / "x" / name in invocation(cli, tmp_path, **{variable: str(tmp_path / "x")}).excerpts


# -- which provider --------------------------------------------------------------------------------

#: By CLI: the file with its log-ins, and what of it tells nothing of which is used.
UNTOLD = {
    "opencode": (".local/share/opencode/auth.json", {".config/opencode/opencode.json": "{}"}),
    "pi": (".pi/agent/auth.json", {".pi/agent/settings.json": "{}"}),
}


@pytest.mark.parametrize("cli", UNTOLD)
def test_where_nothing_tells_which_provider_is_used_all_are_shown_and_it_is_said(cli: str, tmp_path: Path) -> None:
    name, settings = UNTOLD[cli]

    def look(kept: Mapping[str, str]) -> tuple[set[str], Mapping[Path, str]]:
        for file, text in {name: json.dumps({one: {"key": LOGIN} for one in kept}), **settings}.items():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text, encoding="utf-8")
        request = Request("x", tmp_path / "brief.md", tmp_path / "clone", home=tmp_path, sandboxed=True)
        made = plugins.driver(cli, AgentCliSettings()).invocation(request)
        return {*json.loads(made.parts[tmp_path / name].pick((tmp_path / name).read_text()))}, made.undecided

    found, undecided = look({"x": "", "y": ""})
    assert found == {"x", "y"}
    assert "which of x, y a run uses" in undecided[tmp_path / name]
    # One alone is the one that it takes.
    assert look({"x": ""}) == ({"x"}, {})
    assert look({}) == (set(), {})


def test_opencode_uses_what_was_used_last_and_the_models_that_its_settings_name(tmp_path: Path) -> None:
    def write(name: str, value: object) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")

    def logins(*, review: bool = False, **env: str) -> set[str]:
        request = Request("x", tmp_path / "brief.md", tmp_path / "clone", home=tmp_path, sandboxed=True, review=review)
        made = plugins.driver("opencode", AgentCliSettings(env=env)).invocation(request)
        kept = tmp_path / ".local/share/opencode/auth.json"
        return {*json.loads(made.parts[kept].pick(kept.read_text()))}

    names = ("last", "older", "chosen", "small", "agent", "text", "repo", "said", "org")
    write(".local/share/opencode/auth.json", {name: {"type": "api", "key": LOGIN} for name in names})
    recent = [{"providerID": name, "modelID": "m"} for name in ("gone", "last", "older")]
    write(".local/state/opencode/model.json", {"recent": recent})
    assert logins() == {"last"}
    write(".config/opencode/opencode.json", {"small_model": "small/m", "agent": {"a": {"model": "agent/m"}}})
    write(".config/opencode/agents/b.md", "---\nmodel: text/m\n---\nBe kind.\n")
    assert logins() == {"last", "small", "agent", "text"}
    write(".config/opencode/opencode.jsonc", '{"model": "chosen/m", /* */}')
    assert logins() == {"chosen", "small", "agent", "text"}
    # What a person has in force in the repository comes later, and in a review not at all.
    write("clone/opencode.json", {"model": "repo/m"})
    assert logins() == {"repo", "small", "agent", "text"}
    assert logins(review=True) == {"chosen", "small", "agent", "text"}
    assert logins(OPENCODE_CONFIG_CONTENT='{"model": "said/m"}') == {"said", "small", "agent", "text"}


def test_of_what_changes_in_a_log_in_only_the_log_in_comes_home(tmp_path: Path) -> None:
    """Not where the CLI sends it, and of other providers nothing."""
    name = ".cline/data/settings/providers.json"
    part = invocation("cline", tmp_path).parts[tmp_path / name]
    kept = json.loads(KEPT["cline"][name])
    changed = json.loads(part.pick(KEPT["cline"][name]))
    changed["lastUsedProvider"] = "evil"
    changed["providers"]["x"]["settings"] = {"apiKey": "new", "baseUrl": "https://evil.example"}
    changed["providers"]["y"] = {"settings": {"apiKey": "evil"}}
    kept["providers"]["x"]["settings"]["apiKey"] = "new"
    assert json.loads(part.merge(KEPT["cline"][name], json.dumps(changed))) == kept
    # What was a log-in stays one.
    login = JsonPart("a", (exactly("a"),))
    assert login.merge('{"a": {"k": 1}, "b": 2}', '{"a": "none"}') == '{"a": {"k": 1}, "b": 2}'
    assert login.merge('{\n"a": {"k": 1}}', '{"a": {"k": 2}}') == '{\n  "a": {\n    "k": 2\n  }\n}'


def test_of_what_tells_which_provider_is_used_nothing_is_waited_for_or_believed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", tmp_path / "folder", tmp_path / "missing"):
        assert providers.json_of(path) == {}
        assert providers.toml_of(path) == {}
    for text in ("[" * 9000, "[1]", "\x00", "{"):
        assert providers.json_in(text) == {}
