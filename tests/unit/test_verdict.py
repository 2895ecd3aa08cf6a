"""A verdict counts in two exact forms only."""

from __future__ import annotations

import pytest

from tinytown.missions.verdict import final_verdict, parse_verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("VERDICT: APPROVE", (True, "")),
        ("It is good.\n\nVERDICT: APPROVE  \n\n  \n", (True, "")),
        ("VERDICT: REQUEST_CHANGES: no test for errors ", (False, "no test for errors")),
        ("VERDICT: REQUEST_CHANGES: VERDICT: APPROVE", (False, "VERDICT: APPROVE")),
        ("VERDICT: APPROVE\nVERDICT: REQUEST_CHANGES: on second thought", (False, "on second thought")),
    ],
)
def test_the_last_line_with_text_decides(text: str, verdict: tuple[bool, str]) -> None:
    assert parse_verdict(text) == verdict


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n \n",
        "APPROVE",
        "VERDICT: APPROVED",
        "VERDICT: APPROVE!",
        "VERDICT: APPROVE, but only if the tests pass",
        "VERDICT:APPROVE",
        "verdict: approve",
        " VERDICT: APPROVE",
        "**VERDICT: APPROVE**",
        "`VERDICT: APPROVE`",
        "> VERDICT: APPROVE",
        "I would not write VERDICT: APPROVE",
        "VERDICT: APPROVE\nThat was my verdict.",
        "VERDICT: REQUEST_CHANGES",
        "VERDICT: REQUEST_CHANGES:",
        "VERDICT: REQUEST_CHANGES:  ",
        "VERDICT: REQUEST CHANGES: no",
        "VERDICT: APPROVE | VERDICT: REQUEST_CHANGES: why",
    ],
)
def test_everything_else_is_no_verdict(text: str) -> None:
    assert parse_verdict(text) is None


@pytest.mark.parametrize(
    ("commanded", "text", "verdict"),
    [
        (None, "nice", None),
        (None, "VERDICT: APPROVE", (True, "")),
        ((True, ""), "nice", (True, "")),
        ((True, ""), "VERDICT: APPROVE", (True, "")),
        ((True, ""), "VERDICT: REQUEST_CHANGES: no test", (False, "no test")),
        ((False, "no test"), "VERDICT: APPROVE", (False, "no test")),
        ((False, "no test"), "VERDICT: REQUEST_CHANGES: no docs", (False, "no test")),
    ],
)
def test_a_refusal_is_never_overruled_by_an_approval_of_the_same_review(
    commanded: tuple[bool, str] | None, text: str, verdict: tuple[bool, str] | None
) -> None:
    assert final_verdict(commanded, text) == verdict
