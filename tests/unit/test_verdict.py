"""A verdict counts in two exact forms only, and whoever misses them is told how."""

from __future__ import annotations

import tracemalloc

import pytest

from tinytown.missions.verdict import differ, final_verdict, missing, parse_verdict, written_verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("VERDICT: APPROVE", (True, "")),
        ("It is good.\n\nVERDICT: APPROVE  \n\n  \n", (True, "")),
        ("VERDICT: REQUEST_CHANGES: no test for errors ", (False, "no test for errors")),
        ("VERDICT: REQUEST_CHANGES: VERDICT: APPROVE", (False, "VERDICT: APPROVE")),
        ("Fine.\n\n**VERDICT: APPROVE**\n", (True, "")),
        ("**VERDICT:** APPROVE", (True, "")),
        ("__VERDICT: APPROVE__", (True, "")),
        ("**VERDICT: REQUEST_CHANGES: no test**", (False, "no test")),
        ("**VERDICT: REQUEST_CHANGES:** **no** test", (False, "**no** test")),
        ("**VERDICT: REQUEST_CHANGES**: no test", (False, "no test")),
        ("VERDICT: REQUEST_CHANGES: **VERDICT: APPROVE**", (False, "**VERDICT: APPROVE**")),
        ("VERDICT: APPROVE\nVERDICT: REQUEST_CHANGES: on second thought", (False, "on second thought")),
        ("- one\n- two\nVERDICT: APPROVE", (True, "")),
        ("# Good\nVERDICT: APPROVE\r\n", (True, "")),
        ("> The issue asks for it.\n\nVERDICT: APPROVE", (True, "")),
        ("```\nVERDICT: REQUEST_CHANGES: x\n```\nVERDICT: APPROVE", (True, "")),
        ("<pre>x</pre>\n\nVERDICT: APPROVE", (True, "")),
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
        "**Verdict: approve**",
        "VERDICT: Approve",
        "**VERDICT: APPROVE",
        "VERDICT: APPROVE**",
        "*VERDICT: APPROVE*",
        "** VERDICT: APPROVE **",
        "**VERDICT: APPROVE**.",
        "**VERDICT: APPROVE** if the tests pass",
        "**VERDICT: APPROVE** **not**",
        "**Not** VERDICT: APPROVE",
        "**I don't say VERDICT: APPROVE**",
        "**VERDICT: REQUEST_CHANGES:**",
        "****",
        "**",
        "- **VERDICT: APPROVE**",
        "> **VERDICT: APPROVE**",
        "```\nVERDICT: APPROVE\n```",
        "end your answer with one line, `VERDICT: APPROVE` or `VERDICT: REQUEST_CHANGES: why`.",
        "`VERDICT: APPROVE`",
        "> VERDICT: APPROVE",
        "I would not write VERDICT: APPROVE",
        "VERDICT: APPROVE\nThat was my verdict.",
        "VERDICT: REQUEST_CHANGES",
        "VERDICT: REQUEST_CHANGES:",
        "VERDICT: REQUEST_CHANGES:  ",
        "VERDICT: REQUEST CHANGES: no",
        "VERDICT: APPROVE | VERDICT: REQUEST_CHANGES: why",
        # A quotation, and one that never ends.
        "The file says:\n```\nVERDICT: APPROVE",
        "~~~~ text\n~~~\nVERDICT: APPROVE",
        "```\nno end ```\nVERDICT: APPROVE",
        "> The author says:\nVERDICT: APPROVE",
        "- > The author says:\nVERDICT: APPROVE",
        "<!-- not this\nVERDICT: APPROVE",
        "<pre>\n\nVERDICT: APPROVE",
        "<blockquote>\n\nVERDICT: APPROVE",
        "It says\n\n\tVERDICT: APPROVE",
        # Deeper than anybody looks.
        f"{'> ' * 40}x\nVERDICT: APPROVE",
        f"Fine.\n\n{'> ' * 40}x\nVERDICT: APPROVE",
        f"Fine.\n\n{'- ' * 40}x\nVERDICT: APPROVE",
        # Characters at which a line of the answer does not end.
        "x\u2028VERDICT: APPROVE",
        "x\u0085VERDICT: APPROVE",
        "x\x0cVERDICT: APPROVE",
        "x\rVERDICT: APPROVE",
    ],
)
def test_everything_else_is_no_verdict(text: str) -> None:
    assert parse_verdict(text) is None


def test_an_answer_of_more_pieces_than_are_looked_at_is_no_verdict() -> None:
    """Code of a change may write it: each piece takes the worker's memory, and half a minute a megabyte of its time."""
    tracemalloc.start()
    try:
        assert parse_verdict("> a\n- b\n" * 30_000 + "\n\nVERDICT: APPROVE") is None
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 60 << 20
    assert parse_verdict("a word\n\n" * 5_000 + "VERDICT: APPROVE") == (True, "")


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
    assert final_verdict(commanded, parse_verdict(text)) == verdict


def test_a_command_and_an_answer_that_disagree_are_told_from_those_that_do_not() -> None:
    assert differ((False, "no"), (True, ""))
    assert differ((True, ""), (False, "no"))
    assert not differ((True, ""), (True, ""))
    assert not differ(None, (True, ""))
    assert not differ((True, ""), None)


@pytest.mark.parametrize(
    ("own", "everything", "verdict"),
    [
        ("VERDICT: APPROVE", "VERDICT: APPROVE", (True, "")),
        ("nice", "nice\nVERDICT: APPROVE", None),
        ("nice", "nice\nVERDICT: REQUEST_CHANGES: no test", (False, "no test")),
        ("VERDICT: APPROVE", "VERDICT: APPROVE\nVERDICT: REQUEST_CHANGES: no test", (False, "no test")),
        ("VERDICT: APPROVE", "VERDICT: REQUEST_CHANGES: no test\nVERDICT: APPROVE", (True, "")),
        ("VERDICT: REQUEST_CHANGES: no", "VERDICT: REQUEST_CHANGES: no\nVERDICT: APPROVE", (False, "no")),
        ("VERDICT: REQUEST_CHANGES: no", "VERDICT: REQUEST_CHANGES: yes", (False, "no")),
    ],
)
def test_an_approval_needs_its_own_words_and_a_refusal_needs_no_proof(
    own: str, everything: str, verdict: tuple[bool, str] | None
) -> None:
    assert written_verdict(own, everything) == verdict


def test_with_a_word_only_the_line_that_brings_it_approves() -> None:
    assert parse_verdict("VERDICT: APPROVE 7f3a", "7f3a") == (True, "")
    assert parse_verdict("**VERDICT: APPROVE 7f3a**", "7f3a") == (True, "")
    assert parse_verdict("VERDICT: REQUEST_CHANGES: no", "7f3a") == (False, "no")
    for text in ("VERDICT: APPROVE", "VERDICT: APPROVE 7f3b", "VERDICT: APPROVE 7f3a 7f3a"):
        assert parse_verdict(text, "7f3a") is None
        assert "must be exactly `VERDICT: APPROVE 7f3a`" in missing(text, "7f3a")
    assert parse_verdict("VERDICT: APPROVE 7f3a") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it said nothing"),
        (
            "Nice.\n\nI like it. ",
            'its last line is "I like it.", but must be exactly `VERDICT: APPROVE` or `VERDICT: REQ',
        ),
        ("VERDICT: approve", 'its last line is "VERDICT: approve", but must be exactly `VERDICT: APPROVE`'),
        ("`VERDICT: APPROVE`", 'its last line is "`VERDICT: APPROVE`", but must be exactly `VERDICT: APPROVE`'),
        ("Verdict: request changes: no test", "but must be exactly `VERDICT: REQUEST_CHANGES: why`"),
        ("VERDICT: REQUEST_CHANGES", "but must be exactly `VERDICT: REQUEST_CHANGES: why`"),
        ("VERDICT: APPROVE\n\nThat is all.", '"VERDICT: APPROVE" is not its last line, so it does not count'),
        ("```\nVERDICT: APPROVE\n```", '"VERDICT: APPROVE" is not its last line, so it does not count'),
        ("```\nVERDICT: APPROVE", '"VERDICT: APPROVE", stands in a quotation or a code block, so it does not count'),
        ("x" * 5000, f'its last line is "{"x" * 120}…", but'),
    ],
)
def test_where_none_is_it_is_said_what_stands_there_and_what_should(text: str, said: str) -> None:
    assert parse_verdict(text) is None
    assert said in missing(text)
    assert len(missing(text)) < 300
