"""Outside text in a terminal, and the small words around it."""

from __future__ import annotations

import pytest

from tinytown.cli.render import ago, money, plural, safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain — ünïcode ✓ 漢字", "plain — ünïcode ✓ 漢字"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("csi \x9b31m", "csi \\x9b31m"),
        ("back\x08space, null\x00", "back\\x08space, null\\x00"),
        ("evil \u202egnp.exe", "evil \\u202egnp.exe"),
        ("\u2066isolated\u2069", "\\u2066isolated\\u2069"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("tags \U000e0041", "tags \\U000e0041"),
        ("half \ud83d", "half \\ud83d"),
        (" two\r\nlines\tand tab\n", "two lines and tab"),
        ("family 👨‍👩‍👧", "family 👨‍👩‍👧"),
    ],
)
def test_safe_shows_what_a_terminal_would_obey(text: str, shown: str) -> None:
    """Nothing moves the cursor, changes colours, hides or reverses text."""
    assert safe(text) == shown


def test_safe_keeps_lines_where_they_are_wanted() -> None:
    """But not a carriage return, which would overwrite the line."""
    assert safe("a\n\tb\rc\n", lines=True) == "a\n\tb\\x0dc\n"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-3, "0s"),
        (8.9, "8s"),
        (60, "1m"),
        (200, "3m 20s"),
        (3599, "59m 59s"),
        (3600, "1h"),
        (7500, "2h 5m"),
        (86400, "1d"),
        (349200, "4d 1h"),
    ],
)
def test_a_length_of_time_is_told_in_its_largest_units(seconds: float, shown: str) -> None:
    """At most two of them."""
    assert ago(seconds) == shown


def test_counts_and_sums() -> None:
    """One has no plural, and a small sum isn't nothing."""
    assert [plural(1, "issue"), plural(3, "issue")] == ["1 issue", "3 issues"]
    assert [money(0), money(1.234), money(0.0042)] == ["$0.00", "$1.23", "$0.0042"]
