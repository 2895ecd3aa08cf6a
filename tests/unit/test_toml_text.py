"""The places of a TOML text are those that its parser reads."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plans.plan_files import files, tasks
from tinytown.toml_text import NotTomlError, TomlText, edited, headers, parse, statements

_KEYS = st.sampled_from(["a", "b", "tasks", "meta", "1-x", '"q"', '"d.o"', "'l'", "''"])
_PATHS = _KEYS | st.builds("{}.{}".format, _KEYS, _KEYS) | st.builds("{} . {}".format, _KEYS, _KEYS)
_SCALARS = st.sampled_from(
    [
        "1",
        "-0.5e+3",
        "true",
        "1979-05-27 07:32:00Z",
        "0x1F",
        '""',
        "''",
        '"a # b"',
        "'[x]'",
        r'"\"\\"',
        '"""\n[[tasks]]\na = 1\n"""',
        '""" "" """""',
        "'''\n'' # x\n''''",
        '"""\\"""" """',
    ]
)
_BETWEEN = st.sampled_from([", ", ",", " ,\n  ", ", # ] }\n"])


def _listed(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    tail = st.sampled_from(["]", "\n]", ",]", " # [\n]"])
    return st.builds(lambda between, found, end: "[" + between.join(found) + end, _BETWEEN, st.lists(values), tail)


def _braced(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.builds("{} = {}".format, _PATHS, values), max_size=3).map(lambda f: "{ " + ", ".join(f) + " }")


_VALUES = st.recursive(
    _SCALARS, lambda values: _listed(values) | _braced(values) | _listed(_braced(values)), max_leaves=6
)
_STATEMENTS = st.one_of(
    st.builds("{}={}".format, _PATHS, _VALUES),
    st.builds("  {} = {} # why".format, _PATHS, _VALUES),
    st.builds("[{}]".format, _PATHS),
    st.builds("[[ {} ]] # it".format, _PATHS),
    st.sampled_from(["", "# [[tasks]]", "\t", "[[tasks]]"]),
)


@given(st.lists(_STATEMENTS, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_whatever_the_parser_accepts_has_places(written: list[str], newline: str) -> None:
    """No text that is TOML is refused, and every key at the top has a line."""
    text = "\n".join(written).replace("\n", newline)
    try:
        values = parse(text)
    except NotTomlError:
        return
    assert list(headers(text)) == [one for one in statements(text) if one.header]
    places = TomlText(text)
    lines = text.split("\n")
    for key, value in values.items():
        assert key in lines[places.line_of(key) - 1] or "\\" in text
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            _agree(text, places, value, key)


@given(st.data())
def test_spans_hold_the_values(data: st.DataObject) -> None:
    raw = data.draw(files(data.draw(tasks())))
    text = raw.decode().removeprefix("\ufeff")
    values: list[dict[str, Any]] = parse(text).get("tasks", [])  # type: ignore[assignment]
    _agree(text, TomlText(text), values, "tasks")


def _agree(text: str, places: TomlText, values: list[dict[str, Any]], name: str) -> None:
    tables = places.tables(name)
    assert len(tables) == len(values)
    for table, one in zip(tables, values, strict=True):
        assert table.entries.keys() == one.keys()
        for key, entry in table.entries.items():
            assert table.line_of(key) == text.count("\n", 0, entry.start) + 1
            if (
                not isinstance(one[key], Mapping)
                and text[entry.start] != "["
                and "." not in text[entry.start : entry.value]
            ):
                assert tomllib.loads(f"x = {text[entry.value : entry.end]}") == {"x": one[key]}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = [\n", 2),
        ('a = 1\nb = "x\n', 2),
        ("a = 1\n\na = 2\n", 3),
        ("a = " + "[" * 5000, 1),
        ("a = " + "9" * 5000, 1),
    ],
)
def test_what_is_not_toml_has_a_line(text: str, line: int) -> None:
    with pytest.raises(NotTomlError) as caught:
        parse(text)
    assert caught.value.line == line


def test_long_strings_hide_what_looks_like_tables() -> None:
    text = 'a = """\n[[tasks]]\n""" # [[tasks]]\n[[tasks]]\nid = "x"\n[tasks.more]\ny = 1\n'
    text += "[[tasks]]\nid = 'y'\nz.w = 1\n"
    tables = TomlText(text).tables("tasks")
    assert [table.line for table in tables] == [4, 8]
    assert [sorted(table.entries) for table in tables] == [["id", "more"], ["id", "z"]]
    assert tables[0].line_of("more") == 6
    assert text[: tables[0].end].endswith('id = "x"')


def test_lines_in_a_list_are_counted_through_long_strings() -> None:
    text = 'tasks = [\n  # first\n  { a = """\n\n""", b = 1 },\n  { c = 1 },\n]\n'
    first, second = TomlText(text).tables("tasks")
    assert [first.line, first.line_of("a"), first.line_of("b"), second.line_of("c")] == [3, 3, 5, 6]


def test_edits_replace_spans_only() -> None:
    assert edited("abcdef", {(4, 5): "E", (0, 1): "", (2, 2): "-"}) == "b-cdEf"
