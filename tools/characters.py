"""Write ``tinytown/characters_table.py``: which characters are not seen, or not as what they are.

``python tools/characters.py`` needs the packages ``regex`` and ``confusable-homoglyphs``, which carry Unicode's data;
the table is committed, so nobody else does. Run it anew for a new version of Unicode.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import regex  # type: ignore[import-untyped]
from confusable_homoglyphs import confusables  # type: ignore[import-not-found]

TARGET = Path(__file__).parents[1] / "tinytown" / "characters_table.py"
#: Controls, surrogates, private and format characters, all that Unicode lets a program ignore or use to turn the
#: direction, breaks of lines, variations of the character before, and blanks that are no plain one.
NOT_PLAIN = (
    r"[\p{Cc}\p{Cs}\p{Co}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Variation_Selector}"
    r"\p{Noncharacter_Code_Point}\p{White_Space}\p{Zs}]"
)
#: Characters with a width and no ink, which no property tells.
BLANK = "\u2800\U0001d159"
PLAIN = " \n\t"


#: Letters of other scripts than Latin; of which script a mathematical one is, nobody says.
OTHER_LETTER = r"[\p{L}--\p{Script=Latin}]"


def not_plain() -> Callable[[str], bool]:
    """Whether a character is one."""
    pattern = regex.compile(NOT_PLAIN)
    return lambda character: character not in PLAIN and (character in BLANK or bool(pattern.match(character)))


def alike() -> Callable[[str], bool]:
    """Whether a character is a letter of another script that looks like one of ASCII."""
    letter = regex.compile(OTHER_LETTER, regex.VERSION1)
    looks = confusables.confusables_data

    def is_alike(character: str) -> bool:
        others = [one["c"] for one in looks.get(character, ())]
        return bool(letter.match(character)) and any(one.isascii() and one.isalpha() for one in others)

    return is_alike


def ranges(belongs: Callable[[str], bool]) -> str:
    """First and last code points of the characters that belong, as they stand in the module."""
    found: list[tuple[int, int]] = []
    for code in range(sys.maxunicode + 1):
        if not belongs(chr(code)):
            continue
        if found and found[-1][1] == code - 1:
            found[-1] = found[-1][0], code
        else:
            found.append((code, code))
    return "".join(f"    (0x{first:04X}, 0x{last:04X}),\n" for first, last in found)


def table() -> str:
    """The module."""
    return (
        '"""Characters that are not plain, made from Unicode\'s data by ``tools/characters.py``: do not edit."""\n\n'
        "from __future__ import annotations\n\nfrom typing import Final\n\n"
        "#: First and last code points.\n"
        f"NOT_PLAIN: Final = (\n{ranges(not_plain())})\n"
        "#: The same of letters of other scripts that look like one of ASCII.\n"
        f"ALIKE: Final = (\n{ranges(alike())})\n"
    )


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
