"""What an operator's note means."""

from __future__ import annotations

import pytest

from tinytown.errors import ConfigurationError
from tinytown.missions.directives import (
    MAX_LENGTH,
    Cancel,
    Directive,
    Pause,
    Redirect,
    Remark,
    Resume,
    Retry,
    parse,
)


@pytest.mark.parametrize(
    ("text", "directive"),
    [
        ("resume", Resume()),
        ("resume the credentials are renewed", Resume("the credentials are renewed")),
        ("Resume: go on", Resume("go on")),
        ("  resume\n\nplease", Resume("please")),
        ("pause", Pause()),
        ("pause until monday", Pause("until monday")),
        ("retry", Retry()),
        ("retry all", Retry()),
        ("retry 2", Retry("2")),
        ("retry #2, with more memory", Retry("#2")),
        ("retry owner/repo#2", Retry("owner/repo#2")),
        ("retry plan:task/build now", Retry("plan:task/build")),
        ("redirect 2 to backend", Redirect("2", "backend")),
        ("redirect #2 to back-end_2.", Redirect("#2", "back-end_2")),
        ("redirect local/town#2 TO ada because she knows it", Redirect("local/town#2", "ada")),
        ("cancel #3", Cancel("#3", "#3")),
        ("cancel 3 not wanted", Cancel("3", "3 not wanted")),
        ("the tests need a database", Remark("the tests need a database")),
        ("resumes", Remark("resumes")),
    ],
)
def test_the_first_word_decides(text: str, directive: Directive) -> None:
    assert parse(text) == directive


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n ",
        "x" * (MAX_LENGTH + 1),
        "redirect",
        "redirect 2",
        "redirect 2 to",
        "redirect 2 backend",
        "redirect it to backend",
        "redirect 2 to Back.End!",
        "redirect 2 to --help",
        "cancel",
        "cancel everything",
    ],
)
def test_a_directive_that_is_not_complete_is_refused_with_the_way_out(text: str) -> None:
    """It is never kept as a mere remark: whoever typed it meant something to happen."""
    with pytest.raises(ConfigurationError) as refused:
        parse(text)
    assert refused.value.remedy
