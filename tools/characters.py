"""Write ``tinytown/characters_table.py``: which characters are not seen, or not as what they are.

``python tools/characters.py`` needs the package ``regex``, which carries Unicode's own data; the table is committed, so
nobody else does. Run it anew for a new version of Unicode.
"""

from __future__ import annotations

import sys
from pathlib import Path

import regex  # type: ignore[import-untyped]

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


def ranges() -> list[tuple[int, int]]:
    """First and last code points."""
    pattern = regex.compile(NOT_PLAIN)
    found: list[tuple[int, int]] = []
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if character in PLAIN or not (character in BLANK or pattern.match(character)):
            continue
        if found and found[-1][1] == code - 1:
            found[-1] = found[-1][0], code
        else:
            found.append((code, code))
    return found


def table() -> str:
    """The module."""
    lines = "".join(f"    (0x{first:04X}, 0x{last:04X}),\n" for first, last in ranges())
    return (
        '"""Characters that are not plain, made from Unicode\'s data by ``tools/characters.py``: do not edit."""\n\n'
        "from __future__ import annotations\n\nfrom typing import Final\n\n"
        "#: First and last code points.\n"
        f"NOT_PLAIN: Final = (\n{lines})\n"
    )


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
