"""Which characters a reader is shown by name, and where they may stay as they are."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from tinytown import characters
from tinytown.characters import count, escaped, mixed, shown

#: Characters of Unicode that a program may ignore, by its data; the category of some is that of letters.
IGNORABLE = (
    *map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, 0xE0000, 0xE0FFF)),
    *map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFF9), *range(0xE0100, 0xE01F0))),
)
BIDI = tuple(map(chr, (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))))


def test_every_character_without_a_look_of_its_own_is_shown() -> None:
    """All controls, formats, blanks, breaks and halves that Python knows, and what Unicode tells besides."""
    hidden = {"Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp"}
    odd = {c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in hidden} - {" ", "\n", "\t"}
    for character in (*odd, *IGNORABLE, *BIDI, "\u2800"):
        said = shown(f"a{character}b")
        assert said.startswith("a⟨"), hex(ord(character))
        assert said.endswith("⟩b"), hex(ord(character))
        assert character not in said
        assert character not in escaped(f" {character} "), hex(ord(character))


@pytest.mark.parametrize("text", ["plain\n\ttext", "ünïcode ✓ 漢字 عربي עברית हिन्दी", "e\u0301", "→ ⟨x⟩ ½"])
def test_plain_text_stays(text: str) -> None:
    assert shown(text) == shown(text, prose=True) == text
    assert not count(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1  # fine\rimport os", "x = 1  # fine⟨U+000D CARRIAGE RETURN⟩import os"),
        ("// a\u2028run()", "// a⟨U+2028 LINE SEPARATOR⟩run()"),
        ("a\x0bb\x0cc\x85d", "a⟨U+000B LINE TABULATION⟩b⟨U+000C FORM FEED⟩c⟨U+0085 NEXT LINE⟩d"),
        ("\u202eevil", "⟨U+202E RIGHT-TO-LEFT OVERRIDE⟩evil"),
        ("a\x00b", "a⟨U+0000 NULL⟩b"),
        ("\u200b" * 500, "⟨U+200B ZERO WIDTH SPACE, 500 times⟩"),
        ("tag\U000e0061", "tag⟨U+E0061 TAG LATIN SMALL LETTER A⟩"),
        ("\udce9\ud800", "⟨byte 0xE9⟩⟨U+D800 HALF OF A CHARACTER⟩"),
        ("windows\r\nand\r\r\n", "windows\nand⟨U+000D CARRIAGE RETURN⟩\n"),
    ],
)
def test_what_is_shown_has_number_and_name(text: str, told: str) -> None:
    assert shown(text) == told
    assert shown(text, prose=True) == told


def test_names_of_controls_are_those_of_unicode() -> None:
    for code in (*range(0x20), 0x7F, 0x85):
        assert unicodedata.lookup(characters.name(chr(code)).partition(" ")[2]) == chr(code)


@pytest.mark.parametrize("text", ["👨‍👩‍👧 ❤️ 1️⃣", "می‌خواهم", "dix\u202f% à\u00a0voir", "全角\u3000空白"])
def test_prose_keeps_what_emoji_and_scripts_need(text: str) -> None:
    assert shown(text, prose=True) == escaped(text) == text
    assert not count(text, prose=True)
    assert count(text)  # In code it is shown.


@pytest.mark.parametrize("text", ["ap\u200dprove", "x\ufe0f", "❤\ufe0f\ufe0e\ufe0f", "a\u200c", "\u00a0", "a \u00a0b"])
def test_prose_hides_nothing_behind_them(text: str) -> None:
    assert "⟨U+" in shown(text, prose=True)
    assert count(text, prose=True)


def test_they_are_counted() -> None:
    assert count("a\u200b\u200b\rb\r\n") == {"U+200B ZERO WIDTH SPACE": 2, "U+000D CARRIAGE RETURN": 1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("+p\u0430yment = 1; p\u0430yment", {"`p\u0430yment` (U+0430 CYRILLIC SMALL LETTER A)": 2}),
        ("\u03c1_max", {"`\u03c1_max` (U+03C1 GREEK SMALL LETTER RHO)": 1}),
        ("\U0001d428s.system", {"`\U0001d428s` (U+1D428 MATHEMATICAL BOLD SMALL O)": 1}),
        ("e\u0301t\u0435", {"`e\u0301t\u0435` (U+0435 CYRILLIC SMALL LETTER IE)": 1}),
        ("x" * 9000 + "\u043e" + "x" * 9000, {f"`{'x' * 20}\u043e{'x' * 19}` (U+043E CYRILLIC SMALL LETTER O)": 1}),
    ],
)
def test_a_letter_that_only_looks_like_those_around_it_is_named(text: str, told: dict[str, int]) -> None:
    assert mixed(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "Привет, мир: код v2 и HTML-код",
        "\u0394x = 3 \u03bcs",
        "日本語text \uff21\uff22",
        "café naïve",
        "αρχή",
        "한국어 abc 中文",
    ],
)
def test_words_of_one_script_and_letters_that_look_like_nothing_else_are_not(text: str) -> None:
    assert not mixed(text)


def test_of_very_many_such_words_some_are_named() -> None:
    assert len(mixed(" ".join(f"a\u0430{number}" for number in range(1000)))) == 20
