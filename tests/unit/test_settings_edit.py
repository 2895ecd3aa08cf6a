"""One setting is changed in the text of a file, and nothing else of it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytown.errors import ConfigurationError
from tinytown.settings import known
from tinytown.settings.edit import path_of, put
from tinytown.settings_file import new_file
from tinytown.toml_text import NotTomlError, parse

_PARTS = st.sampled_from(["a", "b", "c", "d.o", "ü"])
_PATHS = st.lists(_PARTS, min_size=1, max_size=3).map(tuple)
_VALUES = st.recursive(
    st.integers(-9, 9) | st.booleans() | st.text(max_size=4).map(lambda t: t.encode(errors="replace").decode()),
    lambda values: st.lists(values, max_size=2),
    max_leaves=3,
)
_LINES = st.sampled_from(
    [
        "# [a]", "# a = 1", "", "a = 1", "a.b = 2 # why", "b = '''\n# c = 1\n'''", "c = { a = 1, b = { c = 2 } }",
        "[a]", "[ a . b ]", "[[b]]", "[c]", "['d.o']", "  c = [1, # one\n  2]", '"ü" = 3', "# c = 0",
    ]
)  # fmt: skip


def _with(values: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any] | None:
    first, *rest = path
    inner = values.get(first, {})
    if rest and not isinstance(inner, dict):
        return None
    new = _with(inner, tuple(rest), value) if rest else value
    return None if new is None else {**values, first: new}


@given(st.lists(_LINES, max_size=7), _PATHS, _VALUES, st.sampled_from(["\n", "\r\n"]))
def test_the_file_says_the_new_value_and_keeps_every_other_line(
    lines: list[str], path: tuple[str, ...], value: Any, newline: str
) -> None:
    """Or it is refused; line ends and comments stay."""
    text = "\n".join(lines).replace("\n", newline)
    try:
        before = parse(text)
    except NotTomlError:
        return
    wanted = _with(before, path, value)
    try:
        after = put(text, path, value)
    except ConfigurationError:
        return
    assert tomllib.loads(after) == wanted
    for line in lines:
        if line.startswith("#"):
            assert line in after
    if text.endswith("\n"):
        assert (after.count("\r\n") == after.count("\n")) == (newline == "\r\n")


@pytest.mark.parametrize(
    "name",
    [
        one for one in known.names()
        if one not in ("redis.url", "agent_clis", "roles", "notify.env", "workspace.env", "forge.local.repos",
                       "forge.github.bots")
    ],
)  # fmt: skip
def test_every_setting_can_be_written_into_the_file_of_a_new_town(name: str) -> None:
    """By one line, behind the comment that shows its default."""
    text = new_file({"name": "x"})
    after = put(text, path_of(name), 7)
    added = [line for line in after.splitlines() if line not in text.splitlines()]
    key = name.rpartition(".")[2]
    assert added == [f"{key} = 7"]
    lines = after.splitlines()
    if f"# {key} =" in text:
        assert lines[lines.index(f"{key} = 7") - 1].startswith((f"# {key} =", "#"))


@pytest.mark.parametrize(
    ("before", "key", "value", "after"),
    [
        ("# mine\nname = 'x' # why\n", "name", "y", '# mine\nname = "y" # why\n'),
        ("[policy]\nmax_attempts = 1", "policy.budget_usd", 2.5, "[policy]\nmax_attempts = 1\nbudget_usd = 2.5\n"),
        ("# about the town\n\n# of the forge\n[forge]\n", "name", "x",
         '# about the town\n\nname = "x"\n# of the forge\n[forge]\n'),
        ("", "agent_clis.scribe.command", "scribe {prompt}",
         '[agent_clis.scribe]\ncommand = "scribe {prompt}"\n'),
        ("forge.kind = 'local'\n", "forge.base", "main", "forge.kind = 'local'\nforge.base = \"main\"\n"),
        ("[agent_clis]\nx = { command = 'x' }\n", "agent_clis.x.timeout", 5,
         '[agent_clis]\nx = { command = "x", timeout = 5 }\n'),
    ],
)  # fmt: skip
def test_a_line_stands_where_a_person_would_write_it(before: str, key: str, value: Any, after: str) -> None:
    assert put(before, path_of(key), value) == after


@pytest.mark.parametrize("key", ["", ".", "a..b", "a b", "a = 1\nb", "a]", "x\ny", "a." * 2000 + "b"])
def test_what_is_no_name_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is not the name of a setting|there is no setting"):
        known.kind_of(path_of(key))


@pytest.mark.parametrize("key", ["polciy.max_attempts", "policy.max_attempst", "max_agents.x", "roles.x.cil"])
def test_a_setting_that_does_not_exist_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no setting"):
        known.kind_of(path_of(key))
