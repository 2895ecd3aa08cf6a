"""The short forms in which issues are typed, and lists that line up."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tinytown.cli import columns
from tinytown.cli.words import RANGE_LIMIT, issues
from tinytown.errors import ConfigurationError


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["1", "2", "3"], ["1", "2", "3"]),
        (["1-6"], ["1", "2", "3", "4", "5", "6"]),
        (["1,3-5"], ["1", "3", "4", "5"]),
        (["#2-#4", "7"], ["2", "3", "4", "7"]),
        (["3", "1-4"], ["3", "1", "2", "4"]),
        (["2-2", "02"], ["2", "02"]),
        (["local/api#3", "octo/my-repo#4"], ["local/api#3", "octo/my-repo#4"]),
        (["https://example.org/o/r-2/issues/5"], ["https://example.org/o/r-2/issues/5"]),
        (["1, 2"], ["1", "2"]),
        (["-1"], ["-1"]),
        ([], []),
    ],
)
def test_issues_are_typed_as_numbers_ranges_and_lists(words: list[str], meant: list[str]) -> None:
    """What is neither a number nor a range is left to the forge; each issue comes once, in the order typed."""
    assert list(issues(words)) == meant


@pytest.mark.parametrize("word", ["6-1", f"1-{RANGE_LIMIT + 1}", "1,,2", ",", "1,"])
def test_what_cannot_be_meant_is_refused(word: str) -> None:
    with pytest.raises(ConfigurationError):
        issues([word])


def test_columns_line_up_whatever_letters_they_hold() -> None:
    """A wide letter takes two cells; only the last column is cut, and an ellipsis says so."""
    rows = [("A", "STATE", "TITLE"), ("漢字", "🚀", "wide"), ("x", "ready", "a title that goes on and on")]
    lines = columns.lined_up(rows, width=24)
    assert [cell_len(line) <= 24 for line in lines] == [True] * 3
    assert lines[2] == "x     ready  a title th…"
    places = [
        cell_len(line[: line.index(word)]) for line, word in zip(lines, ("TITLE", "wide", "a title"), strict=True)
    ]
    assert len(set(places)) == 1
    assert columns.lined_up(rows, width=None)[2].endswith("on and on")
    assert columns.lined_up([], width=10) == []
    assert columns.cut("abc", 0) == ""
