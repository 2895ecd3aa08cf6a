"""Patterns from a configuration: what is allowed cannot be slow."""

from __future__ import annotations

import time

import pytest

from tinytown import patterns


@pytest.mark.parametrize(
    "text",
    [
        r"quota",
        r"^LIMIT until (?P<until>.+)$",
        r"(?:a|b) [^*+(]* \(x\)*",
        r"[]+*]{2,5}",
        r"(a?b)?c",
        r"\++",
        r"(a)|b{3}",
        r"until \d{1,2}:\d{2} ?(?P<until>.+)",
    ],
)
def test_an_ordinary_pattern_is_taken(text: str) -> None:
    assert patterns.fault(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(", "not a regular expression"),
        ("x" * 400, "longer than"),
        ("(a+)+$", "repeats a group"),
        ("((a*)b)*", "repeats a group"),
        ("(?:a|a)*x", "repeats a group"),
        ("(?:[x]+y){20}", "repeats a group"),
        ("(a+){2,}", "repeats a group"),
        (".*.*.*x", "too many"),
        ("a?" * 40, "too many"),
        ("(?:a|a)" * 30, "too many"),
        ("(?:a|a){9}", "repeats a group"),
        (r"(a)\1", "refers"),
        (r"(?P<x>a)(?P=x)", "refers"),
    ],
)
def test_a_slow_or_broken_one_is_refused_with_the_reason(text: str, why: str) -> None:
    assert why in (patterns.fault(text) or "")


def test_what_is_allowed_takes_a_moment() -> None:
    line = "a" * patterns.LINE_CHARS
    for text in (r".*.*x", r"(?:a|a)(?:a|a).*x", r"a{0,8}a{0,8}a*x", r"a?a?a?a*b"):
        assert patterns.fault(text) is None
        began = time.monotonic()
        assert patterns.compiled(text).search(line) is None
        assert time.monotonic() - began < 10, text
